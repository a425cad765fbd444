//! How the library is laid out, for the linker.

fn main() {
    println!("cargo::rerun-if-changed=layout.ld");
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-cdylib=-Wl,-T,{here}/layout.ld");
    // No crtbegin: what it would do at the end is for libraries that can be closed.
    println!("cargo::rustc-link-arg-cdylib=-nostartfiles");
    // One mapping less in every process and every fork: constants stand with the code.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--no-rosegment");
    // One more less, and one call of mprotect: what RELRO would protect leads to libc, as the hooks' own targets do,
    // which have to stay writable.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,norelro");
    // The variables begin a page, instead of lying on the end of one and the beginning of the next.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,separate-loadable-segments");
}

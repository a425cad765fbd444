//! Tells the linker how to lay out the library.

fn main() {
    println!("cargo::rerun-if-changed=layout.ld");
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-cdylib=-Wl,-T,{here}/layout.ld");
    // No crtbegin: the work that it does at the end is only for libraries that can be closed.
    println!("cargo::rustc-link-arg-cdylib=-nostartfiles");
    // Constants share a segment with the code. That saves one mapping in every process and in every
    // fork.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--no-rosegment");
    // No RELRO. That saves another mapping, and one call of mprotect. RELRO would only protect
    // words that lead to libc. The hooks' own targets lead there too, and they must stay writable.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,norelro");
    // The variables begin at a page boundary. Otherwise they would also use the end of another
    // page.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,separate-loadable-segments");
}

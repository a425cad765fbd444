//! Facts read from files that the compiler and `object::write` make for the purpose.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use object::write::{Object as Writer, StandardSection, Symbol as Written, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

use super::{Image, Kind};
use crate::command::doctor::check::allocator;

/// What `cc` makes of `source`; `name` keeps tests apart that run at once.
fn compiled(name: &str, source: &str, arguments: &[&str]) -> Vec<u8> {
    let unique = format!("malloscope-image-{}-{name}", std::process::id());
    let output: PathBuf = std::env::temp_dir().join(unique);
    let mut compiler = Command::new("cc")
        .args(["-xc", "-", "-o"])
        .arg(&output)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a C compiler");
    let mut stdin = compiler.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, source.as_bytes()).expect("a compiler that reads");
    drop(stdin);
    assert!(compiler.wait().expect("an end").success(), "{source}");
    let bytes = fs::read(&output).expect("what was compiled");
    fs::remove_file(&output).expect("our own file");
    bytes
}

fn image(name: &str, source: &str, arguments: &[&str]) -> Image {
    Image::parse(compiled(name, source, arguments).as_slice()).expect("an ELF file")
}

const PLAIN: &str = "#include <stdlib.h>\nint main(void) { return malloc(3) == 0; }";
const OWN: &str = "static char b[64]; VISIBLE void *malloc(unsigned long n) { return b + n; }
                   int main(void) { return malloc(3) == 0; }";

#[test]
fn a_plain_program_has_a_loader_and_needs_libc() {
    let image = image("plain", PLAIN, &[]);
    assert_eq!(image.kind, Kind::Program);
    assert!(image.interpreter.is_some());
    assert_eq!(image.needed, ["libc.so.6"]);
    assert!(image.requires.iter().any(|r| r.library == "libc.so.6"));
    assert!(!image.exports_malloc());
    assert_eq!(image.symbol("malloc"), None);
    assert!(!image.is_go);
}

#[test]
fn static_programs_have_no_loader() {
    for (name, argument) in [("static", "-static"), ("static-pie", "-static-pie")] {
        let image = image(name, PLAIN, &[argument]);
        assert_eq!(image.kind, Kind::Program, "{argument}");
        assert_eq!(image.interpreter, None, "{argument}");
        assert_eq!(image.needed, [""; 0], "{argument}");
    }
}

#[test]
fn a_library_is_no_program() {
    let arguments = ["-shared", "-fPIC", "-Wl,-soname,libmine.so.1", "-DVISIBLE="];
    let image = image("shared", OWN, &arguments);
    assert_eq!(image.kind, Kind::Library);
    assert_eq!(image.soname.as_deref(), Some("libmine.so.1"));
    assert!(image.exports_malloc());
}

#[test]
fn an_executables_own_malloc_is_exported_or_not() {
    assert!(image("own", OWN, &["-fno-builtin", "-DVISIBLE="]).exports_malloc());
    let hidden = "-DVISIBLE=__attribute__((visibility(\"hidden\")))";
    let hidden = image("hidden", OWN, &["-fno-builtin", hidden]);
    assert!(!hidden.exports_malloc());
    assert!(hidden.symbol("malloc").is_some());
}

#[test]
fn directories_and_loader_are_as_linked() {
    let loader = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let runpath = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib:/b", loader];
    let linked = image("runpath", PLAIN, &runpath);
    assert_eq!(
        linked.interpreter.as_deref(),
        Some("/lib/ld-musl-x86_64.so.1")
    );
    assert_eq!(linked.runpath, ["$ORIGIN/lib", "/b"]);
    assert_eq!(linked.rpath, [""; 0]);
    let rpath = image("rpath", PLAIN, &["-Wl,--disable-new-dtags,-rpath,/a"]);
    assert_eq!(
        (rpath.rpath.as_slice(), rpath.runpath.len()),
        (&["/a".to_owned()][..], 0)
    );
}

#[test]
fn versions_of_its_own_are_read() {
    let source = "int first(void) { return 1; } int second(void) { return 2; }";
    let unique = format!("malloscope-versions-{}.map", std::process::id());
    let script = std::env::temp_dir().join(unique);
    fs::write(&script, "A_1.0 { first; };\nA_1.1 { second; } A_1.0;\n").expect("a script");
    let argument = format!("-Wl,--version-script={}", script.display());
    let made = image("versions", source, &["-shared", "-fPIC", &argument]);
    fs::remove_file(&script).expect("our own file");
    assert_eq!(made.provides, ["A_1.0", "A_1.1"]);
}

#[test]
fn a_stripped_allocator_is_told_by_its_message() {
    let source = "#include <stdio.h>\nint main(void) { \
                  puts(\"<jemalloc>: Malformed conf string\"); }";
    let image = image("stripped", source, &["-s"]);
    let carried = allocator::carried(&image);
    assert_eq!(carried.len(), 1);
    assert_eq!(
        (carried[0].name().as_str(), &carried[0].prefix),
        ("jemalloc", &None)
    );
}

/// An object file with these functions.
fn written(architecture: Architecture, names: &[&str]) -> Vec<u8> {
    let endian = Endianness::Little;
    let mut writer = Writer::new(BinaryFormat::Elf, architecture, endian);
    let text = writer.section_id(StandardSection::Text);
    writer.append_section_data(text, &[0xc3; 16], 16);
    for name in names {
        writer.add_symbol(Written {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 16,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    writer.write().expect("an ELF file")
}

#[test]
fn architectures_have_names() {
    let architecture = |wanted| {
        let image = Image::parse(written(wanted, &[]).as_slice()).expect("an ELF file");
        assert_eq!(image.kind, Kind::Other);
        image.architecture()
    };
    assert_eq!(architecture(Architecture::X86_64), "x86-64");
    assert_eq!(architecture(Architecture::X86_64_X32), "x32");
    assert_eq!(architecture(Architecture::I386), "i386");
    assert_eq!(architecture(Architecture::Aarch64), "aarch64");
    assert_eq!(architecture(Architecture::Mips), "machine 8");
}

#[test]
fn prefixed_allocators_are_read_from_symbols() {
    let names = [
        "je_mallctl",
        "je_malloc",
        "_rjem_mallocx",
        "zmalloc",
        "mi_malloc",
    ];
    let bytes = written(Architecture::X86_64, &names);
    let image = Image::parse(bytes.as_slice()).expect("an ELF file");
    let carried = allocator::carried(&image);
    let names: Vec<String> = carried.iter().map(allocator::Carried::name).collect();
    assert_eq!(names, ["jemalloc (je_)", "mimalloc"]);
    let bytes = written(Architecture::X86_64, &["runtime.mallocgc"]);
    let go = Image::parse(bytes.as_slice()).expect("an ELF file");
    assert!(go.symbol("runtime.mallocgc").is_some() && !go.is_go);
}

#[test]
fn a_stripped_go_program_is_told_by_its_sections() {
    let mut writer = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let kind = object::SectionKind::ReadOnlyData;
    writer.add_section(Vec::new(), b".go.buildinfo".to_vec(), kind);
    let bytes = writer.write().expect("an ELF file");
    assert!(Image::parse(bytes.as_slice()).expect("an ELF file").is_go);
}

/// Files are foreign input: whatever is in them, reading ends, and without a panic.
#[test]
fn damaged_files_are_survived() {
    assert!(Image::parse(&b""[..]).is_none());
    assert!(Image::parse(&b"#!/bin/sh\n"[..]).is_none());
    let whole = compiled("damaged", PLAIN, &[]);
    for end in (0..whole.len()).step_by(61) {
        let _ = Image::parse(&whole[..end]);
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3_000 {
        let mut damaged = whole.clone();
        for _ in 0..8 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Half of it in the headers, which decide how the rest is read.
            let range = if random & (1 << 20) == 0 {
                1024
            } else {
                damaged.len()
            };
            let at = (random >> 33) as usize % range;
            damaged[at] = (random >> 24) as u8;
        }
        let _ = Image::parse(damaged.as_slice());
    }
}

//! Files that once took all memory, or never came to an end.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{gzipped, scratch};

/// Runs a command on a file, with the memory that a hostile file may cost; what it printed.
pub fn limited(command: &str, file: &Path) -> String {
    const MEMORY_KB: u64 = 2 << 20;
    let program = env!("CARGO_BIN_EXE_malloscope");
    let script = format!(
        "ulimit -v {MEMORY_KB}; exec '{program}' {command} '{}'",
        file.display()
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("sh");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(
        output.status.code().is_some_and(|code| code < 5),
        "{command}: {text}"
    );
    text.into_owned()
}

#[test]
fn a_compressed_file_without_end_is_refused() {
    let file = scratch("bomb").join("bomb.heap");
    let mut bytes = gzipped(b"heap_v2/1\n", 1);
    bytes.extend(gzipped(&vec![0; 64 << 20], 48));
    fs::write(&file, bytes).expect("a file");
    let said = limited("table", &file);
    assert!(said.contains("unpacks to more than 512 MiB"), "{said}");
    fs::remove_file(file).expect("its removal");
}

#[test]
fn counts_beyond_all_reason_come_to_an_end() {
    let stacks = (0..6).map(|id| {
        format!(
            "@ 0x1 0x{:x}\n  t*: 1: 100000 [1: 100000]\n# stack {id} live=9000000000000000:1.000:100000 variance=0 \
             alloc=99999999999999999:1.000:100000 size=9-9 births=0:9000000000000000:100000:100000000 \
             lives=40:10000000000000000:100000:100000000\n",
            100 + id
        )
    });
    let text = format!(
        "heap_v2/1\n# malloscope 2\n# pid 1\n# uptime_ms 60000\n# epochs 1875 32\n{}MAPPED_LIBRARIES:\n# end\n",
        stacks.collect::<String>()
    );
    let file = scratch("counts").join("m.1.0.f.heap");
    fs::write(&file, text).expect("a file");
    for command in ["suspects", "table", "report --output -"] {
        let _said = limited(command, &file);
    }
}

#[test]
fn stacks_that_multiply_are_left_out() {
    let names = vec!["f"; 2000].join("--");
    let calls = " 0x401101".repeat(70_000);
    let text = format!(
        "--- symbol\nbinary=/opt/x\n0x401100 {names}\n---\n--- heap\nheap_v2/1\n  t*: 2: 16 [0: 0]\n\
         @{calls}\n  t*: 1: 8 [0: 0]\n@ 0x5\n  t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n"
    );
    let file = scratch("multiply").join("m.1.0.f.heap");
    fs::write(&file, text).expect("a file");
    for command in ["table", "report --output -", "convert --to folded"] {
        let said = limited(command, &file);
        assert!(said.contains("1 stack is left out"), "{command}: {said}");
    }
}

#[test]
fn short_lines_without_end_do_not_take_all_memory() {
    let file = scratch("lines").join("m.1.0.f.heap");
    let mut bytes = b"heap_v2/1\n@ 0x1\n  t*: 1: 8 [0: 0]\n".to_vec();
    bytes.extend(b"z\n".repeat(8 << 20));
    fs::write(&file, bytes).expect("a file");
    let said = limited("table", &file);
    assert!(said.contains("the rest is not read"), "{said}");
    fs::remove_file(file).expect("its removal");
}

#[test]
fn a_name_cannot_turn_what_is_read() {
    let text = "heap_v2/1\n# malloscope 2\n@ 0x1 0x4d00000000000000\n  t*: 1: 1000 [0: 0]\n\
                # frame 0x4d00000000000000\tjava\t\tsafe\u{202e}live\u{1b}[2J\t\t0\nMAPPED_LIBRARIES:\n# end\n";
    let file = scratch("names").join("m.1.0.f.heap");
    fs::write(&file, text).expect("a file");
    for command in [
        "table",
        "suspects",
        "report --output -",
        "flame",
        "convert --to folded",
    ] {
        let said = limited(command, &file);
        assert!(
            !said.contains('\u{202e}') && !said.contains('\u{1b}'),
            "{command}: {said}"
        );
    }
}

//! A leak's stack shows the calls that led to it, to the beginning of its thread.

use std::fs;
use std::path::Path;

use crate::harness::{Preload, compile, jeprof_compat};

/// Names that a leak's stack holds in this order, root first; the n-th leaks `BLOCK + n` bytes.
const CHAINS: [&[&str]; 5] = [
    &[
        "main",
        "alpha_chain",
        "beta_chain",
        "gamma_chain",
        "leak_plain",
    ],
    &["main", "sort_chain", "leak_comparing"],
    &["main", "raise_chain", "leak_handling"],
    &["start_thread", "thread_chain", "leak_zeroed"],
    &["main", "recurse"],
];
const BLOCK: u64 = 64 << 20;
const DEPTH_OF_RECURSION: usize = 41;

/// Whether `part` stands in `whole` in this order, with other frames between or not.
fn contains_in_order(whole: &[&str], part: &[&str]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|name| rest.any(|frame| frame == name))
}

fn assert_chains(flags: &[&str]) {
    let program = compile("stacks.c", flags);
    let run = Preload::command([&program])
        .conf("prof:true,prof_final:true")
        .run()
        .succeeded();
    let dump = run.final_dump();
    let output = jeprof_compat()
        .arg("--collapsed")
        .args([&program, &dump.path])
        .output();
    let output = output.expect("jeprof-compat runs");
    let text = String::from_utf8_lossy(&output.stdout);
    for (chain, size) in CHAINS.iter().zip(BLOCK + 1..) {
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!(" {size}")));
        let line = line.unwrap_or_else(|| panic!("{flags:?}: no stack of {size} bytes in\n{text}"));
        let (frames, _) = line.rsplit_once(' ').expect("frames and bytes");
        let frames: Vec<_> = frames.split(';').collect();
        assert!(
            contains_in_order(&frames, chain),
            "{flags:?}: {chain:?} not in {line}"
        );
        assert_eq!(frames.last(), chain.last(), "{flags:?}");
        let recursions = frames.iter().filter(|name| **name == "recurse").count();
        assert!(
            recursions == 0 || recursions == DEPTH_OF_RECURSION,
            "{flags:?}: {line}"
        );
    }
}

#[test]
fn chains_are_whole_without_frame_pointers() {
    assert_chains(&["-O2", "-fomit-frame-pointer"]);
}

#[test]
fn chains_are_whole_with_frame_pointers() {
    assert_chains(&["-O0", "-fno-omit-frame-pointer"]);
}

#[test]
fn chains_are_whole_at_a_fixed_address() {
    assert_chains(&["-no-pie"]);
}

/// Moves the program headers behind the end of a library, as BOLT and patchelf do: the note's header becomes the one of a
/// segment that holds them all.
fn move_headers(library: &Path) {
    const HEADER: usize = 56;
    const NOTE: u32 = 4;
    let mut bytes = fs::read(library).expect("a library");
    let word = |bytes: &[u8], at: usize| {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")) as usize
    };
    let (from, count) = (word(&bytes, 0x20), usize::from(bytes[0x38]));
    let old = bytes[from..from + count * HEADER].to_vec();
    bytes[from..from + old.len()].fill(0);
    let place = bytes.len().next_multiple_of(0x10_0000);
    bytes.resize(place, 0);
    bytes[0x20..0x28].copy_from_slice(&(place as u64).to_le_bytes());
    let mut headers: Vec<Vec<u8>> = old.chunks(HEADER).map(<[u8]>::to_vec).collect();
    let is_note = |header: &Vec<u8>| header[..4] == NOTE.to_le_bytes();
    let note = headers.iter().position(is_note).expect("a note");
    headers.remove(note);
    // Loaded segments stand in the order of their addresses.
    let is_loaded = |header: &Vec<u8>| header[..4] == 1_u32.to_le_bytes();
    let last = headers.iter().rposition(is_loaded).expect("segments");
    let (size, readable) = (old.len() as u64, 4);
    let words = [
        1 | readable << 32,
        place as u64,
        place as u64,
        place as u64,
        size,
        size,
        0x1000,
    ];
    headers.insert(
        last + 1,
        words.iter().flat_map(|word| word.to_le_bytes()).collect(),
    );
    bytes.extend(headers.concat());
    fs::write(library, bytes).expect("a library");
}

#[test]
fn chains_are_whole_where_the_program_headers_were_moved() {
    let flags = [
        "-shared",
        "-fPIC",
        "-O2",
        "-fomit-frame-pointer",
        "-DNAME=moved",
    ];
    let run = Preload::new("plugins.c");
    let library = run.directory().join("moved.so");
    fs::copy(compile("plugin_run.c", &flags), &library).expect("a copy");
    move_headers(&library);
    let run = run
        .args(&[format!("{}:1000", library.display())])
        .conf("prof:true,prof_final:true,lg_prof_sample:0")
        .run()
        .succeeded();
    let dump = run.final_dump();
    let mut found = dump.stacks.iter().filter(|stack| stack.live.2 == 1_000_000);
    let stack = found.next().expect("the plugin's blocks");
    // Hook, two functions of the plugin, main, two of libc, and the program's start.
    assert_eq!(stack.frames.len(), 7, "{:x?}", stack.frames);
}

#[test]
fn a_stack_is_cut_at_the_leaf_end_of_prof_bt_max() {
    let conf = "prof:true,prof_final:true,prof_bt_max:10";
    let dump = Preload::new("stacks.c")
        .conf(conf)
        .run()
        .succeeded()
        .final_dump();
    let deepest = dump.stacks.iter().map(|stack| stack.frames.len()).max();
    assert_eq!(deepest, Some(11), "ours, and ten of the program");
    assert!(
        dump.live_bytes() > 5 * BLOCK,
        "a stack that is cut still counts"
    );
}

#[test]
fn both_ends_of_a_deep_recursion_are_kept() {
    let conf = "prof:true,prof_final:true,prof_bt_max:20";
    let run = Preload::new("stacks.c").conf(conf).run().succeeded();
    let dump = run.final_dump();
    let of_size = |number: u64| {
        let mut stacks = dump.stacks.iter();
        let found = stacks.find(|stack| stack.live.2 == BLOCK + number);
        found.unwrap_or_else(|| panic!("no stack {number}"))
    };
    let (whole, cut) = (of_size(1), of_size(5));
    assert_eq!(dump.names(whole), [""; 0]);
    assert_eq!(dump.names(cut), ["[truncated: prof_bt_max] :"]);
    assert_eq!(cut.frames.len(), 21, "ours, and twenty");
    let root = |frames: &[u64]| frames[frames.len() - 3..].to_vec();
    assert_eq!(root(&whole.frames), root(&cut.frames), "the same beginning");
    let recursion = cut.frames[3];
    assert_eq!(cut.frames[4], recursion);
    let mark = cut
        .frames
        .iter()
        .position(|pc| dump.managed.contains_key(pc));
    let mark = mark.expect("a mark");
    assert_eq!(
        (cut.frames[mark - 1], cut.frames[mark + 1]),
        (recursion, recursion)
    );
}

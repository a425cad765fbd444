//! Filters as programs install them, and the lists against the sources.
#![allow(unsafe_code)]

use super::*;

const NUMBER: u32 = 0;
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const EACCES: u32 = 0x0005_000d;

fn op(code: u16, k: u32) -> Instruction {
    jump(code, k, 0, 0)
}

fn jump(code: u16, k: u32, on_true: u8, on_false: u8) -> Instruction {
    Instruction {
        code,
        on_true,
        on_false,
        k,
    }
}

/// Answers `answer` to these calls, and allows all others.
fn all_but(calls: &[i64], answer: u32) -> Vec<Instruction> {
    let mut filter = vec![op(0x20, NUMBER)];
    for call in calls {
        filter.extend([jump(0x15, *call as u32, 0, 1), op(0x06, answer)]);
    }
    filter.push(op(0x06, ALLOW));
    filter
}

#[test]
fn what_forbids_others_admits_us() {
    let others = [libc::SYS_execve, libc::SYS_fork, libc::SYS_ptrace];
    assert!(Filter(&all_but(&others, KILL)).admits_us());
    assert!(Filter(&all_but(&[libc::SYS_clone], EACCES)).admits_us());
    assert!(!Filter(&all_but(&[libc::SYS_clone], KILL)).admits_us());
    for call in NEEDED {
        assert!(!Filter(&all_but(&[call], EACCES)).admits_us(), "{call}");
    }
}

#[test]
fn only_an_errno_is_a_refusal() {
    let answers = [0x0003_0000, 0x0005_0000, 0x7ff0_0000, 0x7fc0_0000, 0, KILL];
    for answer in answers {
        assert!(!Filter(&all_but(&[libc::SYS_clone], answer)).admits_us());
    }
    assert!(Filter(&[op(0x06, 0x7ffc_0000)]).admits_us(), "logged");
}

#[test]
fn both_ways_of_what_is_not_known_are_gone() {
    // openat only with certain flags: the filter reads the third argument.
    let filter = |answer| {
        [
            op(0x20, NUMBER),
            jump(0x15, libc::SYS_openat as u32, 0, 2),
            op(0x20, 32),
            jump(0x45, 1, 1, 0),
            op(0x06, ALLOW),
            op(0x06, answer),
        ]
    };
    assert!(!Filter(&filter(KILL)).admits_us());
    assert!(Filter(&filter(ALLOW)).admits_us());
}

#[test]
fn the_flags_of_our_mappings_are_known() {
    let filter = |flags| {
        [
            op(0x20, NUMBER),
            jump(0x15, libc::SYS_mmap as u32, 0, 3),
            op(0x20, 40),
            jump(0x15, flags, 1, 0),
            op(0x06, KILL),
            op(0x06, ALLOW),
        ]
    };
    assert!(Filter(&filter(0x22)).admits_us());
    assert!(!Filter(&filter(0x4022)).admits_us());
}

#[test]
fn what_never_ends_or_leads_nowhere_kills() {
    assert!(!Filter(&[op(0x05, u32::MAX), op(0x06, ALLOW)]).admits_us());
    assert!(!Filter(&[op(0x20, NUMBER)]).admits_us());
    assert!(!Filter(&[op(0x16, 0)]).admits_us(), "an unknown answer");
    let mut many = vec![op(0x20, 16)];
    many.extend([jump(0x15, 0, 0, 1); 100]);
    many.extend([op(0x06, ALLOW), op(0x06, ALLOW)]);
    assert!(!Filter(&many).admits_us(), "more ways than are gone");
}

#[test]
fn programs_that_only_ask_pass_no_filter() {
    let filter = all_but(&[libc::SYS_execve], KILL);
    let program = |length: usize, instructions: *const Instruction| Program {
        length: length as u16,
        instructions,
    };
    let at = |program: &Program| {
        // SAFETY: `filter` lives while it is looked at.
        unsafe { Filter::at(core::ptr::from_ref(program) as usize) }
    };
    assert!(at(&program(filter.len(), filter.as_ptr())).is_some_and(|it| it.admits_us()));
    assert!(at(&program(0, filter.as_ptr())).is_none());
    assert!(at(&program(9, core::ptr::null())).is_none());
    // SAFETY: nothing is there.
    assert!(unsafe { Filter::at(0) }.is_none() && unsafe { Filter::at(8) }.is_none());
}

/// The lists name every call of this room.
#[test]
fn every_call_of_ours_is_asked_for() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platform/sys");
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).expect("a source");
    let lists = read("filter/calls.rs");
    let files = ["mod.rs", "file.rs", "signal.rs", "socket.rs", "thread.rs"];
    for file in files {
        let text = read(file);
        for name in text.split("libc::SYS_").skip(1) {
            let is_of_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let name: String = name.chars().take_while(is_of_name).collect();
            assert!(
                lists.contains(&format!("libc::SYS_{name},")),
                "{name} of {file}"
            );
        }
    }
}

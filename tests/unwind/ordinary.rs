//! Code with unwind information, on ordinary stacks.

use std::cell::RefCell;
use std::collections::HashSet;
use std::thread;

use malloscope::unwind::{End, Registers};

use crate::harness::{self, Program, assert_agreement, compile, deep, framehop, ours, take, taken};

#[test]
fn deep_stacks_of_many_functions() {
    let program = deep();
    for seed in 0..400 {
        program.run()(seed, 5 + seed as i32 % 25, take as extern "C" fn());
    }
    let pairs = taken();
    assert_agreement(&pairs, 400);
    let addresses: HashSet<_> = pairs.iter().flat_map(|(ours, _)| &ours.frames).collect();
    assert!(
        addresses.len() > 300,
        "only {} different return addresses",
        addresses.len()
    );
    assert!(pairs.iter().any(|(ours, _)| ours.frames.len() > 50));
}

#[test]
fn the_same_on_several_threads_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            thread::Builder::new()
                .stack_size(512 << 10)
                .spawn(move || {
                    let program = deep();
                    for seed in 0..200 {
                        program.run()(seed * 7 + thread, 12, take as extern "C" fn());
                    }
                    assert_agreement(&taken(), 200);
                })
                .expect("a thread")
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("agreement"));
}

#[test]
fn functions_that_align_their_stack() {
    for level in ["-O0", "-O1", "-O2", "-Os"] {
        let program = Program::load(&compile("realign.c", &format!("realign{level}"), &[level]));
        program.run()(5, 20, take as extern "C" fn());
        assert_agreement(&taken(), 20);
    }
}

#[test]
fn lazy_binding() {
    let callee = compile("lazy_callee.c", "lazy_callee", &[]);
    let directory = harness::directory();
    let directory = directory.to_str().expect("a path");
    assert!(callee.starts_with(directory));
    let flags = [
        "-Wl,-z,lazy",
        &format!("-L{directory}"),
        "-llazy_callee",
        &format!("-Wl,-rpath,{directory}"),
    ];
    let program = Program::load(&compile("lazy.c", "lazy", &flags));
    program.run()(5, 3, take as extern "C" fn());
    let pairs = taken();
    assert_agreement(&pairs, 1);
    let has_resolver = |frame: &u64| harness::place(*frame).contains("ld-linux");
    assert!(
        pairs[0].0.frames.iter().any(has_resolver),
        "bound at load time"
    );
}

#[test]
fn depth_is_that_of_the_buffer() {
    let whole = ours(Registers::here());
    assert_eq!(whole.end, End::Complete);
    let mut short = [0; 3];
    assert_eq!(
        harness::walk(Registers::here(), &mut short),
        (3, End::Truncated)
    );
    assert_eq!(short[1..], whole.frames[1..3]);
    assert_eq!(
        harness::walk(Registers::here(), &mut []),
        (0, End::Truncated)
    );
    let mut exact = vec![0; whole.frames.len()];
    let (length, end) = harness::walk(Registers::here(), &mut exact);
    assert_eq!((length, end), (whole.frames.len(), End::Complete));
}

/// framehop wants the modules told, keeps rbp but not rbx, and does not pass signal frames: an oracle for the plain part only.
#[test]
fn framehop_says_the_same() {
    thread_local! {
        static FRAMEHOP: RefCell<Vec<(harness::Stack, Vec<u64>)>> = const { RefCell::new(Vec::new()) };
    }
    extern "C" fn hook() {
        let registers = Registers::here();
        let pair = (ours(registers), framehop(registers));
        FRAMEHOP.with(|pairs| pairs.borrow_mut().push(pair));
    }
    let program = deep();
    for seed in 1000..1050 {
        program.run()(seed, 20, hook as extern "C" fn());
    }
    let pairs = FRAMEHOP.with(RefCell::take);
    assert!(pairs.len() >= 50);
    for (ours, framehop) in pairs {
        assert_eq!((ours.frames, ours.end), (framehop, End::Complete));
    }
}

//! Stacks that need a process of their own to look at: the main thread's (the test harness keeps it for itself), those of forked
//! children, and how much stack an unwind takes. Therefore without the test harness.
#![allow(unsafe_code)]

#[path = "unwind/libgcc.rs"]
mod libgcc;

use std::arch::asm;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::thread;

use malloscope::unwind::{self, End, Registers, ThreadUnwinder};

const DEPTH: usize = 4096;

fn main() {
    unwind::init();
    let mut unwinder = Box::new(ThreadUnwinder::new());
    assert_libgcc_agrees(&mut unwinder);
    at_depth(60, &mut || assert_libgcc_agrees(&mut unwinder));
    assert_fork_keeps_the_stack(&mut unwinder);
    on_a_thread(|| {
        let mut unwinder = Box::new(ThreadUnwinder::new());
        assert_libgcc_agrees(&mut unwinder);
        at_depth(60, &mut || assert_libgcc_agrees(&mut unwinder));
        // The child's only thread stands on this thread's stack, though its id is that of a main thread.
        assert_fork_keeps_the_stack(&mut unwinder);
    });
    assert_a_block_may_change_hands();
    assert_little_stack_is_taken();
    println!("stacks of a whole process: ok");
}

/// Ours, from the second frame on, must be found in libgcc's.
#[inline(never)]
fn assert_libgcc_agrees(unwinder: &mut ThreadUnwinder) {
    let mut ours = vec![0; DEPTH];
    let (length, end) = unwind::unwind(unwinder, Registers::here(), &mut ours);
    let mut libgcc = Vec::with_capacity(DEPTH);
    libgcc::stack_into(&mut libgcc);
    let callers = &ours[1..length];
    let skip = libgcc.iter().position(|pc| Some(pc) == callers.first());
    assert_eq!(end, End::Complete);
    assert_eq!(callers, &libgcc[skip.expect("our caller")..]);
}

/// Calls `body` under `depth` frames of some 64 KiB each.
#[inline(never)]
fn at_depth(depth: u32, body: &mut dyn FnMut()) {
    let mut space = MaybeUninit::<[u8; 64 << 10]>::uninit();
    black_box(&mut space);
    if depth == 0 {
        body();
    } else {
        at_depth(depth - 1, body);
    }
    black_box(&mut space);
}

fn on_a_thread(body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(8 << 20).spawn(body);
    thread.expect("a thread").join().expect("no panic");
}

fn assert_fork_keeps_the_stack(unwinder: &mut ThreadUnwinder) {
    // SAFETY: the child calls nothing but allocation, which glibc keeps usable, and leaves by _exit.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            assert_libgcc_agrees(unwinder);
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert_eq!(status, 0);
    }
}

/// glibc reuses the memory of threads, and so the blocks found by it: with a smaller stack this time.
fn assert_a_block_may_change_hands() {
    let unwinder = Box::leak(Box::new(ThreadUnwinder::new()));
    for stack in [4 << 20, 256 << 10, 1 << 20] {
        *unwinder = ThreadUnwinder::new();
        thread::scope(|scope| {
            let run = || assert_libgcc_agrees(unwinder);
            let thread = thread::Builder::new()
                .stack_size(stack)
                .spawn_scoped(scope, run);
            thread.expect("a thread");
        });
    }
}

/// The design allows two KiB; without optimisation it is more, and of no interest.
fn assert_little_stack_is_taken() {
    let mut unwinder = Box::new(ThreadUnwinder::new());
    let mut out = [0; 64];
    let registers = Registers::here();
    let mut take = || {
        black_box(unwind::unwind(&mut unwinder, registers, &mut out));
    };
    unwind::bump_generation();
    let cold = stack_taken_by(&mut take);
    let warm = stack_taken_by(&mut take);
    println!("stack taken by an unwind: {cold} bytes where all is new, {warm} where all is known");
    assert!(cfg!(debug_assertions) || cold <= 2048 && warm <= 1024);
}

/// Fills the stack below with a pattern, calls `body`, and looks how far down the pattern is gone.
#[inline(never)]
fn stack_taken_by(body: &mut dyn FnMut()) -> usize {
    const WORDS: usize = 8192;
    const PATTERN: u64 = 0x5a5a_1234_5a5a_4321;
    let sp: usize;
    // SAFETY: the stack pointer is only read.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack)) };
    let lowest = sp - WORDS * 8;
    // SAFETY: memory of this thread's stack, below all frames; the red zone is spared.
    unsafe {
        asm!("rep stosq", inout("rdi") lowest => _, inout("rcx") WORDS - 16 => _, in("rax") PATTERN, options(nostack));
    }
    body();
    let left: usize;
    // SAFETY: as above; only reads.
    unsafe {
        asm!("repe scasq", inout("rdi") lowest => _, inout("rcx") WORDS - 16 => left, in("rax") PATTERN, options(nostack));
    }
    left * 8 + 128
}

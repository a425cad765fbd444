//! Stacks that are not the thread's own: fibers, with nothing above or below them; and small threads.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::thread;

use malloscope::unwind::{End, Registers};

use crate::harness::{Stack, assert_agreement, deep, difference, libgcc, ours, take, taken};

/// Memory with a hole on either side.
struct Island {
    start: *mut u8,
    length: usize,
}

const PAGE: usize = 4096;

impl Island {
    fn new(length: usize) -> Island {
        // SAFETY: a fresh mapping, its first and last page taken away again.
        unsafe {
            let whole = libc::mmap(
                ptr::null_mut(),
                length + 2 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(whole, libc::MAP_FAILED);
            libc::mprotect(whole, PAGE, libc::PROT_NONE);
            libc::mprotect(whole.byte_add(PAGE + length), PAGE, libc::PROT_NONE);
            Island {
                start: whole.byte_add(PAGE).cast(),
                length,
            }
        }
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, with a page on either side.
        unsafe { libc::munmap(self.start.sub(PAGE).cast(), self.length + 2 * PAGE) };
    }
}

thread_local! {
    static HOME: Cell<*mut libc::ucontext_t> = const { Cell::new(ptr::null_mut()) };
    static BODY: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static OUTCOME: RefCell<Option<thread::Result<()>>> = const { RefCell::new(None) };
}

extern "C" fn fiber_main() {
    let body = BODY.with(|body| body.borrow_mut().take()).expect("a body");
    // A panic cannot leave the fiber: there is nothing above it.
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    OUTCOME.with(|slot| *slot.borrow_mut() = Some(outcome));
    // SAFETY: `on_fiber` waits there.
    unsafe { libc::setcontext(HOME.get()) };
}

/// Runs `body` on a stack of its own by makecontext(3).
fn on_fiber(island: &Island, body: impl FnOnce() + 'static) {
    BODY.with(|slot| *slot.borrow_mut() = Some(Box::new(body)));
    // SAFETY: as in makecontext(3); both contexts live until the fiber has switched back.
    unsafe {
        let mut home: libc::ucontext_t = std::mem::zeroed();
        let mut fiber: libc::ucontext_t = std::mem::zeroed();
        HOME.set(&raw mut home);
        assert_eq!(libc::getcontext(&mut fiber), 0);
        fiber.uc_stack.ss_sp = island.start.cast();
        fiber.uc_stack.ss_size = island.length;
        fiber.uc_link = ptr::null_mut();
        libc::makecontext(&mut fiber, fiber_main, 0);
        assert_eq!(libc::swapcontext(&mut home, &fiber), 0);
    }
    if let Some(Err(reason)) = OUTCOME.with(|slot| slot.borrow_mut().take()) {
        panic::resume_unwind(reason);
    }
}

#[test]
fn fibers_unwind_to_their_start() {
    let island = Island::new(256 << 10);
    on_fiber(&island, || {
        let pair = (ours(Registers::here()), libgcc());
        assert_eq!(difference(&pair.0, &pair.1), None);
        let program = deep();
        for seed in 0..20 {
            program.run()(seed, 5, take as extern "C" fn());
        }
        assert_agreement(&taken(), 20);
    });
}

#[test]
fn a_chain_that_points_past_the_fiber_ends_there() {
    let island = Island::new(64 << 10);
    let (start, end) = (
        island.start as u64,
        island.start as u64 + island.length as u64,
    );
    on_fiber(&island, move || {
        let here = Registers::here();
        // Into the hole, at its edges, and far beyond.
        for bp in [
            end - 8,
            end,
            end + 8,
            end + PAGE as u64 - 8,
            end + (1 << 21),
            start - 8,
        ] {
            let stack = ours(Registers {
                bp,
                pc: jit_address(),
                ..here
            });
            assert_eq!(stack.frames.len(), 1, "{stack:?} by {bp:#x}");
            assert_eq!(stack.end, End::NoInfo);
        }
        // The whole stack pointer off the fiber.
        for sp in [end, end + 64, 8, 0, u64::MAX - 7, 1 << 63] {
            let stack = ours(Registers { sp, bp: sp, ..here });
            assert_eq!(stack.frames.len(), 1);
            assert_eq!(stack.end, End::BadMemory);
        }
    });
}

/// An address that can be read and is in no module.
fn jit_address() -> u64 {
    let page = Box::leak(Box::new([0x90_u8; 64]));
    page.as_ptr() as u64 + 32
}

#[test]
fn many_fibers_reuse_the_same_memory() {
    for size in [32 << 10, 64 << 10, 32 << 10, 256 << 10] {
        let island = Island::new(size);
        for _ in 0..3 {
            on_fiber(&island, || {
                let pair = (ours(Registers::here()), libgcc());
                assert_eq!(difference(&pair.0, &pair.1), None);
            });
        }
    }
    let pair = (ours(Registers::here()), libgcc());
    assert_eq!(difference(&pair.0, &pair.1), None);
}

#[test]
fn the_smallest_threads() {
    // SAFETY: sysconf(3) has no precondition.
    let smallest = unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) } as usize;
    for _ in 0..4 {
        let thread = thread::Builder::new()
            .stack_size(smallest + (48 << 10))
            .spawn(|| {
                let Stack { frames, end } = ours(Registers::here());
                assert_eq!(end, End::Complete);
                frames.len()
            });
        assert!(thread.expect("a thread").join().expect("a stack") > 3);
    }
}

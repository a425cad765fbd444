//! The per-thread word that every allocation touches, and the guard against re-entry.
//!
//! The hooks use it in assembly, the recorder and the start in Rust. The block is 64 bytes of
//! initial-exec TLS, zero-initialised, without a constructor or destructor: all zero means "a
//! thread that has not allocated yet". Everything else that a thread owns is behind one pointer
//! ([`Tls::thread`]).
//!
//! The countdown is at offset 56 on purpose. The hooks reach it as `fs:[rax + 56]`, where `rax` is
//! the block's offset from the thread pointer as the dynamic linker stored it. Before the linker
//! has relocated us (an IFUNC resolver of a library relocated earlier may allocate) that offset
//! reads as zero. `fs:56` is a word of glibc's TCB that nothing uses and that holds zero
//! (`tcbhead_t.unused_vgetcpu_cache`). So the countdown seems to have run out, and the call takes
//! the cold path, which recognises the case by the zero offset.
//!
//! Sources: ELF TLS ABI 3.4 (initial exec), glibc `sysdeps/x86_64/nptl/tls.h`.
//!
//! # Safety
//!
//! A thread reads and writes only its own block. Signal handlers of the thread may interrupt
//! anywhere, so fields are atomics used relaxed: they order nothing between threads.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};
use core::ffi::c_void;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, compiler_fence};

/// Offset of the countdown in the block, known to the hooks' assembly.
pub const COUNTDOWN: usize = 56;

/// Offset of the countdown of objects.
pub const OBJECTS: usize = 40;

/// What the countdown is set to while its thread works for us: too high to run out.
pub const PARKED: u64 = i64::MAX as u64;

global_asm!(
    ".pushsection .tbss.malloscope_tls,\"awT\",@nobits",
    ".p2align 6",
    ".hidden malloscope_tls",
    ".globl malloscope_tls",
    ".type malloscope_tls,@object",
    ".size malloscope_tls,64",
    "malloscope_tls:",
    ".zero 64",
    ".popsection",
);

/// The block of one thread. Zero-initialised by the loader for every new thread.
#[repr(C, align(64))]
pub struct Tls {
    /// The recorder's block of this thread; null until its first event after start-up.
    pub thread: AtomicPtr<c_void>,
    /// Above zero while the thread is inside our cold code.
    pub busy: AtomicU32,
    /// The countdown as it was before a fork in progress.
    before_fork: AtomicU64,
    /// Forks in progress: a signal handler that interrupts one may fork too.
    pub forks: AtomicU32,
    /// What the outermost of these forks found, for its later handlers; belongs to the recorder.
    pub fork_state: AtomicU32,
    /// How the JVM drew the gap between sampled objects in which the thread is; belongs to
    /// `java_heap`.
    pub java_gap: AtomicU64,
    /// As `countdown`, for the small blocks that a language runtime takes from memory of its own.
    pub objects: AtomicU64,
    /// One more than log2 of the period with which the gap in `objects` was drawn; 0: it was not drawn.
    pub objects_period: AtomicU64,
    /// Bytes left before the next sample; at zero or below, the hook calls the cold path.
    pub countdown: AtomicU64,
}

const _: () = assert!(core::mem::offset_of!(Tls, countdown) == COUNTDOWN);
const _: () = assert!(core::mem::offset_of!(Tls, objects) == OBJECTS);
const _: () = assert!(core::mem::size_of::<Tls>() == 64);

/// The offset of the block from the thread pointer; zero before we were relocated.
#[inline(always)]
pub fn offset() -> usize {
    let offset: usize;
    // SAFETY: reads a GOT entry of this very object, PC-relative; ELF TLS ABI 3.4.2.
    unsafe {
        asm!("mov {0}, qword ptr [rip + malloscope_tls@gottpoff]", out(reg) offset,
            options(nostack, preserves_flags, readonly));
    }
    offset
}

/// The thread pointer: the address of the TCB, which glibc keeps in its first word.
#[inline(always)]
pub fn thread_pointer() -> usize {
    let tcb: usize;
    // SAFETY: the x86-64 TLS ABI stores the thread pointer at fs:0.
    unsafe {
        asm!("mov {0}, qword ptr fs:[0]", out(reg) tcb,
            options(nostack, preserves_flags, readonly));
    }
    tcb
}

/// The calling thread's block. Before relocation, see [`offset`], its countdown is a spare word of
/// the TCB, and nothing else of it may be touched.
#[inline(always)]
pub fn current() -> &'static Tls {
    let address = thread_pointer().wrapping_add(offset());
    // SAFETY: initial-exec TLS is at that offset from the thread pointer for every thread, from its
    // first to its last instruction (ELF TLS ABI); `Tls` is valid when zero. 'static means "this
    // thread's lifetime": the reference is never passed to another thread.
    unsafe { &*(address as *const Tls) }
}

impl Tls {
    /// Enters our cold code: parks the countdown and marks the thread as busy. `None` when the
    /// thread is inside already: a signal handler allocates or frees while it interrupts that code.
    #[inline]
    pub fn enter(&'static self) -> Option<Guard> {
        if self.busy.load(Relaxed) != 0 {
            return None;
        }
        // A handler that comes between these two finds the thread outside and leaves it as it was.
        let before = self.countdown.swap(PARKED, Relaxed);
        compiler_fence(SeqCst);
        self.busy.store(1, Relaxed);
        Some(Guard {
            tls: self,
            before,
            rearm: before,
            float: FloatState::save(),
        })
    }

    /// As [`Tls::enter`], without a guard: from before a fork until [`Tls::after_fork`]. False when
    /// the fork comes from a signal handler that interrupted our cold code.
    pub fn before_fork(&self) -> bool {
        if self.busy.load(Relaxed) != 0 {
            return false;
        }
        self.before_fork
            .store(self.countdown.swap(PARKED, Relaxed), Relaxed);
        compiler_fence(SeqCst);
        self.busy.store(1, Relaxed);
        true
    }

    /// Ends a [`Tls::before_fork`] that returned true.
    pub fn after_fork(&self) {
        self.busy.store(0, Relaxed);
        compiler_fence(SeqCst);
        self.countdown
            .store(self.before_fork.load(Relaxed), Relaxed);
    }

    /// Is the thread inside our cold code?
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.busy.load(Relaxed) != 0
    }
}

/// Proof that this thread is inside our cold code. Dropping it arms the countdown.
pub struct Guard {
    tls: &'static Tls,
    before: u64,
    rearm: u64,
    float: FloatState,
}

impl Guard {
    /// What the countdown held when the thread entered.
    #[inline]
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Sets what the countdown will hold when the guard is dropped; without this, what it held
    /// before.
    #[inline]
    pub fn rearm(&mut self, countdown: u64) {
        self.rearm = countdown;
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        self.float.restore();
        self.tls.busy.store(0, Relaxed);
        // A handler that comes between these two parks and restores by itself.
        compiler_fence(SeqCst);
        self.tls.countdown.store(self.rearm, Relaxed);
    }
}

/// The program's floating-point control and status word. The program may have unmasked exceptions,
/// which our arithmetic would raise, and it may read the flags, which our arithmetic sets.
#[derive(Clone, Copy)]
pub struct FloatState(u32);

impl FloatState {
    /// All exceptions masked, rounding to nearest: the state a process starts with.
    const INITIAL: FloatState = FloatState(0x1f80);

    /// Saves the program's state and sets the initial one.
    #[inline]
    pub fn save() -> FloatState {
        let mut saved = FloatState(0);
        // SAFETY: stores MXCSR to a word of ours; Intel SDM 1, 10.2.3.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut saved.0, options(nostack)) };
        Self::INITIAL.restore();
        saved
    }

    /// Sets this state.
    #[inline]
    pub fn restore(self) {
        // SAFETY: loads a value that was stored by `save`, or is the initial one: no reserved bit.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const self.0, options(nostack)) };
    }
}

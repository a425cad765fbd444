//! The program's own sandbox: once it is up, no call of ours enters the kernel.
//!
//! A seccomp filter kills a thread that makes a call which it does not list, and ours are on no
//! program's list. So every call of the library passes [`outside`], which returns EPERM once the
//! sandbox is up. For most callers that is one more failure; callers that it would mislead ask
//! [`is_sandboxed`] first. Calls that wait in the kernel wait with a limit. Only the program's own
//! calls, and its end, bypass this.
//!
//! Once up, the sandbox stays up, for the process and its children, whichever thread has the
//! filter. The kernel's own rule is by thread, but a thread of ours without the filter would keep
//! rights that the program gave away. A filter that existed at our start is not known here: it is
//! part of the environment.
//!
//! Orderings: a call counts itself and then looks at the sandbox; the thread that raises it says so
//! and then looks for calls in progress. Sequential consistency makes one of them see the other
//! (Dekker).
//!
//! Source: seccomp(2).

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// Filters in force, and about to be. Written by [`raise_sandbox`] and, where the kernel refused,
/// by [`lower_sandbox`].
static FILTERS: AtomicU32 = AtomicU32::new(0);

/// Calls of ours in the kernel, or on their way. A fork's child may inherit a count that belongs to
/// no thread of it.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// The clock when the sandbox was raised: from then on it stands still. Written before [`FILTERS`].
static STILL_MS: AtomicU64 = AtomicU64::new(0);

/// Has a filter been installed that admits us? Written by [`note_filter`].
static KNOWN_FILTER: AtomicBool = AtomicBool::new(false);

/// Is every call of ours kept out of the kernel?
#[inline]
pub fn is_sandboxed() -> bool {
    FILTERS.load(Relaxed) != 0
}

/// No call of ours enters the kernel from here on.
pub fn raise_sandbox() {
    STILL_MS.store(super::monotonic_ms(), Relaxed);
    FILTERS.fetch_add(1, SeqCst);
}

/// The kernel refused the filter that the sandbox was raised for.
pub fn lower_sandbox() {
    FILTERS.fetch_sub(1, SeqCst);
}

/// Waits for a moment until no call of ours is in progress: a call that began before the sandbox
/// must not end inside it. Makes no call itself.
pub fn let_calls_end() {
    const LOOKS: u32 = 1 << 20;
    for _ in 0..LOOKS {
        if UNDER_WAY.load(SeqCst) == 0 {
            return;
        }
        core::hint::spin_loop();
    }
}

/// A filter is there that admits us.
pub fn note_filter() {
    KNOWN_FILTER.store(true, Relaxed);
}

/// Does the program have a filter that a hook has seen and that admits us?
pub fn has_known_filter() -> bool {
    KNOWN_FILTER.load(Relaxed)
}

/// The clock of a process whose clock must not be read: reading it may be a call.
pub(super) fn still_ms() -> Option<u64> {
    is_sandboxed().then(|| STILL_MS.load(Relaxed))
}

/// Makes `call`, or returns EPERM in a sandbox.
#[inline]
pub(super) fn outside(call: impl FnOnce() -> isize) -> isize {
    UNDER_WAY.fetch_add(1, SeqCst);
    let result = match FILTERS.load(SeqCst) {
        0 => call(),
        _ => -(libc::EPERM as isize),
    };
    UNDER_WAY.fetch_sub(1, SeqCst);
    result
}

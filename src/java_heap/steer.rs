//! What a user requests while the program runs: another period, sampling on or off, forgetting.
//!
//! The control socket (`watcher`) asks on its own thread, which may not enter the JVM. The helper's
//! thread then does the work here, under the right to sweep. The asking thread waits until that is
//! done or the waiting time is over. The work is done in any case while the JVM lives. Before the
//! JVM exists the request is kept, and `begin` meets it.

use core::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use core::sync::atomic::{AtomicU8, fence};

use super::ask::{self, Work};
use super::jni::{Jni, Object};
use super::jvmti::{Event, Jvmti};
use super::turn::Turn;
use super::{LIVE, MOST_LG_PERIOD, STACKS, has_ended, inside, is_open, thinning};
use crate::recorder;

/// The requested period, log2 plus one; 0: no request since the last one was met. Written by
/// [`set_lg_period`], taken by [`settle`].
static ASKED: AtomicU8 = AtomicU8::new(0);

/// Requests another mean of bytes between samples, as for malloc: for the gaps to come.
pub fn set_lg_period(lg_period: u8) {
    ASKED.store(lg_period.min(MOST_LG_PERIOD) + 1, Relaxed);
    follow();
}

/// Sampling was switched on or off (`recorder::switch`).
pub fn follow() {
    // Pairs with the fence in `begin`: either `begin` meets the request, or this thread sees the
    // JVM open.
    fence(SeqCst);
    ask::ask(Work::Settle);
}

/// Forgets all samples. The objects live on, unsampled.
pub fn reset() {
    if is_open() {
        ask::ask(Work::Forget);
    } else if has_ended() {
        // The references went with the JVM.
        inside(|| LIVE.clear());
        inside(|| STACKS.clear_totals());
    }
}

/// Makes the JVM sample as the last request says. On an attached thread.
pub fn settle(_turn: &mut Turn, jvmti: Jvmti) -> bool {
    // AcqRel: a request is met once; it publishes nothing else.
    if let Some(lg_period) = ASKED.swap(0, AcqRel).checked_sub(1) {
        thinning::set_period(jvmti, lg_period);
    }
    jvmti.let_through(Event::SampledObjectAlloc, recorder::is_on())
}

/// Forgets all samples, and gives their references back. On an attached thread.
pub fn forget(turn: &mut Turn, jni: Jni) {
    for weak in turn.references() {
        if let Some(Some(_)) = inside(|| LIVE.remove(*weak)) {
            jni.delete_weak(*weak as Object);
        }
    }
    inside(|| STACKS.clear_totals());
}

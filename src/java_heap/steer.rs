//! What a user asks for while the program runs: another period, sampling on or off, forgetting.
//!
//! The control (`trigger`) asks, on its own thread, which may not enter the JVM; the helper's thread
//! then does it here, under the right to sweep. Who asks waits until that is done or patience ends;
//! what was asked for is done in any case while the JVM lives. Before the JVM is there the wish is
//! kept, and `begin` meets it.

use core::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use core::sync::atomic::{AtomicU8, fence};

use super::ask::{self, Work};
use super::jni::{Jni, Object};
use super::jvmti::{Event, Jvmti};
use super::turn::Turn;
use super::{LIVE, MOST_LG_PERIOD, STACKS, has_ended, inside, is_open, thinning};
use crate::recorder;

/// The period asked for, log2 and one more; 0: none since the last was set. Written by
/// [`set_lg_period`], taken by [`settle`].
static ASKED: AtomicU8 = AtomicU8::new(0);

/// Another mean of bytes between samples, as for malloc: for the gaps to come.
pub fn set_lg_period(lg_period: u8) {
    ASKED.store(lg_period.min(MOST_LG_PERIOD) + 1, Relaxed);
    follow();
}

/// Sampling was switched on or off (`recorder::switch`).
pub fn follow() {
    // Pairs with the fence in `begin`: it meets what was asked for, or we see the JVM open.
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

/// Has the JVM sample as it was asked for last. On an attached thread.
pub fn settle(_turn: &mut Turn, jvmti: Jvmti) -> bool {
    // AcqRel: a wish is met once; it publishes nothing else.
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

//! The period with which the JVM drew the current gap of a thread: it decides how much the thread's
//! next sample stands for.
//!
//! Used at samples and at the start of threads, on the thread itself. The JVM draws a gap when the
//! one before ends, with the period of that moment, and the first gap when the thread is made. When
//! the period changes, each thread keeps the gap that it has. An object sampled at the end of that
//! gap was drawn with the old period, however long ago the change was. So each thread keeps its own
//! period. The JVM reads the period right after the callback. If it changes between our look and
//! the JVM's, one sample is recorded with the wrong period.
//!
//! Source: `threadHeapSampler.cpp` of JDK 11 to 25: a gap is drawn by the constructor, and after
//! the callback.

use core::sync::atomic::Ordering::Relaxed;

use super::LG_PERIOD;
use super::jni::{Interface, Object};
use crate::platform::tls;

/// The period with which the JVM draws until it is told otherwise: 512 KiB. Threads that existed
/// before us are in such a gap.
const FIRST_LG: u8 = 19;

/// log2 of the period of the gap that just ended on this thread.
pub fn ended() -> u8 {
    let kept = tls::current().java_gap.load(Relaxed);
    let lg = kept.checked_sub(1).and_then(|lg| u8::try_from(lg).ok());
    lg.unwrap_or(FIRST_LG)
}

/// The next gap of this thread begins.
pub fn begins() {
    let lg = u64::from(LG_PERIOD.load(Relaxed));
    // 0 means that nothing is known about the thread.
    tls::current().java_gap.store(lg + 1, Relaxed);
}

/// See `jvmti::OnThreadStart`.
pub unsafe extern "C" fn on_thread_start(_jvmti: Interface, _jni: Interface, _thread: Object) {
    begins();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_period_that_its_gap_began_with() {
        std::thread::spawn(|| {
            assert_eq!(ended(), FIRST_LG);
            for lg in [0, 14, 30] {
                LG_PERIOD.store(lg, Relaxed);
                begins();
                LG_PERIOD.store(17, Relaxed);
                assert_eq!(ended(), lg);
            }
        })
        .join()
        .expect("no panic");
    }
}

//! When a dump is due. Each trigger decides *when*, and hands the reason to the dumper.
//!
//! Called by `hooks::cold` after each sample, by `boot` with the configuration, and by the exit
//! handler. May take no table lock. Timer and memory limit have a thread (`watcher`), the signals
//! handlers (`user_signal`, `final_signal`); none exists unless it was asked for.
//!
//! `interval` follows jemalloc: bytes are added up at samples only, each thread's since its last
//! one, and several intervals crossed at once make one dump. `high water` here is a new maximum of
//! the estimated live bytes, by at least a twentieth, so that growth to any size makes a bounded
//! number of dumps.

mod control;
pub mod dumper;
pub mod exit;
mod final_signal;
mod memory_limit;
mod own_thread;
pub mod sandbox;
pub mod signals;
mod user_signal;
mod watcher;
mod worth;

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};

use crate::config::Config;
use crate::dump::Reason;
use crate::recorder::{self, LIVE};
use crate::sys;
use crate::tls::Guard;

/// Bytes between two interval dumps; 0 is off. Written by [`start`].
static INTERVAL: AtomicU64 = AtomicU64::new(0);

/// Bytes allocated since the last interval dump. Any sampling thread adds.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Dump on a new maximum? Written by [`start`].
static HIGH_WATER: AtomicBool = AtomicBool::new(false);

/// The maximum that was last dumped, in bytes. The thread that raises it makes the dump.
static PEAK: AtomicU64 = AtomicU64::new(0);

/// A maximum below this makes no dump: one sample would.
const LEAST_PEAK: u64 = 1 << 20;

/// Arms the triggers that the configuration asks for, in the process `pid`. Called by `boot` before sampling begins.
pub fn start(config: &'static Config, pid: u32) {
    dumper::start(config, pid);
    worth::start(config);
    sandbox::start(config);
    INTERVAL.store(config.interval_bytes().unwrap_or(0), Relaxed);
    HIGH_WATER.store(config.prof_gdump, Relaxed);
    watcher::arm(config);
    user_signal::start(config.prof_signal);
}

/// Starts what a program that shall be switched on later needs from the beginning. Called by `boot`
/// when all is set up, and in a fork's child.
pub fn begin() {
    worth::forget();
    if !recorder::is_on() && !sys::is_sandboxed() {
        watcher::ensure_control();
    }
}

/// All samples were forgotten: maxima and intervals count anew.
fn forget() {
    PEAK.store(0, Relaxed);
    ALLOCATED.store(0, Relaxed);
}

/// A sample was recorded, `bytes` after the thread's last one. The guard proves that the thread
/// is inside our code, so that nothing of what a dump does is sampled.
pub fn after_sample(_inside: &Guard, bytes: u64) {
    worth::sampled();
    let interval = INTERVAL.load(Relaxed);
    if interval != 0 && crosses(interval, bytes) {
        dumper::request(Reason::Interval);
    }
    if HIGH_WATER.load(Relaxed) && is_new_peak(LIVE.total_weighted_bytes()) {
        dumper::request(Reason::HighWater);
    }
    dumper::make_up();
    watcher::ensure();
}

fn crosses(interval: u64, bytes: u64) -> bool {
    let now = ALLOCATED.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    if now < interval {
        return false;
    }
    // Of the threads that cross together, the one that takes the intervals out makes the dump.
    ALLOCATED
        .compare_exchange(now, now % interval, Relaxed, Relaxed)
        .is_ok()
}

fn is_new_peak(live: u64) -> bool {
    let peak = PEAK.load(Relaxed);
    live >= LEAST_PEAK
        && live > peak.saturating_add(peak / 20)
        && PEAK.compare_exchange(peak, live, Relaxed, Relaxed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_crossed_together_make_one_dump() {
        ALLOCATED.store(0, Relaxed);
        assert!(!crosses(1000, 999));
        assert!(crosses(1000, 1));
        assert!(!crosses(1000, 500));
        assert!(crosses(1000, 2700), "three intervals at once");
        assert_eq!(
            ALLOCATED.load(Relaxed),
            200,
            "what is beyond counts for the next"
        );
    }

    #[test]
    fn a_peak_is_new_by_a_twentieth() {
        PEAK.store(0, Relaxed);
        assert!(!is_new_peak(LEAST_PEAK - 1));
        assert!(is_new_peak(LEAST_PEAK));
        assert!(!is_new_peak(LEAST_PEAK + LEAST_PEAK / 20));
        assert!(is_new_peak(LEAST_PEAK + LEAST_PEAK / 20 + 1));
        assert!(!is_new_peak(LEAST_PEAK), "falling is no maximum");
    }
}

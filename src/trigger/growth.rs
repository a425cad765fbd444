//! Dumps by how much the program has allocated (`lg_prof_interval`) and by how much is live
//! (`prof_gdump`).
//!
//! `interval` follows jemalloc. Bytes are added up at samples only: each sample adds what its
//! thread allocated since that thread's last sample. Several intervals crossed at once make one
//! dump. `high water` means here a new maximum of the estimated live bytes, larger by at least a
//! twentieth. So growth to any size makes a limited number of dumps.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use crate::config::Config;
use crate::dump::Reason;
use crate::dumper;
use crate::js_heap;
use crate::recorder::{self, LIVE, OBJECTS};

/// Bytes between two interval dumps; 0 is off. Written by [`start`].
static INTERVAL: AtomicU64 = AtomicU64::new(0);

/// Bytes allocated since the last interval dump. Every sampling thread adds to it.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Dump on a new maximum? Written by [`start`], and by the program.
static HIGH_WATER: AtomicBool = AtomicBool::new(false);

/// The maximum that was last dumped, in bytes. The thread that raises it makes the dump.
static PEAK: AtomicU64 = AtomicU64::new(0);

/// A maximum below this makes no dump, because a single sample could reach it.
const LEAST_PEAK: u64 = 1 << 20;

/// How many times all samples had been forgotten when the bytes above began to count. Written by
/// the thread that finds a larger number.
static FORGOTTEN: AtomicU32 = AtomicU32::new(0);

/// Notes what the configuration asks for.
pub fn start(config: &Config) {
    INTERVAL.store(config.interval_bytes().unwrap_or(0), Relaxed);
    HIGH_WATER.store(config.prof_gdump, Relaxed);
}

/// Are new maxima dumped?
pub fn dumps_peaks() -> bool {
    HIGH_WATER.load(Relaxed)
}

/// Shall they be? Returns what was so before.
pub fn dump_peaks(wanted: bool) -> bool {
    HIGH_WATER.swap(wanted, Relaxed)
}

/// A sample was recorded, `bytes` after the thread's last one.
pub fn after_sample(bytes: u64) {
    let interval = INTERVAL.load(Relaxed);
    let by_peak = HIGH_WATER.load(Relaxed);
    if interval == 0 && !by_peak {
        return;
    }
    begin_anew(recorder::resets());
    if interval != 0 && crosses(interval, bytes) {
        dumper::request(Reason::Interval);
    }
    if by_peak {
        dump_peak(live());
    }
}

/// Dumps a new maximum. One that comes while another dump is being written counts as not seen, so
/// the next sample asks again: the last dump may otherwise be from far below the maximum.
fn dump_peak(live: u64) {
    let before = PEAK.load(Relaxed);
    if is_new_peak(live) && !dumper::request(Reason::HighWater) {
        PEAK.store(before, Relaxed);
    }
}

/// What is live of all that is sampled as it is allocated or collected.
fn live() -> u64 {
    let tables = [&LIVE, &OBJECTS, &js_heap::LIVE];
    tables
        .map(|table| table.total_weighted_bytes())
        .iter()
        .sum()
}

/// After all samples were forgotten, maxima and intervals start at zero again.
fn begin_anew(resets: u32) {
    if FORGOTTEN.load(Relaxed) != resets && FORGOTTEN.swap(resets, Relaxed) != resets {
        PEAK.store(0, Relaxed);
        ALLOCATED.store(0, Relaxed);
    }
}

fn crosses(interval: u64, bytes: u64) -> bool {
    let now = ALLOCATED.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    if now < interval {
        return false;
    }
    // When several threads cross an interval together, the thread that subtracts it makes the dump.
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

//! A thread of ours that stays: it acts while the program allocates nothing.
//!
//! It serves the timer, the memory limit, the control socket and `final_signal`. Without these
//! options there is no watcher. It starts at the first sample, not before: a process that allocates
//! almost nothing has nothing to dump, and small programs around the one that matters (`unshare`,
//! shells) stay without a second thread. Only where sampling waits for control to switch it on does
//! it start at once. A child of a fork starts its own watcher in the same way.
//!
//! `own_thread` describes what kind of thread it is. It lives long, so it checks at each turn
//! whether it still may run. It ends the process when all threads of the program are gone. It ends
//! itself when the program has given away rights that the watcher took over; the next sample then
//! starts another, with the rights that are left. It ends for good when the program goes into a
//! sandbox, and where this cannot be checked for lack of `/proc` (a daemon's chroot). It holds no
//! descriptor of the program, not even 0 to 2: a process that waits for their end would wait for
//! us.

mod control;
mod memory_limit;

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use crate::config::{self, Config};
use crate::diag::{self, Counter};
use crate::dump::Reason;
use crate::dumper::own_thread::{self, FREE, Place};
use crate::dumper::{self, Outcome, final_signal};
use crate::platform::process::{self, Standing, pressure};
use crate::platform::scratch::Scratch;
use crate::{platform::sys, recorder, remark};
use control::Server;
use memory_limit::Watch;

/// The watcher's place: tells whether it runs.
static WATCHER: Place = Place::new();

/// Is a watcher wanted? Written by [`arm`], and by the thread that finds that there can be none.
static WANTED: AtomicBool = AtomicBool::new(false);

/// The process of the watcher. After a fork the place may stand for a thread that exists in the
/// parent only. Written by the thread that starts a watcher.
static PID: AtomicU32 = AtomicU32::new(0);

/// When the next attempt to start one may be made, by the monotonic clock; 0: at once. Written by a
/// thread that could not start one.
static NOT_BEFORE: AtomicU64 = AtomicU64::new(0);

/// The watcher sleeps on this: how often a watcher was told to end. Written by [`leave`].
static SLEEP: AtomicU32 = AtomicU32::new(0);

/// Longest nap: for this long a thread of ours may have rights that the program has given away.
const LONGEST_NAP_MS: u64 = 1_000;

/// Time between two attempts to start it.
const RETRY_MS: u64 = 5_000;

/// The options that have no effect then.
const IDLE: &str = "prof_timer, prof_memory_limit, prof_final_signal and prof_control do nothing";

/// Why there is no watcher where rights and threads cannot be checked.
const WITHOUT_PROC: &str = "there is no /proc here";

/// Room for what is read from `/proc`.
const BUFFER: usize = 16 << 10;

/// Notes whether a watcher is wanted.
pub fn arm(config: &Config) {
    let by_clock = config.prof_timer != 0 || config.prof_memory_limit != 0;
    let wanted = by_clock || config.prof_control || config.prof_final_signal;
    WANTED.store(wanted, Relaxed);
}

/// Tells a running watcher to end; the next sample may start another.
pub fn leave() {
    SLEEP.fetch_add(1, Relaxed);
    sys::futex_wake(&SLEEP, 1);
}

/// Waits until there is no watcher, at most until `deadline_ms`; returns whether there is none.
pub fn wait_until_gone(deadline_ms: u64) -> bool {
    loop {
        // Acquire: pairs with the kernel's clearing.
        let word = WATCHER.word.load(Acquire);
        let left = deadline_ms.saturating_sub(sys::monotonic_ms());
        if word == FREE || PID.load(Relaxed) != recorder::pid() {
            return true;
        }
        if left == 0 {
            return false;
        }
        sys::wait_for_thread(&WATCHER.word, word, left);
    }
}

/// As [`ensure`], where only control can wake the profiler.
pub fn ensure_control() {
    if config::current().is_some_and(|config| config.prof_control) {
        ensure();
    }
}

/// Starts the watcher if one is wanted and there is none. Runs at each sample.
#[inline]
pub fn ensure() {
    if WANTED.load(Relaxed) {
        start_if_missing();
    }
}

#[inline(never)]
fn start_if_missing() {
    let ours = recorder::pid();
    // Acquire: pairs with the kernel's clearing.
    let is_there = WATCHER.word.load(Acquire) != FREE && PID.load(Relaxed) == ours;
    // A vfork child shares our memory and is another process.
    if is_there || sys::is_sandboxed() || sys::getpid().unsigned_abs() != ours {
        return;
    }
    if PID.swap(ours, Relaxed) != ours {
        WATCHER.word.store(FREE, Relaxed);
    }
    if sys::monotonic_ms() < NOT_BEFORE.load(Relaxed) || !WATCHER.try_take() {
        return;
    }
    if WATCHER.start(run).is_none() {
        put_off();
        // Release: pairs with the acquire of the next thread that takes it.
        WATCHER.word.store(FREE, Release);
    }
}

/// No thread can be made now: a limit on processes may be reached for the moment.
fn put_off() {
    let was = NOT_BEFORE.swap(sys::monotonic_ms() + RETRY_MS, Relaxed);
    diag::count(Counter::WatcherRefused);
    if was == 0 {
        remark::note(&[
            "no thread can be started: ",
            IDLE,
            "; another attempt every 5 s",
        ]);
    }
}

/// There is no watcher, and there will be none.
fn give_up(reason: &str) {
    WANTED.store(false, Relaxed);
    diag::count(Counter::WatcherRefused);
    remark::note(&[reason, ": ", IDLE]);
}

/// The watcher's thread.
extern "C" fn run() {
    let turn = SLEEP.load(Relaxed);
    own_thread::settle(3, c"malloscope");
    let (Some(config), Some(mut buffer)) = (config::current(), Scratch::map(BUFFER)) else {
        return diag::count(Counter::WatcherRefused);
    };
    if process::standing() == Standing::Unknown {
        return give_up(WITHOUT_PROC);
    }
    let server = config.prof_control.then(Server::open).flatten();
    for standard in 0..3 {
        sys::close(standard);
    }
    let mut duties = Duties::of(config);
    while SLEEP.load(Relaxed) == turn && !sys::is_sandboxed() {
        match process::standing() {
            Standing::Same => {}
            Standing::OtherRights => return,
            Standing::OtherFilter if sys::has_known_filter() => {}
            // By a system call that did not go through our hooks.
            Standing::OtherFilter => return sys::raise_sandbox(),
            Standing::Unknown => return give_up(WITHOUT_PROC),
        }
        if let Some(status) = process::deserted_with() {
            sys::exit_group(status);
        }
        let nap = duties.attend(sys::monotonic_ms(), buffer.bytes());
        let nap = nap.clamp(1, LONGEST_NAP_MS);
        let until = sys::monotonic_ms() + nap;
        if let Some(server) = &server {
            server.serve_until(until);
        }
        let left = until.saturating_sub(sys::monotonic_ms());
        if left != 0 {
            sys::futex_wait_for(&SLEEP, turn, left);
        }
    }
}

/// What the watcher serves.
struct Duties {
    timer: Option<Timer>,
    memory: Option<Watch>,
    /// When the signals that end the program are handled.
    signals_ms: Option<u64>,
}

impl Duties {
    fn of(config: &Config) -> Duties {
        let percent = config.prof_memory_limit;
        Duties {
            timer: Timer::every(config.prof_timer, sys::monotonic_ms()),
            memory: (percent != 0).then(|| Watch::new(percent)),
            signals_ms: config
                .prof_final_signal
                .then(|| sys::monotonic_ms() + final_signal::DELAY_MS),
        }
    }

    /// Does what is due; returns the milliseconds until the next look.
    fn attend(&mut self, now_ms: u64, buffer: &mut [u8]) -> u64 {
        let mut nap = LONGEST_NAP_MS;
        if self.signals_ms.is_some_and(|due| due <= now_ms) {
            self.signals_ms = None;
            final_signal::start();
        }
        final_signal::carry_out_late();
        if let Some(timer) = &mut self.timer {
            if timer.is_due(now_ms) {
                dumper::write_here(Reason::Timer, &mut |_| ());
            }
            nap = nap.min(timer.left_ms(sys::monotonic_ms()));
        }
        if let Some(watch) = &mut self.memory
            && let Some(pressure) = pressure::highest(buffer)
        {
            let written = watch
                .is_due(now_ms, pressure)
                .then(|| dumper::write_here(Reason::MemoryLimit, &mut |_| ()));
            // A dump that failed is not tried again at once; one that met another dump in progress
            // is.
            if !matches!(written, None | Some(Outcome::Busy)) {
                watch.dumped(pressure);
            }
            nap = nap.min(watch.nap_ms(pressure));
        }
        nap
    }
}

/// Goes off at equal distances; missed times are not made up for.
struct Timer {
    period_ms: u64,
    next_ms: u64,
}

impl Timer {
    fn every(seconds: u32, now_ms: u64) -> Option<Timer> {
        let period_ms = u64::from(seconds) * 1000;
        (seconds != 0).then_some(Timer {
            period_ms,
            next_ms: now_ms + period_ms,
        })
    }

    fn is_due(&mut self, now_ms: u64) -> bool {
        let late_ms = now_ms.checked_sub(self.next_ms);
        if let Some(late_ms) = late_ms {
            self.next_ms += (late_ms / self.period_ms + 1) * self.period_ms;
        }
        late_ms.is_some()
    }

    fn left_ms(&self, now_ms: u64) -> u64 {
        self.next_ms.saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_keeps_its_pace_and_makes_nothing_up() {
        let mut timer = Timer::every(2, 1000).expect("a timer");
        assert!(!timer.is_due(2999));
        assert_eq!(timer.left_ms(2999), 1);
        assert!(timer.is_due(3100));
        assert_eq!(timer.left_ms(3100), 1900);
        assert!(timer.is_due(9500), "three were missed");
        assert!(!timer.is_due(10_999));
        assert!(timer.is_due(11_000));
        assert!(Timer::every(0, 0).is_none());
    }
}

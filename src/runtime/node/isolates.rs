//! The isolates (engine instances, one for the main thread and one for each worker) of this
//! process, and how far each is known.
//!
//! ```text
//! sample -> ASKED -> helper -> REQUESTED -> V8 -> OPEN -> clean-up hook -> ENDED
//! ```
//!
//! A request to V8 takes a lock of V8 and allocates, so it is made by the helper, and never by the
//! thread that is inside malloc. But the isolate must live until the request is made. So the thread
//! that notices it waits: it is inside a call of running JavaScript, and while it stands there the
//! isolate cannot end. The wait happens once for each isolate and lasts some microseconds. If the
//! helper gets no processor for 20 ms, the question is withdrawn, and a later sample asks
//! again. The helper holds no lock of ours, and needs none that a thread holds that waits here: V8
//! does not run JavaScript, which is asked for, under that lock.
//!
//! Statics are written as the diagram says. SeqCst throughout: these are rare.

use core::ops::Range;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use super::ask;
use crate::platform::sys;

/// Isolates that are known at once. More stay without names.
pub const MOST: usize = 64;

/// Nothing, or what is left of an isolate that ended.
const FREE: u32 = 0;
const ASKED: u32 = 1;
/// The helper has taken the question, and will answer it whatever happens.
const TAKEN: u32 = 2;
const REQUESTED: u32 = 3;
/// V8 tells us of its code.
const OPEN: u32 = 4;
/// Its environment ended. Its code keeps its names while it lasts.
const ENDED: u32 = 5;
/// Open, and the helper asks for another interrupt of it. Its end waits meanwhile.
const REMINDED: u32 = 6;

/// How long a noticing thread waits for the helper to begin, and then for it to finish.
const PATIENCE_MS: u64 = 20;
const PATIENCE_TAKEN_MS: u64 = 1_000;

/// An isolate whose request was not served for this long is asked for again: it may be another one
/// at the same address. The same holds for one that ended.
const STALE_MS: u64 = 1_000;

/// Time between two attempts, if one was in vain.
const REST_MS: u64 = 20;

/// A place for an isolate.
pub struct Isolate {
    at: AtomicU64,
    state: AtomicU32,
    /// The number that its code has in the code map; a new one each time.
    owner: AtomicU32,
    /// When it was asked for, by the recorder's clock.
    since_ms: AtomicU64,
    /// Where its builtins are. Written before it is open.
    builtins: [AtomicU64; 2],
    /// Is another look at it wanted? Written by the thread that wants it, taken by the helper.
    look: AtomicBool,
}

static ISOLATES: [Isolate; MOST] = [const {
    Isolate {
        at: AtomicU64::new(0),
        state: AtomicU32::new(FREE),
        owner: AtomicU32::new(0),
        since_ms: AtomicU64::new(0),
        builtins: [const { AtomicU64::new(0) }; 2],
        look: AtomicBool::new(false),
    }
}; MOST];

/// Places used so far. Written by the thread that takes a place.
static USED: AtomicU32 = AtomicU32::new(0);

/// The last number of an isolate. Written by the thread that takes a place.
static LAST_OWNER: AtomicU32 = AtomicU32::new(0);

/// No attempt before this time. Written after one in vain.
static NOT_BEFORE_MS: AtomicU64 = AtomicU64::new(0);

fn used() -> impl Iterator<Item = &'static Isolate> {
    ISOLATES.iter().take(USED.load(SeqCst) as usize)
}

fn find(at: u64) -> Option<&'static Isolate> {
    used().find(|isolate| isolate.at.load(Relaxed) == at)
}

/// The isolate at `at`, if its code is known or becomes known.
pub fn known(at: u64) -> Option<&'static Isolate> {
    let is_known = |isolate: &&Isolate| {
        matches!(isolate.state.load(SeqCst), OPEN | REMINDED | ENDED)
    };
    find(at).filter(is_known)
}

/// Must the isolate at `at` be noticed?
pub fn is_new(at: u64, now_ms: u64) -> bool {
    let Some(isolate) = find(at) else {
        return now_ms >= NOT_BEFORE_MS.load(Relaxed);
    };
    let age_ms = now_ms.saturating_sub(isolate.since_ms.load(Relaxed));
    match isolate.state.load(SeqCst) {
        FREE => now_ms >= NOT_BEFORE_MS.load(Relaxed),
        REQUESTED | ENDED => age_ms >= STALE_MS,
        _ => false,
    }
}

/// Asks V8 for an interrupt of the isolate at `at`, in which the calling thread runs JavaScript.
pub fn notice(at: u64, now_ms: u64) {
    if sys::is_sandboxed() || !ask::runs_here() {
        return;
    }
    let Some(isolate) = place(at) else {
        NOT_BEFORE_MS.store(now_ms + STALE_MS, Relaxed);
        return;
    };
    isolate.since_ms.store(now_ms, Relaxed);
    isolate.state.store(ASKED, SeqCst);
    ask::wake();
    wait_while(isolate, ASKED, PATIENCE_MS);
    let withdrawn = isolate.state.compare_exchange(ASKED, FREE, SeqCst, SeqCst);
    if withdrawn.is_ok() {
        NOT_BEFORE_MS.store(now_ms + REST_MS, Relaxed);
        return;
    }
    wait_while(isolate, TAKEN, PATIENCE_TAKEN_MS);
}

fn wait_while(isolate: &'static Isolate, state: u32, most_ms: u64) {
    let deadline = sys::monotonic_ms() + most_ms;
    while isolate.state.load(SeqCst) == state {
        let left = deadline.saturating_sub(sys::monotonic_ms());
        if left == 0 {
            return;
        }
        sys::futex_wait_for(&isolate.state, state, left);
    }
}

/// The place of the isolate at `at`, which is this thread's: the one it has, or a free one.
fn place(at: u64) -> Option<&'static Isolate> {
    if let Some(isolate) = find(at) {
        return Some(isolate);
    }
    let is_over = |isolate: &&Isolate| matches!(isolate.state.load(SeqCst), FREE | ENDED);
    let take = |isolate: &'static Isolate, known: u64| {
        let taken = isolate.at.compare_exchange(known, at, SeqCst, SeqCst);
        taken.is_ok().then_some(isolate)
    };
    if let Some(isolate) = ISOLATES.get(USED.load(SeqCst) as usize)
        && let Some(isolate) = take(isolate, 0)
    {
        USED.fetch_add(1, SeqCst);
        return Some(isolate);
    }
    used()
        .filter(is_over)
        .find_map(|isolate| take(isolate, isolate.at.load(SeqCst)))
}

/// Answers all questions by `request`, which gets an isolate and its place. On the helper's thread.
pub fn answer(request: &mut dyn FnMut(u64, &'static Isolate)) {
    for isolate in used() {
        let taken = isolate.state.compare_exchange(ASKED, TAKEN, SeqCst, SeqCst);
        if taken.is_err() {
            continue;
        }
        request(isolate.at.load(SeqCst), isolate);
        // It may be open already.
        let _ = isolate.state.compare_exchange(TAKEN, REQUESTED, SeqCst, SeqCst);
        sys::futex_wake(&isolate.state, u32::MAX >> 1);
    }
}

/// Wants another look at each open isolate for which `wanted`, which gets its place's number, is
/// true. Returns how many there are.
pub fn want_look(wanted: &dyn Fn(usize) -> bool) -> usize {
    let mut count = 0;
    for (number, isolate) in used().enumerate() {
        if isolate.state.load(SeqCst) == OPEN && wanted(number) {
            isolate.look.store(true, SeqCst);
            count += 1;
        }
    }
    if count != 0 && ask::runs_here() {
        ask::wake();
    }
    count
}

/// Passes on all wishes for a look by `request`, which gets an isolate and its place. On the
/// helper's thread. The isolate lives until `request` returns: its end waits.
pub fn remind(request: &mut dyn FnMut(u64, &'static Isolate)) {
    for isolate in used() {
        if !isolate.look.swap(false, SeqCst) {
            continue;
        }
        let taken = isolate.state.compare_exchange(OPEN, REMINDED, SeqCst, SeqCst);
        if taken.is_ok() {
            request(isolate.at.load(SeqCst), isolate);
            isolate.enter(OPEN);
        }
    }
}

impl Isolate {
    /// The number of its place.
    pub fn number(&self) -> usize {
        let distance = core::ptr::from_ref(self) as usize - ISOLATES.as_ptr() as usize;
        distance / size_of::<Isolate>()
    }

    /// Is it open, and at `at`?
    pub fn is_open(&self, at: u64) -> bool {
        matches!(self.state.load(SeqCst), OPEN | REMINDED) && self.at.load(SeqCst) == at
    }

    /// Is `pc` in one of its builtins?
    pub fn is_builtin(&self, pc: u64) -> bool {
        let [low, high] = &self.builtins;
        (low.load(Relaxed)..high.load(Relaxed)).contains(&pc)
    }

    /// The number of its code and objects.
    pub fn owner(&self) -> u32 {
        self.owner.load(SeqCst)
    }

    /// Is it the place of the isolate at `at`, whose request is now served?
    pub fn is_asked(&self, at: u64) -> bool {
        let is_asked = matches!(self.state.load(SeqCst), TAKEN | REQUESTED);
        is_asked && self.at.load(SeqCst) == at
    }

    /// Its code becomes known from now on, under a new number; `builtins` is where its builtins are.
    pub fn open(&self, builtins: &Range<u64>) {
        let [low, high] = &self.builtins;
        low.store(builtins.start, Relaxed);
        high.store(builtins.end, Relaxed);
        self.owner.store(LAST_OWNER.fetch_add(1, SeqCst) + 1, SeqCst);
        self.enter(OPEN);
    }

    /// There is nothing to be known of it yet: a later sample asks again.
    pub fn not_yet(&self) {
        self.enter(FREE);
    }

    /// Its environment ended; returns whether its code was known.
    pub fn end(&'static self) -> bool {
        loop {
            match self.state.compare_exchange(OPEN, ENDED, SeqCst, SeqCst) {
                Err(REMINDED) => wait_while(self, REMINDED, PATIENCE_TAKEN_MS),
                ended => return ended.is_ok(),
            }
        }
    }

    /// Its address.
    pub fn at(&self) -> u64 {
        self.at.load(SeqCst)
    }

    fn enter(&self, state: u32) {
        self.state.store(state, SeqCst);
        sys::futex_wake(&self.state, u32::MAX >> 1);
    }
}

/// Forgets all isolates. For a child of a fork that ran no handlers.
pub fn abandon() {
    for isolate in &ISOLATES {
        isolate.at.store(0, Relaxed);
        isolate.state.store(FREE, Relaxed);
    }
    USED.store(0, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolate_is_new_once() {
        let at = 0x5550_0000;
        assert!(is_new(at, 5));
        let isolate = place(at).expect("room");
        isolate.since_ms.store(5, SeqCst);
        isolate.state.store(ASKED, SeqCst);
        assert!(!is_new(at, 9) && known(at).is_none());
        answer(&mut |asked, place| {
            assert_eq!(asked, at);
            assert!(place.is_asked(at) && !place.is_asked(at + 8));
        });
        assert_eq!(isolate.state.load(SeqCst), REQUESTED);
        assert!(!is_new(at, 9));
        assert!(is_new(at, 5 + STALE_MS), "never served");
        isolate.open(&(16..32));
        let owner = || known(at).map(Isolate::owner);
        let first = owner().expect("open");
        assert!(isolate.is_builtin(16) && !isolate.is_builtin(32));
        assert_eq!(want_look(&|number| number == isolate.number()), 1);
        let mut looks = 0;
        remind(&mut |reminded, place| {
            assert!(reminded == at && place.is_open(at) && owner() == Some(first));
            looks += 1;
        });
        remind(&mut |_, _| looks += 1);
        assert_eq!(looks, 1);
        assert!(!is_new(at, 5 + STALE_MS));
        assert!(isolate.end() && !isolate.end());
        assert_eq!(owner(), Some(first), "its code still has names");
        isolate.open(&(16..32));
        assert_ne!(owner(), Some(first), "another isolate at its address");
        isolate.not_yet();
        assert!(known(at).is_none() && is_new(at, 9));
    }
}

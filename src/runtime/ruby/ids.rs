//! The names of methods that are written in C: a frame has their number, and the text is behind
//! Ruby's VM lock.
//!
//! A sample interns such a frame with its number in place of the name, and notes the number here. A
//! job of ours looks the text up, on a thread that may take the lock. A dump puts the text in the
//! place of the number. The number of a method's name never changes and is never used again. No
//! lock is taken: a slot is taken once, and its text is stored once.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};

use crate::platform::decimal::Decimal;
use crate::table::arena;

/// Numbers that are told apart: a program calls some hundred methods in C that allocate.
const MOST: usize = 2048;

/// A number may be in one of this many slots.
const PROBES: usize = 16;

/// Longest name.
const LONGEST: usize = 255;

/// The beginning of a name that is a number. No method's name has this byte.
const MARK: u8 = 1;

/// What stands in a dump for a name that no job has looked up.
const UNKNOWN: &[u8] = b"(C method)";

struct Slot {
    /// 0: free. Taken once by a sample.
    id: AtomicU64,
    /// Length and text, in the arena; null until a job stores it, with Release.
    text: AtomicPtr<u8>,
}

/// All numbers met. Written by samples and jobs.
static SLOTS: [Slot; MOST] = [const {
    Slot {
        id: AtomicU64::new(0),
        text: AtomicPtr::new(core::ptr::null_mut()),
    }
}; MOST];

/// Numbers without a text. Added to by samples, taken by the job. Relaxed: a job that misses one
/// finds it the next time.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Does a number wait for its name?
pub fn is_any_waiting() -> bool {
    WAITING.load(Relaxed) != 0
}

fn slots(id: u64) -> impl Iterator<Item = &'static Slot> {
    // Fibonacci hashing, as in `live_table`.
    let start = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
    (0..PROBES).filter_map(move |step| SLOTS.get(start.wrapping_add(step) % MOST))
}

/// Notes the number, and puts the name under which its frame is interned into `to`.
pub fn note(id: u64, to: &mut Placeholder) -> &[u8] {
    for slot in slots(id) {
        match slot.id.compare_exchange(0, id, Relaxed, Relaxed) {
            Ok(_) => {
                WAITING.fetch_add(1, Relaxed);
                break;
            }
            Err(known) if known == id => break,
            Err(_) => {}
        }
    }
    to.write(id)
}

/// Gives each number that waits the name that `look_up` has for it: terminated text, or null.
///
/// # Safety
/// What `look_up` returns can be read until it is called again.
pub unsafe fn resolve(look_up: &dyn Fn(u64) -> *const u8) {
    WAITING.store(0, Relaxed);
    for slot in &SLOTS {
        let id = slot.id.load(Relaxed);
        if id == 0 || !slot.text.load(Relaxed).is_null() {
            continue;
        }
        let text = look_up(id);
        if text.is_null() {
            continue;
        }
        // SAFETY: as the caller promises.
        if let Some(kept) = unsafe { keep(text) } {
            // Release: pairs with the acquire in `name`.
            slot.text.store(kept, Release);
        }
    }
}

/// A copy with its length in front.
///
/// # Safety
/// `text` is terminated and can be read.
unsafe fn keep(text: *const u8) -> Option<*mut u8> {
    // SAFETY: as the caller promises; reading ends at the terminator.
    let length = unsafe { (0..LONGEST).take_while(|at| *text.add(*at) != 0).count() };
    let place = arena::alloc(Layout::from_size_align(length + 1, 1).ok()?)?.as_ptr();
    // SAFETY: a fresh piece with room for a byte and the text.
    unsafe {
        place.write(length as u8);
        place.add(1).copy_from_nonoverlapping(text, length);
    }
    Some(place)
}

/// The name of a Ruby frame as a dump shows it.
pub fn name(interned: &[u8]) -> &[u8] {
    let Some((&MARK, digits)) = interned.split_first() else {
        return interned;
    };
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = u64::from(digit.checked_sub(b'0')?);
        number.checked_mul(10)?.checked_add(digit)
    });
    let known = number.and_then(|id| slots(id).find(|slot| slot.id.load(Relaxed) == id));
    // Acquire: pairs with the release in `resolve`.
    let text = known.map_or(core::ptr::null_mut(), |slot| slot.text.load(Acquire));
    if text.is_null() {
        return UNKNOWN;
    }
    // SAFETY: made by `keep`, complete, never freed.
    unsafe { core::slice::from_raw_parts(text.add(1), usize::from(*text)) }
}

/// Room for the name of a number.
pub struct Placeholder([u8; 24]);

impl Placeholder {
    /// Empty.
    pub const fn new() -> Placeholder {
        Placeholder([0; 24])
    }

    fn write(&mut self, id: u64) -> &[u8] {
        let number = Decimal::new(id);
        let digits = number.as_str().as_bytes();
        for (place, digit) in self.0.iter_mut().zip([MARK].iter().chain(digits)) {
            *place = *digit;
        }
        self.0.get(..=digits.len()).unwrap_or_default()
    }
}

impl Default for Placeholder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gets_its_name_when_a_job_has_looked() {
        let mut place = Placeholder::new();
        let interned = note(3_121_217, &mut place).to_vec();
        assert!(is_any_waiting());
        assert_eq!(name(&interned), UNKNOWN);
        let look_up = |id: u64| match id {
            3_121_217 => c"each_with_index".as_ptr().cast(),
            _ => core::ptr::null(),
        };
        // SAFETY: a constant.
        unsafe { resolve(&look_up) };
        assert_eq!(name(&interned), b"each_with_index");
        assert_eq!(note(3_121_217, &mut place), interned);
        assert_eq!(name(b"each"), b"each");
        assert_eq!(name(b"\x01nonsense"), UNKNOWN);
    }
}

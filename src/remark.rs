//! What the user must be told about this process, and what is not an error of the configuration:
//! that something else is its allocator, that a thread could not be started. stderr is the host's,
//! and a program's starter may keep what it prints. So a remark is kept here, for the dump and for
//! `status`.
//!
//! It is printed only with `confirm_conf`, and appended to a file with `prof_remarks`: `malloscope
//! run` reads there about processes that write no dump. For cold rooms, in any thread, also before
//! the program runs. It takes no lock: a slot is taken once and never given back, so a child may
//! inherit half a remark, which is never shown.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32};

use crate::config;
use crate::{
    diag,
    platform::{process, sys},
};

/// Longest remark; the rest is cut off.
pub const LONGEST: usize = 200;

/// The most remarks that are kept.
const MOST: usize = 8;

/// The states of a slot, above its length: being written, and complete.
const TAKEN: u32 = 1 << 16;
const WHOLE: u32 = 1 << 17;

/// The end of the file's name.
const NAME: &[u8] = b".remarks\0";

struct Slot {
    state: AtomicU32,
    text: [AtomicU8; LONGEST],
}

/// The remarks, in order. Written by any thread; a slot's state is stored with release when its
/// text is complete, and loaded with acquire before the text is read.
static REMARKS: [Slot; MOST] = [const {
    Slot {
        state: AtomicU32::new(0),
        text: [const { AtomicU8::new(0) }; LONGEST],
    }
}; MOST];

/// Keeps the remark that `parts` make together, once.
pub fn note(parts: &[&str]) {
    let mut bytes: [&[u8]; diag::MESSAGE_PARTS] = [b""; diag::MESSAGE_PARTS];
    for (slot, part) in bytes.iter_mut().zip(parts) {
        *slot = part.as_bytes();
    }
    note_bytes(&bytes);
}

/// As [`note`], for text that came from outside and need not be UTF-8.
pub fn note_bytes(parts: &[&[u8]]) {
    let mut text = [0; LONGEST];
    let mut length = 0;
    for (place, byte) in text.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = *byte;
        length += 1;
    }
    let text = text.get(..length).unwrap_or_default();
    let is_new = keep(text);
    if let Some(config) = config::current().filter(|_| is_new) {
        if config.confirm_conf {
            diag::message_bytes(&[text]);
        }
        append(config, text);
    }
}

/// False when the remark exists already, or there is no room.
fn keep(text: &[u8]) -> bool {
    for slot in &REMARKS {
        let free = slot.state.compare_exchange(0, TAKEN, Relaxed, Acquire);
        if free.is_ok() {
            for (place, byte) in slot.text.iter().zip(text) {
                place.store(*byte, Relaxed);
            }
            // Release: pairs with the acquire of the thread that reads the text.
            slot.state.store(WHOLE | text.len() as u32, Release);
            return true;
        }
        if slot.is(text) {
            return false;
        }
    }
    false
}

impl Slot {
    /// The length of a text that is complete.
    fn length(&self) -> Option<usize> {
        // Acquire: pairs with the release in `keep`.
        let state = self.state.load(Acquire);
        (state & WHOLE != 0).then_some((state & !WHOLE) as usize)
    }

    fn is(&self, text: &[u8]) -> bool {
        let same = |(place, byte): (&AtomicU8, &u8)| place.load(Relaxed) == *byte;
        self.length() == Some(text.len()) && self.text.iter().zip(text).all(same)
    }
}

/// Calls `f` with each remark.
pub fn for_each(f: &mut dyn FnMut(&[u8])) {
    for slot in &REMARKS {
        let Some(length) = slot.length() else {
            continue;
        };
        let mut text = [0; LONGEST];
        for (byte, place) in text.iter_mut().zip(&slot.text) {
            *byte = place.load(Relaxed);
        }
        f(text.get(..length).unwrap_or_default());
    }
}

/// Appends a line to the file of `prof_remarks`: the process, its program, the remark. One write,
/// so that the lines of processes stay whole. If the file cannot be written, no message says so.
/// The stack may be the program's, and small: the path gets pages of its own.
fn append(config: &config::Config, text: &[u8]) {
    let prefix = config.prof_prefix.as_bytes();
    let length = prefix.len() + NAME.len();
    if !config.prof_remarks || prefix.is_empty() {
        return;
    }
    let Some(page) = sys::mmap_anon(length) else {
        return;
    };
    // SAFETY: zeroed pages of ours of at least that length, given back below.
    #[allow(unsafe_code)]
    let path = unsafe { core::slice::from_raw_parts_mut(page.as_ptr(), length) };
    for (place, byte) in path.iter_mut().zip(prefix.iter().chain(NAME)) {
        *place = *byte;
    }
    if let Ok(path) = core::ffi::CStr::from_bytes_with_nul(path) {
        append_to(path, text);
    }
    // SAFETY: mapped above, and the path is not used any more.
    #[allow(unsafe_code)]
    unsafe {
        sys::munmap(page, length);
    }
}

fn append_to(path: &core::ffi::CStr, text: &[u8]) {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW;
    let Ok(fd @ 0..) = i32::try_from(sys::open(path, flags, 0o600)) else {
        return;
    };
    let mut name = [0; 32];
    let name = process::read(c"/proc/self/comm", &mut name).unwrap_or_default();
    let pid = crate::platform::decimal::Decimal::new(u64::from(sys::getpid().unsigned_abs()));
    let line = [
        pid.as_str().as_bytes(),
        b" ",
        name.trim_ascii_end(),
        b"\t",
        text,
        b"\n",
    ];
    sys::write_quietly(fd, &line);
    sys::close(fd);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_kept_once_and_cut_at_its_end() {
        let long = "x".repeat(LONGEST + 9);
        note(&["one ", "thing"]);
        note(&["one", " thing"]);
        note(&[&long]);
        let mut seen = Vec::new();
        for_each(&mut |text| seen.push(text.to_vec()));
        assert_eq!(seen.iter().filter(|text| *text == b"one thing").count(), 1);
        assert!(seen.contains(&long.as_bytes()[..LONGEST].to_vec()));
        for number in 0..2 * MOST {
            note(&[&number.to_string()]);
        }
        seen.clear();
        for_each(&mut |text| seen.push(text.to_vec()));
        assert_eq!(seen.len(), MOST);
    }
}

//! From a stack as the JVM reports it to frames with names.
//!
//! It runs on the thread whose stack it is. A method is asked once for its name, class, file and
//! line, and a small cache keeps the answer. The key is the JVM's number of the method and the
//! bytecode in it. Such a number is not used twice while the process lives (unloading a class only
//! makes it invalid). A lost entry is asked for again.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use super::class_name::Name;
use super::inside;
use super::jni::{Jni, Object};
use super::jvmti::{FrameInfo, Jvmti};
use crate::table::frame_table::{FRAMES, Kind};

const ENTRIES: usize = 1 << 13;

/// One known frame. Any thread writes the two words one after the other. They belong together if
/// the first is the key combined with the second.
struct Entry {
    check: AtomicU64,
    frame: AtomicU64,
}

static CACHE: [Entry; ENTRIES] = [const {
    Entry {
        check: AtomicU64::new(0),
        frame: AtomicU64::new(0),
    }
}; ENTRIES];

/// Method and bytecode in one word: addresses have 48 bits, the code of a method at most 65535
/// bytes.
fn key(info: &FrameInfo) -> u64 {
    (info.method as u64) << 16 | (info.location as u64 & 0xffff)
}

fn entry(key: u64) -> Option<&'static Entry> {
    CACHE.get((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - ENTRIES.ilog2())) as usize)
}

fn cached(key: u64) -> Option<u64> {
    let entry = entry(key)?;
    let frame = entry.frame.load(Relaxed);
    (frame != 0 && entry.check.load(Relaxed) ^ frame == key).then_some(frame)
}

fn remember(key: u64, frame: u64) {
    if let Some(entry) = entry(key) {
        entry.frame.store(frame, Relaxed);
        entry.check.store(key ^ frame, Relaxed);
    }
}

/// The frame of a method; `None` when the JVM has no answer, or the table no room.
pub fn method(jvmti: Jvmti, jni: Jni, info: &FrameInfo) -> Option<u64> {
    let key = key(info);
    cached(key).or_else(|| {
        let frame = ask(jvmti, jni, info)?;
        remember(key, frame);
        Some(frame)
    })
}

#[cold]
fn ask(jvmti: Jvmti, jni: Jni, info: &FrameInfo) -> Option<u64> {
    let name = jvmti.method_name(info.method)?;
    let class = jvmti.declaring_class(info.method)?;
    let signature = jvmti.class_signature(class);
    let file = jvmti.source_file(class);
    jni.delete_local(class);
    let line = jvmti.line(info.method, info.location);
    let class = Name::of_class(signature.as_ref()?.bytes());
    let file = file.as_ref().map_or(&b""[..], |file| file.bytes());
    inside(|| FRAMES.intern(Kind::Java, class.bytes(), name.bytes(), file, line)).flatten()
}

/// The frame that stands for an object's class: a name without a class around it.
pub fn class(jvmti: Jvmti, class: Object) -> Option<u64> {
    let signature = jvmti.class_signature(class)?;
    let name = Name::of_class(signature.bytes());
    inside(|| FRAMES.intern(Kind::Java, b"", name.bytes(), b"", 0)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr::without_provenance_mut;

    #[test]
    fn a_cached_frame_is_that_of_its_key_alone() {
        let info = |method, location| FrameInfo {
            method: without_provenance_mut(method),
            location,
        };
        let first = key(&info(0x7f12_3456_7890, 12));
        assert_ne!(first, key(&info(0x7f12_3456_7890, -1)));
        assert_ne!(first, key(&info(0x7f12_3456_7898, 12)));
        assert_eq!(cached(first), None);
        remember(first, 99);
        assert_eq!(cached(first), Some(99));
        // Another key in the same place, and an entry whose two words do not belong together.
        let place = core::ptr::from_ref(entry(first).expect("a place"));
        let other = (1..)
            .map(|n| n << 16)
            .find(|other| core::ptr::eq(entry(*other).expect("a place"), place))
            .expect("a collision");
        assert_eq!(cached(other), None);
        entry(first).expect("a place").frame.store(98, Relaxed);
        assert_eq!(cached(first), None);
    }
}

//! Whether this Node makes or reads something that is bound to V8's flags: a snapshot of a heap, or a single
//! executable application, which may hold a snapshot or a cache of code. V8 compares the flags, and would
//! refuse the snapshot with ours; and while one is made there may be no sampler. Such a Node is left alone.
//!
//! It runs once, in the constructor, and only where there is a V8.
//!
//! Sources: Node's documentation of `--build-snapshot` and of single executable applications;
//! `postject-api.h` (a resource is an ELF note of that name); elf(5), notes.
#![allow(unsafe_code)]

use core::ffi::CStr;

use crate::platform::elf::Object;
use crate::platform::process;
use crate::platform::scratch::Scratch;

/// Options that lead to one, in the command line or in NODE_OPTIONS.
const OPTIONS: [&[u8]; 4] = [
    b"--build-snapshot",
    b"--snapshot-blob",
    b"--build-sea",
    b"--experimental-sea-config",
];

/// The note in which a single executable application keeps its script.
const NOTE: &[u8] = b"NODE_SEA_BLOB";

/// Most bytes of a file that are looked at.
const ROOM: usize = 256 << 10;

/// Is it one of these?
pub fn is_frozen(program: &Object) -> bool {
    asks_for_it(c"/proc/self/cmdline") || asks_for_it(c"/proc/self/environ") || has_note(program)
}

fn asks_for_it(file: &CStr) -> bool {
    let Some(mut room) = Scratch::map(ROOM) else {
        return false;
    };
    let (text, mut length) = (room.bytes(), 0);
    process::copy(file, &mut [0; 1024], &mut |piece| {
        for (place, byte) in text.iter_mut().skip(length).zip(piece) {
            *place = *byte;
            length += 1;
        }
    });
    let text = text.get(..length).unwrap_or_default();
    OPTIONS.iter().any(|option| contains(text, option))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

fn has_note(program: &Object) -> bool {
    let segments = program.program_headers();
    let is_loaded = |note: &libc::Elf64_Phdr| {
        let end = note.p_vaddr.saturating_add(note.p_memsz);
        segments.iter().any(|s| {
            let covers = s.p_vaddr <= note.p_vaddr && end <= s.p_vaddr.saturating_add(s.p_memsz);
            s.p_type == libc::PT_LOAD && covers
        })
    };
    let mut notes = segments.iter().filter(|s| s.p_type == libc::PT_NOTE && is_loaded(s));
    notes.any(|note| {
        let at = program.base().wrapping_add(note.p_vaddr as usize);
        let length = (note.p_memsz as usize).min(ROOM);
        // SAFETY: the loader has mapped the segment that covers this note, readable as every note is.
        let notes = unsafe { core::slice::from_raw_parts(at as *const u8, length) };
        contains(notes, NOTE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_wherever_they_stand() {
        let contains_any = |text: &[u8]| OPTIONS.iter().any(|option| contains(text, option));
        assert!(contains_any(b"node\0--snapshot-blob\0a\0--build-snapshot\0x.js\0"));
        assert!(contains_any(b"NODE_OPTIONS=--no-warnings --snapshot-blob=a\0"));
        assert!(!contains_any(b"node\0--heapsnapshot-signal=SIGUSR2\0x.js\0"));
        assert!(!contains(b"", b"x"));
    }
}

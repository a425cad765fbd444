//! The Ruby frames of the calling thread, interned with class, method, file and line.
//!
//! Ruby itself says what its frames are (`rb_profile_frames`), and the texts are copied from the
//! strings that it names: frames and strings may be collected or moved later, and their places used
//! again. A frame that is none of the kinds that we know ends the walk.
#![allow(unsafe_code)]

use core::ffi::c_int;

use super::Ruby;
use super::api::Value;
use super::ids::{self, Placeholder};
use super::object::{self, Frame, Layout};
use crate::runtime::memory::Memory;
use crate::table::frame_table::{FRAMES, Kind};

/// Frames that are asked for at once.
pub const MOST: usize = 512;

/// Longest name that is kept.
const LONGEST: usize = 512;

/// Room for the frames and names of one walk.
pub struct Names {
    frames: [Value; MOST],
    lines: [c_int; MOST],
    class: [u8; LONGEST],
    name: [u8; LONGEST],
    file: [u8; LONGEST],
    place: Placeholder,
}

impl Names {
    /// Empty.
    pub const fn new() -> Names {
        Names {
            frames: [0; MOST],
            lines: [0; MOST],
            class: [0; LONGEST],
            name: [0; LONGEST],
            file: [0; LONGEST],
            place: Placeholder::new(),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

/// The frame of a program's own file, and what stands for that of no file: Ruby has it before it runs the program,
/// with the name of its executable and the number of some line.
const MAIN: &[u8] = b"<main>";
const START: &[u8] = b"[start of Ruby]";

/// Is it Ruby's executable: `/usr/bin/ruby3.1`?
fn is_ruby(file: &[u8]) -> bool {
    let name = file.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let version = name.strip_prefix(b"ruby");
    version.is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'))
}

/// A frame that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// Puts the frames into `out`; how many there are.
///
/// # Safety
/// The calling thread is Ruby's, it has run Ruby code, and no collection runs.
pub unsafe fn walk(
    ruby: &Ruby,
    memory: &mut Memory,
    names: &mut Names,
    out: &mut [u64],
) -> Result<usize, Odd> {
    let most = out.len().min(MOST) as c_int;
    let (frames, lines) = (names.frames.as_mut_ptr(), names.lines.as_mut_ptr());
    // SAFETY: both have room for `most`, and the thread is as the caller promises.
    let count = unsafe { (ruby.functions.frames)(0, most, frames, lines) };
    let mut length = 0;
    for at in 0..usize::try_from(count).unwrap_or(0) {
        let (Some(frame), Some(line)) = (names.frames.get(at), names.lines.get(at)) else {
            break;
        };
        let (frame, line) = (*frame, u32::try_from(*line).unwrap_or(0));
        // SAFETY: as the caller promises.
        let named = unsafe { named(ruby, memory, names, frame, line) }.ok_or(Odd)?;
        if let (Some(slot), Some(frame)) = (out.get_mut(length), named) {
            *slot = frame;
            length += 1;
        }
    }
    Ok(length)
}

/// The outer `None`: this is no frame. The inner one: there is no room for its name.
///
/// # Safety
/// As [`walk`], which was told of `frame`.
unsafe fn named(
    ruby: &Ruby,
    memory: &mut Memory,
    names: &mut Names,
    frame: Value,
    line: u32,
) -> Option<Option<u64>> {
    let kind = object::frame(memory, frame)?;
    // SAFETY: a frame, by its own flags.
    let (path, label) = unsafe { ((ruby.functions.path)(frame), (ruby.functions.label)(frame)) };
    let file = object::text(memory, ruby.layout, path, &mut names.file).unwrap_or_default();
    let label = object::text(memory, ruby.layout, label, &mut names.name);
    let (name, class) = match (kind, label) {
        (Frame::Code, label) => (label?, 0),
        (Frame::Method { class, .. }, Some(label)) => (label, class),
        (Frame::Method { class, id }, None) => (ids::note(id, &mut names.place), class),
    };
    if name == MAIN && is_ruby(file) {
        return Some(FRAMES.intern(Kind::Ruby, b"", START, b"", 0));
    }
    let class = match class {
        0 => &[][..],
        // SAFETY: as the caller promises; the class of a method that runs.
        class => unsafe { class_name(ruby, memory, class, &mut names.class) }?,
    };
    Some(FRAMES.intern(Kind::Ruby, class, name, file, line))
}

/// The frame of a class: what an object is, not who makes it.
///
/// # Safety
/// `class` is the class of an object that exists.
pub unsafe fn class_frame(
    ruby: &Ruby,
    memory: &mut Memory,
    names: &mut Names,
    class: Value,
) -> Option<u64> {
    let class = object::class(memory, class)?;
    // SAFETY: as the caller promises.
    let length = unsafe { path(ruby, memory, class, &mut names.class) };
    let name = length.and_then(|length| names.class.get(..length));
    FRAMES.intern(Kind::Ruby, name.unwrap_or(b"(without a name)"), b"", b"", 0)
}

/// The name of a method's class, with a dot at its end where the method is the class's own
/// (`def self.x`). Empty where the class has no name; `None`: it is no class.
///
/// # Safety
/// As [`path`].
unsafe fn class_name<'a>(
    ruby: &Ruby,
    memory: &mut Memory,
    class: Value,
    to: &'a mut [u8; LONGEST],
) -> Option<&'a [u8]> {
    let class = object::class(memory, class)?;
    // SAFETY: as the caller promises.
    if let Some(length) = unsafe { path(ruby, memory, class, to) } {
        return to.get(..length);
    }
    let owner = object::owner(memory, ruby.layout, class);
    // SAFETY: a class too, by its own flags.
    let Some(length) = owner.and_then(|owner| unsafe { path(ruby, memory, owner, to) }) else {
        return Some(&[]);
    };
    let end = length.min(LONGEST - 1);
    if let Some(byte) = to.get_mut(end) {
        *byte = b'.';
    }
    to.get(..=end)
}

/// The length of the name of a class that has one.
///
/// # Safety
/// `class` is a class or module that exists.
unsafe fn path(
    ruby: &Ruby,
    memory: &mut Memory,
    class: Value,
    to: &mut [u8; LONGEST],
) -> Option<usize> {
    let id = ruby.path_id();
    let path = if id != 0 {
        object::variable(memory, class, id)?
    } else if ruby.layout == Layout::Old && !ruby.has_lock() {
        // Another thread may change the table in which the function would look.
        return None;
    } else {
        // SAFETY: as the caller promises; nobody changes what it reads.
        unsafe { (ruby.functions.class_path)(class) }
    };
    let text = object::text(memory, ruby.layout, path, to)?;
    // The name of a class without a name has its address in it.
    (!text.is_empty() && !text.starts_with(b"#<")).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubys_own_executable_is_no_program() {
        assert!(is_ruby(b"ruby") && is_ruby(b"/usr/bin/ruby3.1"));
        assert!(!is_ruby(b"ruby.rb") && !is_ruby(b"bin/ruby-lint") && !is_ruby(b"") && !is_ruby(b"app"));
    }
}

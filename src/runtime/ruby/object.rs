//! Ruby's objects as bytes: what kind one is, the text of a string, the class that a singleton class
//! belongs to.
//!
//! Nothing is called here, and nothing is read that the kernel does not call readable. Each step is
//! believed only where the object says that it is of the kind that must be there.
//!
//! Sources: `rbasic.h`, `rstring.h`, `fl_type.h`, `value_type.h`, `imemo.h`, `method.h`, `class.h`
//! and `st.c` of MRI 3.1 and 3.3; what `rb_mjit_min_header-3.1.2.h` says of the same structures.

use super::api::Value;
use crate::runtime::memory::Memory;

const CLASS: u64 = 0x02;
const MODULE: u64 = 0x03;
const STRING: u64 = 0x05;
const IMEMO: u64 = 0x1a;
const ICLASS: u64 = 0x1c;

/// A string whose text is elsewhere.
const ELSEWHERE: u64 = 1 << 13;

/// Kinds of internal objects that a frame may be.
const METHOD_ENTRY: u64 = 6;
const INSTRUCTIONS: u64 = 7;

/// No class has more variables of its own: a table that seems to is damaged.
const MOST_VARIABLES: u64 = 4096;

/// The words of a class that are searched for the object that it belongs to.
const CLASS_WORDS: u64 = 24;

/// What differs between the versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 3.1: a short string has its length in its flags, and a class keeps a table of variables.
    Old,
    /// 3.2 and later: every string has its length in the third word.
    New,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A method: its class, and the number of the name by which it was called.
    Method {
        /// The class that defines it.
        class: Value,
        /// See [`super::ids`].
        id: u64,
    },
    /// Code outside of methods.
    Code,
}

/// The kind of the object at `value`, and its flags.
pub fn kind_of(memory: &mut Memory, value: Value) -> Option<(u64, u64)> {
    if value == 0 || !value.is_multiple_of(8) {
        return None;
    }
    let flags = memory.word(value)?;
    Some((flags & 0x1f, flags))
}

/// Is it a kind that programs have objects of? Not the empty slot, what was moved, what waits for its
/// end, and what the interpreter keeps for itself.
pub fn is_of_program(kind: u64) -> bool {
    (0x01..=0x0f).contains(&kind)
}

/// What `value` is; `None`: it is no frame.
pub fn frame(memory: &mut Memory, value: Value) -> Option<Frame> {
    let (kind, flags) = kind_of(memory, value)?;
    match (kind, flags >> 12 & 0xf) {
        (IMEMO, INSTRUCTIONS) => Some(Frame::Code),
        (IMEMO, METHOD_ENTRY) => Some(Frame::Method {
            class: memory.word(value + 8)?,
            id: memory.word(value + 24)?,
        }),
        _ => None,
    }
}

/// The text of the string `value`, as much of it as `to` holds; `None`: it is no string.
pub fn text<'a>(
    memory: &mut Memory,
    layout: Layout,
    value: Value,
    to: &'a mut [u8],
) -> Option<&'a [u8]> {
    let (kind, flags) = kind_of(memory, value)?;
    if kind != STRING {
        return None;
    }
    let is_elsewhere = flags & ELSEWHERE != 0;
    let (length, at) = match layout {
        Layout::Old if !is_elsewhere => (flags >> 14 & 0x1f, value + 16),
        Layout::New if !is_elsewhere => (memory.word(value + 16)?, value + 24),
        Layout::Old | Layout::New => (memory.word(value + 16)?, memory.word(value + 24)?),
    };
    let length = usize::try_from(length).ok()?.min(to.len());
    let to = to.get_mut(..length)?;
    if length != 0 {
        memory.copy(at, to)?;
    }
    Some(to)
}

/// The class or module that a method's class stands for; `None`: it is no class.
pub fn class(memory: &mut Memory, class: Value) -> Option<Value> {
    let (kind, _) = kind_of(memory, class)?;
    match kind {
        // What stands for a module in the line of ancestors.
        ICLASS => memory.word(class + 8),
        CLASS | MODULE => Some(class),
        _ => None,
    }
}

/// The class to which a singleton class belongs: the methods that it has are the class's own
/// (`def self.x`).
pub fn owner(memory: &mut Memory, layout: Layout, singleton: Value) -> Option<Value> {
    match layout {
        Layout::Old => owner_in_table(memory, singleton),
        Layout::New => owner_in_words(memory, singleton),
    }
}

/// A class or module belongs to its singleton class: its own class is that.
fn owns(memory: &mut Memory, value: Value, singleton: Value) -> bool {
    let kind = kind_of(memory, value).map(|(kind, _)| kind);
    matches!(kind, Some(CLASS | MODULE)) && memory.word(value + 8) == Some(singleton)
}

fn owner_in_words(memory: &mut Memory, singleton: Value) -> Option<Value> {
    (3..CLASS_WORDS).find_map(|word| {
        let value = memory.word(singleton + 8 * word)?;
        owns(memory, value, singleton).then_some(value)
    })
}

/// The variables that a class of the old layout has of its own: number and value of each that
/// `wanted` accepts first.
fn in_table(
    memory: &mut Memory,
    class: Value,
    wanted: &mut dyn FnMut(&mut Memory, u64, Value) -> bool,
) -> Option<Value> {
    let extension = memory.word(class.checked_add(24)?)?;
    let table = memory.word(extension.checked_add(8)?)?;
    let mut field = |offset: u64| memory.word(table.checked_add(offset)?);
    let (first, end, entries) = (field(32)?, field(40)?, field(48)?);
    (first..end.min(MOST_VARIABLES)).find_map(|entry| {
        let at = entries.checked_add(24 * entry)?;
        let key = memory.word(at.checked_add(8)?)?;
        let value = memory.word(at.checked_add(16)?)?;
        wanted(memory, key, value).then_some(value)
    })
}

fn owner_in_table(memory: &mut Memory, singleton: Value) -> Option<Value> {
    in_table(memory, singleton, &mut |memory, _, value| {
        owns(memory, value, singleton)
    })
}

/// The variable of this number that a class of the old layout has of its own.
pub fn variable(memory: &mut Memory, class: Value, id: u64) -> Option<Value> {
    in_table(memory, class, &mut |_, key, _| key == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(words: &[u64], layout: Layout) -> Option<Vec<u8>> {
        let mut memory = Memory::new();
        let mut to = [0; 40];
        text(&mut memory, layout, words.as_ptr() as u64, &mut to).map(<[u8]>::to_vec)
    }

    #[test]
    fn strings_of_both_layouts() {
        let four = u64::from_le_bytes(*b"leak\0\0\0\0");
        let away = b"a longer text, elsewhere";
        let at = away.as_ptr() as u64;
        let old = [STRING | 4 << 14, 0, four, 0];
        assert_eq!(text_of(&old, Layout::Old).as_deref(), Some(&b"leak"[..]));
        let new = [STRING, 0, 4, four];
        assert_eq!(text_of(&new, Layout::New).as_deref(), Some(&b"leak"[..]));
        let long = [STRING | ELSEWHERE, 0, 8, at];
        for layout in [Layout::Old, Layout::New] {
            assert_eq!(text_of(&long, layout).as_deref(), Some(&b"a longer"[..]));
        }
        let wild = [STRING | ELSEWHERE, 0, 8, 0x10];
        assert_eq!(text_of(&wild, Layout::New), None);
        assert_eq!(text_of(&[CLASS, 0, 4, four], Layout::New), None);
    }

    #[test]
    fn values_that_are_no_objects_are_nothing() {
        let mut memory = Memory::new();
        for value in [0, 4, 8, 0x14, 1, 0x7fff_ffff_fff8, u64::MAX] {
            assert_eq!(frame(&mut memory, value), None, "{value:#x}");
        }
        let entry = [IMEMO | METHOD_ENTRY << 12, 0x5000, 0, 77];
        let seen = frame(&mut memory, entry.as_ptr() as u64);
        let (class, id) = (0x5000, 77);
        assert_eq!(seen, Some(Frame::Method { class, id }));
        let code = [IMEMO | INSTRUCTIONS << 12];
        let seen = frame(&mut memory, code.as_ptr() as u64);
        assert_eq!(seen, Some(Frame::Code));
        let other = [IMEMO | 5 << 12];
        assert_eq!(frame(&mut memory, other.as_ptr() as u64), None);
    }

    #[test]
    fn a_singleton_class_belongs_to_the_class_that_says_so() {
        let mut words = [0_u64; 40];
        let mut class_words = [CLASS, 0, 0];
        let (singleton, owner_at) = (words.as_ptr() as u64, class_words.as_ptr() as u64);
        words[0] = CLASS;
        words[14] = owner_at;
        class_words[1] = singleton;
        core::hint::black_box((&words, &class_words));
        let mut memory = Memory::new();
        let seen = owner(&mut memory, Layout::New, singleton);
        assert_eq!(seen, Some(owner_at));
        class_words[1] = 0x5000;
        core::hint::black_box(&class_words);
        assert_eq!(owner(&mut memory, Layout::New, singleton), None);
        let module = [ICLASS, 0x5000];
        let seen = class(&mut memory, module.as_ptr() as u64);
        assert_eq!(seen, Some(0x5000));
    }
}

//! Where the native part of a Ruby stack ends: at the interpreter, whose own frames stand for Ruby's.
//!
//! Before that end are the extension that asked for the memory, or the function of libruby that did
//! (`rb_str_plus`). Most of libruby's functions have no name in the table of symbols that every
//! process has, the interpreter's loop among them. So what is known of a frame is its class by name
//! ([`Function`]), and the run of frames that it is in. Pure, but for the names.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use crate::platform::elf::Object;

/// A function of a native stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// Of another library: an extension, or one that it uses.
    Other,
    /// Of the interpreter, without a name.
    Hidden,
    /// Of the interpreter: asks for memory on behalf of others.
    Allocator,
    /// Of the interpreter, with a name.
    Named,
    /// Of the interpreter: runs Ruby code.
    Entry,
    /// Of the interpreter: runs jobs that were put off, in whatever Ruby code comes next.
    Deferred,
}

/// What the native frames say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// So many frames stay.
    pub length: usize,
    /// Is what Ruby runs now not what the memory is for?
    pub is_deferred: bool,
}

/// The beginnings of the names of functions that run Ruby code.
const ENTRIES: [&[u8]; 17] = [
    b"rb_vm_exec",
    b"rb_yield",
    b"rb_funcall",
    b"rb_call_super",
    b"rb_proc_call",
    b"rb_obj_call_init",
    b"rb_class_new_instance",
    b"rb_check_funcall",
    b"rb_method_call",
    b"rb_block_call",
    b"rb_iterate",
    b"rb_eval",
    b"rb_obj_instance_",
    b"rb_require",
    b"rb_load",
    b"rb_fiber_",
    b"ruby_",
];

const ALLOCATORS: [&[u8]; 5] = [b"ruby_x", b"rb_x", b"ruby_mimmalloc", b"rb_gc_", b"rb_mem_"];

/// A function of the interpreter, by its name.
pub fn by_name(name: Option<&[u8]>) -> Function {
    let Some(name) = name else {
        return Function::Hidden;
    };
    let begins = |with: &&[u8]| name.starts_with(with);
    if ALLOCATORS.iter().any(begins) {
        Function::Allocator
    } else if name == b"rb_postponed_job_flush" {
        Function::Deferred
    } else if ENTRIES.iter().any(begins) {
        Function::Entry
    } else {
        Function::Named
    }
}

/// Functions by the address of a frame in them: the address above eight bits of class. Written by
/// any walk, and all write the same. Relaxed: an entry refers to nothing else.
static KNOWN: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// The function of `library` at the return address `pc`.
pub fn of_library(library: &Object, pc: u64) -> Function {
    const CLASSES: [Function; 6] = [
        Function::Other,
        Function::Hidden,
        Function::Allocator,
        Function::Named,
        Function::Entry,
        Function::Deferred,
    ];
    let place = (pc.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize;
    let entry = KNOWN.get(place);
    let known = entry.map_or(0, |entry| entry.load(Relaxed));
    if known >> 8 == pc
        && let Some(class) = CLASSES.get((known & 0xff) as usize)
    {
        return *class;
    }
    let function = by_name(library.function_at((pc as usize).wrapping_sub(1)));
    if let Some(entry) = entry {
        entry.store(pc << 8 | function as u64, Relaxed);
    }
    function
}

/// Forgets the functions: their library was closed.
pub fn forget() {
    KNOWN.iter().for_each(|entry| entry.store(0, Relaxed));
}

/// The cut of a native stack, leaf first, whose first frame is our hook. Also: the interpreter ran
/// Ruby code in it, as far as its names tell.
pub fn cut(frames: &[u64], function: &mut dyn FnMut(u64) -> Function) -> (Cut, bool) {
    let mut cut = Cut {
        length: 1,
        is_deferred: false,
    };
    // The interpreter's frames since the hook, and those after them that are not the interpreter's.
    let (mut own, mut others, mut named) = (0, 0, 0);
    for (at, pc) in frames.iter().enumerate().skip(1) {
        let function = function(*pc);
        match function {
            Function::Other => others = at,
            // Behind an extension: the interpreter that called it.
            _ if others != 0 => {
                cut.length = others + 1;
                return (cut, true);
            }
            Function::Named => named = at,
            Function::Hidden | Function::Allocator => {}
            Function::Entry | Function::Deferred => {
                cut.is_deferred = function == Function::Deferred;
                cut.length = named + 1;
                return (cut, true);
            }
        }
        own += usize::from(function != Function::Other);
    }
    // What is left of the interpreter's frames is where the thread began.
    if own != 0 {
        cut.length = named + 1;
    }
    (cut, own != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Function::{Allocator, Deferred, Entry, Hidden, Named, Other};

    fn of(functions: &[Function]) -> (usize, bool) {
        let frames: Vec<u64> = (0..=functions.len() as u64).collect();
        let mut function = |pc: u64| functions[pc as usize - 1];
        let (cut, _) = cut(&frames, &mut function);
        (cut.length, cut.is_deferred)
    }

    #[test]
    fn an_extension_stays_whole() {
        assert_eq!(of(&[Other, Other, Hidden, Entry, Other]), (3, false));
        assert_eq!(of(&[Allocator, Hidden, Other, Hidden, Entry]), (4, false));
    }

    #[test]
    fn of_the_interpreter_its_last_function_with_a_name_stays() {
        let plus = [Hidden, Named, Hidden, Hidden, Entry, Named, Other];
        assert_eq!(of(&plus), (3, false));
        assert_eq!(of(&[Allocator, Hidden, Entry, Other]), (1, false));
        // Where the loop has no name, the next function that runs Ruby code is the end.
        assert_eq!(of(&[Hidden, Named, Hidden, Hidden, Hidden, Entry, Hidden]), (3, false));
    }

    #[test]
    fn jobs_that_were_put_off_are_told() {
        assert_eq!(of(&[Hidden, Hidden, Deferred, Hidden, Entry]), (1, true));
        assert_eq!(of(&[Other, Hidden, Deferred, Hidden]), (2, false));
    }

    #[test]
    fn functions_are_known_by_their_names() {
        for (name, class) in [
            ("ruby_xmalloc2", Allocator),
            ("rb_str_plus", Named),
            ("rb_yield_values2", Entry),
            ("ruby_run_node", Entry),
            ("rb_postponed_job_flush", Deferred),
        ] {
            assert_eq!(by_name(Some(name.as_bytes())), class, "{name}");
        }
        assert_eq!(by_name(None), Hidden);
    }
}

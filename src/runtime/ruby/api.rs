//! The functions and variables of a Ruby interpreter that this room uses: the whole list.
//!
//! Those of [`Functions`] are called inside malloc. In MRI 3.1 to 3.3 none of them allocates, takes
//! a lock, raises, or is a safe point of the collector. What needs more (`rb_id2name` takes the VM
//! lock, `rb_set_end_proc` allocates) is in [`InJob`] and is called in a job alone, which Ruby runs
//! between two of its own instructions. `rb_profile_frame_full_label`, `_method_name`, `_classpath`
//! and `_qualified_method_name` allocate or take the VM lock: with them inside malloc another
//! Ractor's collector met half-made objects.
//!
//! The functions are found by the symbol table of the object that defines `rb_profile_frames`:
//! libruby, or the interpreter itself where it is linked statically (extensions need the symbols).
//!
//! Sources: `vm_backtrace.c`, `vm_trace.c`, `thread.c`, `variable.c`, `symbol.c` of MRI 3.1 and 3.3.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_long, c_uint, c_void};
use core::mem::transmute;

use crate::platform::elf::Object;

/// A reference to a Ruby object, or a value that needs no object.
pub type Value = u64;

/// A job that Ruby runs between two instructions.
pub type Job = extern "C" fn(*mut c_void);

/// What Ruby runs when it ends, before it frees anything.
pub type AtEnd = extern "C" fn(Value);

/// What Ruby calls for each object that it makes.
pub type Born = extern "C" fn(Value, *mut c_void);

/// The symbol by which an interpreter is known.
pub const FRAMES: &[u8] = b"rb_profile_frames";

macro_rules! functions {
    ($(#[$doc:meta])* $holder:ident { $($(#[$field_doc:meta])* $name:ident: $type:ty = $symbol:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $holder { $($(#[$field_doc])* pub $name: $type,)+ }

        impl $holder {
            /// The names of these functions.
            pub const NAMES: &'static [&'static str] = &[$($symbol),+];

            /// Looks all of them up; the name of one that is missing.
            pub fn of(library: &Object) -> Result<$holder, &'static str> {
                Ok($holder {
                    $($name: {
                        let symbol = library.symbol($symbol.as_bytes()).ok_or($symbol)?;
                        // SAFETY: the function of this name has this type in every version that is
                        // accepted (head of this file).
                        unsafe { transmute::<usize, $type>(symbol.addr) }
                    },)+
                })
            }
        }
    };
}

functions! {
    /// What may be called inside malloc.
    Functions {
        /// The frames of the calling thread, the innermost first, and their lines.
        frames: unsafe extern "C" fn(c_int, c_int, *mut Value, *mut c_int) -> c_int = "rb_profile_frames";
        /// The file of a frame: a string that exists, or nil.
        path: unsafe extern "C" fn(Value) -> Value = "rb_profile_frame_path";
        /// What Ruby calls the frame: a string that exists, or nil.
        label: unsafe extern "C" fn(Value) -> Value = "rb_profile_frame_label";
        /// The name that a class has, or nil.
        class_path: unsafe extern "C" fn(Value) -> Value = "rb_class_path_cached";
        /// Is this a thread of Ruby's?
        is_ruby_thread: unsafe extern "C" fn() -> c_int = "ruby_native_thread_p";
        /// Does it hold its lock, outside a blocking region?
        has_lock: unsafe extern "C" fn() -> c_int = "ruby_thread_has_gvl_p";
        /// Does the collector run?
        is_collecting: unsafe extern "C" fn() -> c_int = "rb_during_gc";
        /// Asks for a job. It uses atomic operations alone, and may be called in a signal handler.
        want_job: unsafe extern "C" fn(c_uint, Job, *mut c_void) -> c_int = "rb_postponed_job_register_one";
    }
}

functions! {
    /// What is called in a job.
    InJob {
        /// The name of a symbol, in memory of Ruby's.
        id_name: unsafe extern "C" fn(u64) -> *const c_char = "rb_id2name";
        /// The number of a symbol.
        intern: unsafe extern "C" fn(*const c_char, c_long) -> u64 = "rb_intern2";
        /// The symbol of a number.
        symbol: unsafe extern "C" fn(u64) -> Value = "rb_id2sym";
        /// A number of the collector's, by its symbol.
        collector_number: unsafe extern "C" fn(Value) -> usize = "rb_gc_stat";
        /// Has a function called at the end.
        at_end: unsafe extern "C" fn(AtEnd, Value) = "rb_set_end_proc";
    }
}

functions! {
    /// What the samples of Ruby's own objects need: `argument` and `object` are called while an object
    /// is made, the rest in a job.
    Births {
        /// What a trace point tells.
        argument: unsafe extern "C" fn(Value) -> *mut c_void = "rb_tracearg_from_tracepoint";
        /// The object that was made.
        object: unsafe extern "C" fn(*mut c_void) -> Value = "rb_tracearg_object";
        /// Makes a trace point.
        new_point: unsafe extern "C" fn(Value, u32, Born, *mut c_void) -> Value = "rb_tracepoint_new";
        /// Switches it on.
        enable: unsafe extern "C" fn(Value) -> Value = "rb_tracepoint_enable";
        /// Switches it off.
        disable: unsafe extern "C" fn(Value) -> Value = "rb_tracepoint_disable";
        /// Keeps an object for ever.
        keep: unsafe extern "C" fn(Value) = "rb_gc_register_mark_object";
        /// The number of an object, which Ruby notes in the object.
        number: unsafe extern "C" fn(Value) -> Value = "rb_obj_id";
        /// Collections so far.
        collections: unsafe extern "C" fn() -> usize = "rb_gc_count";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_called_inside_malloc_that_allocates_locks_or_raises() {
        const FORBIDDEN: [&str; 8] = [
            "full_label",
            "method_name",
            "classpath",
            "absolute_path",
            "id2",
            "intern",
            "_str_",
            "_new",
        ];
        assert_eq!(Functions::NAMES.len(), 8);
        for name in Functions::NAMES {
            assert!(FORBIDDEN.iter().all(|part| !name.contains(part)), "{name}");
        }
    }
}

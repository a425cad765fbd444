//! dlclose(3): the profiler forgets what it knows of a library before and after the library is
//! closed.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

use super::entry::Context;
use crate::{next, recorder, runtime, unwind};

/// The entries of these functions. The named register is the one after the function's own
/// arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::entries;

    entries! {
        dlclose("rsi") => super::dlclose;
    }
}

/// dlclose(3): the unwinder forgets what it knows of libraries before and after.
pub(crate) extern "C" fn dlclose(handle: *mut c_void, _context: &Context) -> c_int {
    let sampling = recorder::has_started();
    if sampling {
        runtime::before_close();
        unwind::before_close();
    }
    // SAFETY: the program's own argument. -1 is how dlclose itself reports a failure.
    let result = unsafe { next::allocator().dlclose(handle) }.unwrap_or(-1);
    if sampling {
        unwind::after_close();
        runtime::after_close();
    }
    result
}

//! The JVMTI functions for classes and their methods, called by their place in the JVMTI table.
//!
//! # Safety
//! They are called in native code of an attached thread: on the creating thread, and in the events
//! themselves.
//!
//! Source: `jvmti.h` and `jni.h` (numbers and prototypes of the functions).
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut};

/// Numbers of the functions of JVMTI.
pub(super) mod number {
    pub const SET_EVENT_NOTIFICATION_MODE: usize = 2;
    pub const DEALLOCATE: usize = 47;
    pub const GET_CLASS_SIGNATURE: usize = 48;
    pub const GET_CLASS_METHODS: usize = 52;
    pub const GET_METHOD_NAME: usize = 64;
    pub const GET_LOADED_CLASSES: usize = 78;
    pub const SET_EVENT_CALLBACKS: usize = 122;
}

const JVMTI_VERSION_1_2: i32 = 0x3001_0200;

/// Place of GetEnv in a `JavaVM`, of DeleteLocalRef in a `JNIEnv`.
const GET_ENV: usize = 6;
const DELETE_LOCAL_REF: usize = 23;

/// A JVMTI environment: a pointer to a pointer to its functions.
pub(super) struct Jvmti(pub(super) *mut c_void);

/// The function at `place` of the table that `object` begins with a pointer to.
///
/// # Safety
/// `object` is a JNI or JVMTI interface with at least that many functions.
unsafe fn function(object: *mut c_void, place: usize) -> usize {
    // SAFETY: as promised.
    unsafe { *(*object.cast::<*const usize>()).add(place) }
}

impl Jvmti {
    pub(super) fn of(vm: *mut c_void) -> Option<Jvmti> {
        let mut env = null_mut();
        // SAFETY: the JVM that was just created; GetEnv makes an environment for JVMTI.
        let answer = unsafe {
            let get_env: extern "C" fn(*mut c_void, *mut *mut c_void, i32) -> i32 =
                transmute(function(vm, GET_ENV));
            get_env(vm, &raw mut env, JVMTI_VERSION_1_2)
        };
        (answer == 0 && !env.is_null()).then_some(Jvmti(env))
    }

    /// The function with this number, whose first argument is the environment.
    pub(super) fn function(&self, number: usize) -> usize {
        // SAFETY: numbers of JVMTI 1.2, counted from 1.
        unsafe { function(self.0, number - 1) }
    }

    fn free(&self, memory: *mut c_void) {
        // SAFETY: memory that another function of this environment allocated, or null.
        unsafe {
            let free: extern "C" fn(*mut c_void, *mut c_void) -> i32 =
                transmute(self.function(number::DEALLOCATE));
            free(self.0, memory);
        }
    }

    pub(super) fn each_loaded_class(&self, env: *mut c_void, visit: &dyn Fn(*mut c_void)) {
        let (mut count, mut classes) = (0_i32, null_mut::<*mut c_void>());
        // SAFETY: the prototypes of `jvmti.h` and `jni.h`; the references belong to this thread.
        unsafe {
            let get: extern "C" fn(*mut c_void, *mut i32, *mut *mut *mut c_void) -> i32 =
                transmute(self.function(number::GET_LOADED_CLASSES));
            let delete: extern "C" fn(*mut c_void, *mut c_void) =
                transmute(function(env, DELETE_LOCAL_REF));
            if get(self.0, &raw mut count, &raw mut classes) != 0 {
                return;
            }
            for place in 0..usize::try_from(count).unwrap_or(0) {
                let class = *classes.add(place);
                visit(class);
                delete(env, class);
            }
        }
        self.free(classes.cast());
    }

    pub(super) fn class_signature<'a>(&self, class: *mut c_void, to: &'a mut [u8]) -> &'a mut [u8] {
        let mut text = null_mut::<c_char>();
        // SAFETY: the prototype of `jvmti.h`; the generic signature may be null.
        let answer = unsafe {
            let get: extern "C" fn(
                *mut c_void,
                *mut c_void,
                *mut *mut c_char,
                *mut *mut c_char,
            ) -> i32 = transmute(self.function(number::GET_CLASS_SIGNATURE));
            get(self.0, class, &raw mut text, null_mut())
        };
        if answer != 0 || text.is_null() {
            return &mut [];
        }
        let copied = copy(text, to);
        self.free(text.cast());
        copied
    }

    pub(super) fn methods(&self, class: *mut c_void, visit: &dyn Fn(u64)) {
        let (mut count, mut methods) = (0_i32, null_mut::<u64>());
        // SAFETY: the prototype of `jvmti.h`.
        let answer = unsafe {
            let get: extern "C" fn(*mut c_void, *mut c_void, *mut i32, *mut *mut u64) -> i32 =
                transmute(self.function(number::GET_CLASS_METHODS));
            get(self.0, class, &raw mut count, &raw mut methods)
        };
        if answer == 0 {
            for place in 0..usize::try_from(count).unwrap_or(0) {
                // SAFETY: JVMTI stored this many ids.
                visit(unsafe { *methods.add(place) });
            }
            self.free(methods.cast());
        }
    }

    pub(super) fn method_name<'a>(&self, method: u64, to: &'a mut [u8]) -> &'a mut [u8] {
        let mut text = null_mut::<c_char>();
        // SAFETY: the prototype of `jvmti.h`; the signatures may be null.
        let answer = unsafe {
            let get: extern "C" fn(
                *mut c_void,
                u64,
                *mut *mut c_char,
                *const c_void,
                *const c_void,
            ) -> i32 = transmute(self.function(number::GET_METHOD_NAME));
            get(self.0, method, &raw mut text, null(), null())
        };
        if answer != 0 || text.is_null() {
            return &mut [];
        }
        let copied = copy(text, to);
        self.free(text.cast());
        copied
    }
}

fn copy(text: *const c_char, to: &mut [u8]) -> &mut [u8] {
    // SAFETY: JVMTI answers with terminated strings.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    let length = text.len().min(to.len());
    for (to, from) in to.iter_mut().zip(text) {
        *to = *from;
    }
    to.get_mut(..length).unwrap_or_default()
}

//! The few functions of JNI and of the invocation interface that the heap needs.
//!
//! For this room alone. The tables are arrays of pointers that both specifications number. The
//! numbers below are from there and have not changed since JDK 1.4. Source: Java Native Interface
//! Specification 11, "Interface Function Table" and "The Invocation API".
//!
//! # Safety
//! A [`Jni`] is used by the thread that the JVM gave it to, while the thread is attached and in
//! native code; a [`Vm`] by any thread that the JVM may attach.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::null_mut;

/// Any reference to a Java object: local, global or weak.
pub type Object = *mut c_void;

/// A `JNIEnv*` or `JavaVM*` or `jvmtiEnv*`: the address of a pointer to its table.
pub type Interface = *const *const *const c_void;

/// The function at `index` of an interface's table.
///
/// # Safety
/// `interface` is one of the three, and alive; its table has at least that many entries.
pub unsafe fn function(interface: Interface, index: usize) -> *const c_void {
    // SAFETY: as promised by the caller.
    unsafe { *(*interface).add(index) }
}

/// The JNI environment of the calling thread.
#[derive(Clone, Copy)]
pub struct Jni(Interface);

const EXCEPTION_CLEAR: usize = 17;
const DELETE_LOCAL_REF: usize = 23;
const IS_SAME_OBJECT: usize = 24;
const NEW_WEAK_GLOBAL_REF: usize = 226;
const DELETE_WEAK_GLOBAL_REF: usize = 227;

impl Jni {
    /// # Safety
    /// `interface` is the calling thread's `JNIEnv*`.
    pub unsafe fn new(interface: Interface) -> Jni {
        Jni(interface)
    }

    /// A weak reference to `object`; `None` when there is no memory for it.
    pub fn new_weak(self, object: Object) -> Option<Object> {
        // SAFETY: `jweak NewWeakGlobalRef(JNIEnv*, jobject)`.
        let weak = unsafe {
            let new: unsafe extern "C" fn(Interface, Object) -> Object =
                transmute(function(self.0, NEW_WEAK_GLOBAL_REF));
            new(self.0, object)
        };
        if weak.is_null() {
            self.clear_exception();
        }
        (!weak.is_null()).then_some(weak)
    }

    /// Gives a weak reference back.
    pub fn delete_weak(self, weak: Object) {
        // SAFETY: `void DeleteWeakGlobalRef(JNIEnv*, jweak)`; made by `new_weak`, deleted once.
        unsafe { self.call_void(DELETE_WEAK_GLOBAL_REF, weak) }
    }

    /// Gives a local reference back before the native frame ends.
    pub fn delete_local(self, local: Object) {
        // SAFETY: `void DeleteLocalRef(JNIEnv*, jobject)`.
        unsafe { self.call_void(DELETE_LOCAL_REF, local) }
    }

    /// Was the object behind a weak reference collected?
    pub fn is_dead(self, weak: Object) -> bool {
        // SAFETY: `jboolean IsSameObject(JNIEnv*, jobject, jobject)`; a weak reference equals null
        // when its object is gone ("Weak Global References").
        unsafe {
            let same: unsafe extern "C" fn(Interface, Object, Object) -> u8 =
                transmute(function(self.0, IS_SAME_OBJECT));
            same(self.0, weak, null_mut()) != 0
        }
    }

    fn clear_exception(self) {
        // SAFETY: `void ExceptionClear(JNIEnv*)`.
        unsafe {
            let clear: unsafe extern "C" fn(Interface) =
                transmute(function(self.0, EXCEPTION_CLEAR));
            clear(self.0);
        }
    }

    unsafe fn call_void(self, index: usize, object: Object) {
        // SAFETY: the caller names a function with this prototype.
        unsafe {
            let call: unsafe extern "C" fn(Interface, Object) = transmute(function(self.0, index));
            call(self.0, object);
        }
    }
}

/// The virtual machine, for any thread.
#[derive(Clone, Copy)]
pub struct Vm(pub Interface);

const DETACH_CURRENT_THREAD: usize = 5;
const GET_ENV: usize = 6;
const ATTACH_AS_DAEMON: usize = 7;
const JNI_VERSION_1_6: c_int = 0x0001_0006;
/// The JVM is not ready for the request, or the thread is not attached to it.
const JNI_EDETACHED: c_int = -2;

/// Why there is no environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The JVM is being created or ends.
    NotNow,
    /// It has no environment of that version, or no longer has what it needs.
    Never,
}

/// The arguments of attaching a thread; `JavaVMAttachArgs`.
#[repr(C)]
struct AttachArguments {
    version: c_int,
    name: *const core::ffi::c_char,
    group: Object,
}

impl Vm {
    /// An environment of `version`: JNI's, or a tool's.
    pub fn environment(self, version: c_int) -> Result<Interface, Refusal> {
        let mut found: Interface = core::ptr::null();
        // SAFETY: `jint GetEnv(JavaVM*, void**, jint)`; 0 is JNI_OK.
        let status = unsafe {
            let get: unsafe extern "C" fn(Interface, *mut Interface, c_int) -> c_int =
                transmute(function(self.0, GET_ENV));
            get(self.0, &raw mut found, version)
        };
        match status {
            0 if !found.is_null() => Ok(found),
            JNI_EDETACHED => Err(Refusal::NotNow),
            _ => Err(Refusal::Never),
        }
    }

    /// Runs `work` on the calling thread as a daemon thread of the JVM. `None` when the JVM refuses
    /// the thread.
    pub fn attached<T>(self, name: &core::ffi::CStr, work: impl FnOnce(Jni) -> T) -> Option<T> {
        let mut arguments = AttachArguments {
            version: JNI_VERSION_1_6,
            name: name.as_ptr(),
            group: null_mut(),
        };
        let mut found: Interface = core::ptr::null();
        // SAFETY: `jint AttachCurrentThreadAsDaemon(JavaVM*, void**, void*)`.
        let status = unsafe {
            let attach: unsafe extern "C" fn(
                Interface,
                *mut Interface,
                *mut AttachArguments,
            ) -> c_int = transmute(function(self.0, ATTACH_AS_DAEMON));
            attach(self.0, &raw mut found, &raw mut arguments)
        };
        if status != 0 || found.is_null() {
            return None;
        }
        let result = work(Jni(found));
        // SAFETY: `jint DetachCurrentThread(JavaVM*)`; attached above.
        unsafe {
            let detach: unsafe extern "C" fn(Interface) -> c_int =
                transmute(function(self.0, DETACH_CURRENT_THREAD));
            detach(self.0);
        }
        Some(result)
    }
}

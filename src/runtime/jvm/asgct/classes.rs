//! The events of classes: the methods of each class that is prepared are noted.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use super::jvmti::{Jvmti, number};
use super::names::keep;
use crate::runtime::jvm::method::java_name;

const CLASS_LOAD: i32 = 55;
const CLASS_PREPARE: i32 = 56;

/// Longest name that is kept.
const LONGEST: usize = 512;

/// What is asked about prepared classes: 1 the ids alone, 2 the names too. Written by `start`,
/// before events are switched on.
pub(super) static PURPOSE: AtomicU64 = AtomicU64::new(0);

impl Jvmti {
    /// Switches on the events of classes.
    pub(super) fn watch(&self) -> Option<()> {
        let callbacks: [usize; 7] = [
            0,
            0,
            0,
            0,
            0,
            ignore_class as *const () as usize,
            prepared as *const () as usize,
        ];
        // SAFETY: the prototypes of `jvmti.h`; the callbacks are those of events 50 to 56.
        unsafe {
            let set: extern "C" fn(*mut c_void, *const usize, i32) -> i32 =
                transmute(self.function(number::SET_EVENT_CALLBACKS));
            let enable: extern "C" fn(*mut c_void, i32, i32, *mut c_void) -> i32 =
                transmute(self.function(number::SET_EVENT_NOTIFICATION_MODE));
            let size = size_of_val(&callbacks) as i32;
            let answers = [
                set(self.0, callbacks.as_ptr(), size),
                enable(self.0, 1, CLASS_LOAD, null_mut()),
                enable(self.0, 1, CLASS_PREPARE, null_mut()),
            ];
            (answers == [0; 3]).then_some(())
        }
    }
}

/// Makes the JVM create the ids of a class's methods, and keeps their names if these are wanted.
pub(super) fn note_class(jvmti: &Jvmti, class: *mut c_void) {
    if PURPOSE.load(Relaxed) < 2 {
        return jvmti.methods(class, &|_| ());
    }
    let mut signature = [0; LONGEST];
    let signature = jvmti.class_signature(class, &mut signature);
    // `Ljava/lang/String;`
    let inner = signature.len().saturating_sub(1);
    let class_name = java_name(signature.get_mut(1..inner).unwrap_or_default());
    jvmti.methods(class, &|method| {
        let mut name = [0; LONGEST];
        let name = jvmti.method_name(method, &mut name);
        keep(method, class_name, name);
    });
}

/// The event of a class that is loaded. Nothing is done: only the watching itself is needed.
extern "C" fn ignore_class(_: *mut c_void, _: *mut c_void, _: *mut c_void, _: *mut c_void) {}

/// The event of a class that is prepared.
extern "C" fn prepared(
    jvmti: *mut c_void,
    _env: *mut c_void,
    _thread: *mut c_void,
    class: *mut c_void,
) {
    note_class(&Jvmti(jvmti), class);
}

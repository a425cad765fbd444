//! Which Java thread the calling thread is.
//!
//! Asked for each sample, on the thread itself. `GetEnv` tells the thread's `JNIEnv`, which is a
//! part of its `JavaThread`. The offset is found once, from the JVM's list of threads. It is
//! believed only for a thread whose stack is the stack that we run on.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use super::Jvm;
use super::layout::Layout;
use crate::runtime::memory::Memory;

/// Place of GetEnv among the functions of a `JavaVM`; JNI specification, "Invocation API".
const GET_ENV: u64 = 6;
const JNI_VERSION_1_6: i32 = 0x0001_0006;

/// More threads than one JVM has.
const MOST_THREADS: u32 = 1 << 16;

/// A thread of the JVM.
#[derive(Clone, Copy, Debug)]
pub struct JavaThread {
    /// The address of the `JavaThread`.
    pub at: u64,
    /// The end of its stack.
    pub stack_base: u64,
}

impl Jvm {
    /// The calling thread's `JNIEnv`, if it is attached.
    pub fn env(&self, memory: &mut Memory) -> Option<u64> {
        let functions = memory.word(self.vm as u64)?;
        let get_env = memory.word(functions.checked_add(8 * GET_ENV)?)?;
        if get_env == 0 {
            return None;
        }
        let mut env = null_mut::<c_void>();
        // SAFETY: GetEnv of a JVM whose library is loaded (see `jvm`). For a JNI version it reads
        // the thread's own pointer to itself.
        let answer = unsafe {
            let get_env: extern "C" fn(*mut c_void, *mut *mut c_void, i32) -> i32 =
                transmute(get_env as usize);
            get_env(self.vm, &raw mut env, JNI_VERSION_1_6)
        };
        (answer == 0 && !env.is_null()).then_some(env as u64)
    }

    /// The calling thread as the JVM knows it; `sp` is on its stack.
    pub fn thread(
        &self,
        layout: &Layout,
        memory: &mut Memory,
        env: u64,
        sp: u64,
    ) -> Option<JavaThread> {
        let known = self.env_offset.load(Relaxed);
        let at = match known {
            0 => owner(layout, memory, env)?,
            offset => env.checked_sub(offset)?,
        };
        let stack_base = memory.word(at.checked_add(layout.stack_base)?)?;
        let size = memory.word(at.checked_add(layout.stack_size)?)?;
        let is_here = sp < stack_base && stack_base - sp <= size;
        if is_here && known == 0 {
            self.env_offset.store(env - at, Relaxed);
        }
        is_here.then_some(JavaThread { at, stack_base })
    }
}

/// The `JavaThread` that holds `env`. The list may change meanwhile, so the caller checks what is
/// found.
fn owner(layout: &Layout, memory: &mut Memory, env: u64) -> Option<u64> {
    let holds = |thread: &u64| {
        env.checked_sub(*thread)
            .is_some_and(|offset| offset < layout.java_thread_size)
    };
    let fields = &layout.fields;
    if let Some((list, (length, threads))) = fields
        .thread_list
        .zip(fields.thread_list_length.zip(fields.thread_list_threads))
    {
        let list = memory.word(list.at)?;
        let length = memory.half(list.checked_add(length.at)?)?;
        let threads = memory.word(list.checked_add(threads.at)?)?;
        return (0..length.min(MOST_THREADS))
            .filter_map(|index| memory.word(threads.checked_add(8 * u64::from(index))?))
            .find(holds);
    }
    let next = fields.next_thread?;
    let mut thread = memory.word(fields.first_thread?.at)?;
    for _ in 0..MOST_THREADS {
        if thread == 0 || holds(&thread) {
            break;
        }
        thread = memory.word(thread.checked_add(next.at)?)?;
    }
    (thread != 0).then_some(thread)
}

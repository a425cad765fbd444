//! The hook of `dlsym`. By it we learn that a JVM is created, or exists, and native code that Java
//! reaches by `Linker.defaultLookup()` gets our malloc.
//!
//! A launcher opens libjvm and asks `dlsym` for `JNI_CreateJavaVM`. It gets a function of ours,
//! which calls the real one and then reports the JVM to `runtime`. Only look-ups in an explicit
//! handle are answered here. All others, above all `RTLD_NEXT` and `RTLD_DEFAULT`, continue to the
//! real `dlsym` by a jump, so that it sees the program's own return address. Nothing is kept of a
//! failed look-up. The real `dlsym` then repeats it, and `dlerror` reports what it would report
//! without us.
//!
//! # Safety
//! Naked, with the System V calling convention. It runs on the program's thread, not in malloc.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicUsize};

use super::early;
use crate::next::{self, REAL};
use crate::recorder;
use crate::runtime::jvm;
use crate::{java_heap, next::Entry, platform::elf};

/// Saves the arguments, asks `answer`, and continues to the real `dlsym` if there is no answer.
///
/// # Safety
/// Reached by a jump from the hook, with the arguments of `dlsym`.
#[unsafe(naked)]
pub unsafe extern "C" fn dlsym() {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        "push rsi",
        ".cfi_adjust_cfa_offset 16",
        "mov rdx, qword ptr [rsp + 16]",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {answer}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        "pop rdi",
        ".cfi_adjust_cfa_offset -16",
        "test rax, rax",
        "jnz 2f",
        "mov rax, qword ptr [rip + {real} + {dlsym}]",
        "test rax, rax",
        "jz 2f",
        "jmp rax",
        "2: ret",
        ".cfi_endproc",
        answer = sym answer,
        real = sym REAL,
        dlsym = const core::mem::offset_of!(next::Functions, dlsym),
    )
}

type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// What `dlsym` will return, or null if the real one must find it.
extern "C" fn answer(handle: *mut c_void, name: *const c_char, caller: usize) -> *mut c_void {
    if early::is_now() {
        return null_mut();
    }
    if next::allocator().dlsym.load(Relaxed).is_null() {
        // Before glibc 2.34 it belongs to libdl, which may have been opened meanwhile.
        if let Some((symbol, _)) = elf::next_symbol(b"dlsym") {
            REAL.dlsym.store(symbol.addr as *mut c_void, Relaxed);
        }
    }
    // While we see a JVM's creation, its look-ups tell nothing new.
    if CREATIONS.load(Relaxed) == 0 {
        java_heap::notice(caller);
    }
    if handle == libc::RTLD_DEFAULT || handle == libc::RTLD_NEXT || name.is_null() {
        return null_mut();
    }
    let real = REAL.dlsym.load(Relaxed);
    if real.is_null() || !jvm::is_watched() {
        return null_mut();
    }
    // SAFETY: the program's own string.
    let text = unsafe { CStr::from_ptr(name) }.to_bytes();
    let is_creation = text == b"JNI_CreateJavaVM";
    if !is_creation && hook_of(text).is_none() {
        return null_mut();
    }
    if !is_creation && !jvm::is_in_library(caller) {
        return null_mut();
    }
    // SAFETY: the real function with the program's own arguments; with an explicit handle it does
    // not look at its caller.
    let found = unsafe { transmute::<*mut c_void, Dlsym>(real)(handle, name) };
    if is_creation {
        return creator(found);
    }
    match hook_of(text) {
        Some((entry, hook)) if !found.is_null() && entry.load(Relaxed) == found => hook,
        _ => null_mut(),
    }
}

/// The next allocator's function of this name, and our hook of it.
fn hook_of(name: &[u8]) -> Option<(&'static Entry, *mut c_void)> {
    let hooks = recorder::hooks()?;
    let (entry, hook) = match name {
        b"malloc" => (&REAL.malloc, hooks.malloc),
        b"calloc" => (&REAL.calloc, hooks.calloc),
        b"realloc" => (&REAL.realloc, hooks.realloc),
        b"free" => (&REAL.free, hooks.free),
        b"reallocarray" => (&REAL.reallocarray, hooks.reallocarray),
        b"posix_memalign" => (&REAL.posix_memalign, hooks.posix_memalign),
        b"aligned_alloc" => (&REAL.aligned_alloc, hooks.aligned_alloc),
        b"memalign" => (&REAL.memalign, hooks.memalign),
        b"valloc" => (&REAL.valloc, hooks.valloc),
        b"pvalloc" => (&REAL.pvalloc, hooks.pvalloc),
        b"malloc_usable_size" => (&REAL.malloc_usable_size, hooks.malloc_usable_size),
        _ => return None,
    };
    Some((entry, hook.cast_mut().cast()))
}

/// The most JVM libraries that are told apart; a program has one.
const CREATORS: usize = 4;

/// The real `JNI_CreateJavaVM` of each of ours. Written by the look-up that takes the place.
static REAL_CREATORS: [AtomicUsize; CREATORS] = [const { AtomicUsize::new(0) }; CREATORS];

/// Creations in progress in our functions. Written by the threads that create, before and after. A
/// look-up that misses one starts the search for the JVM, which finds its creation begun.
static CREATIONS: AtomicU32 = AtomicU32::new(0);

type Create = unsafe extern "C" fn(*mut *mut c_void, *mut *mut c_void, *mut c_void) -> c_int;

/// Our function in front of `real`; null where there is none, or no place left.
fn creator(real: *mut c_void) -> *mut c_void {
    const OURS: [Create; CREATORS] = [create::<0>, create::<1>, create::<2>, create::<3>];
    let real = real as usize;
    if real == 0 {
        return null_mut();
    }
    let takes = |place: &AtomicUsize| {
        place.load(Relaxed) == real || place.compare_exchange(0, real, Relaxed, Relaxed).is_ok()
    };
    let place = REAL_CREATORS
        .iter()
        .zip(OURS)
        .find(|(place, _)| takes(place));
    place.map_or(null_mut(), |(_, ours)| ours as *mut c_void)
}

/// JNI_CreateJavaVM.
unsafe extern "C" fn create<const PLACE: usize>(
    vm: *mut *mut c_void,
    env: *mut *mut c_void,
    arguments: *mut c_void,
) -> c_int {
    let real = REAL_CREATORS
        .get(PLACE)
        .map_or(0, |real| real.load(Relaxed));
    CREATIONS.fetch_add(1, Relaxed);
    let result = jvm::creation(|| {
        // SAFETY: the function that `dlsym` found by this name, with the program's own arguments.
        // Ours is returned only when its place is filled.
        let result = unsafe { transmute::<usize, Create>(real)(vm, env, arguments) };
        if result == 0 && !vm.is_null() && !env.is_null() {
            // SAFETY: JNI_CreateJavaVM has stored its answers.
            unsafe { created(*vm, *env, real) };
        }
        result
    });
    CREATIONS.fetch_sub(1, Relaxed);
    result
}

/// A JVM was created, on this thread, which is attached to it and in native code: `env` is valid.
fn created(vm: *mut c_void, env: *mut c_void, function: usize) {
    jvm::created(vm, env, function);
    // SAFETY: this thread is attached, in native code, and not in malloc.
    unsafe { java_heap::start(vm) };
}

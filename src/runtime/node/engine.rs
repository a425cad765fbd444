//! The V8 and Node functions that are called, found by their C++ names where the program exports
//! them, and only in versions whose interface is known.
//!
//! Made once, in the constructor, before the program's first thread. Only [`Engine::isolate`] is
//! used by samples: it calls nothing. `Isolate::TryGetCurrent` reads one thread-local word, and
//! where that word is follows from its instructions. In a shared libnode the same function may
//! enter the loader and allocate; then it has other instructions, and the engine is not used.
//!
//! Sources: `v8-isolate.h`, `v8-callbacks.h`, `v8-local-handle.h`, `node.h` of Node 20, 22 and 24;
//! Itanium C++ ABI (names); ELF TLS ABI (initial and local exec).
#![allow(unsafe_code)]

use core::arch::asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;

use super::functions::functions;
use super::heap::Heap;
use crate::platform::elf::{Object, next_symbol};

/// Runs on an isolate's thread: the isolate and what was asked with it.
pub type Interrupt = extern "C" fn(u64, *mut c_void);
/// Gets a `JitCodeEvent`.
pub type Handler = extern "C" fn(u64);
/// Runs when an environment ends.
pub type Hook = extern "C" fn(*mut c_void);

/// The first and last V8 whose interface is known: Node 20 to 24.
const VERSIONS: (u32, u32) = (11_003, 13_006);

const TRY_GET_CURRENT: &[u8] = b"_ZN2v87Isolate13TryGetCurrentEv";

/// Longest `TryGetCurrent`.
const MOST_CODE: usize = 64;

functions! {
    Functions:
    set_flags: extern "C" fn(*const c_char) = "_ZN2v82V818SetFlagsFromStringEPKc";
    request_interrupt: extern "C" fn(u64, Interrupt, *mut c_void)
        = "_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_";
    set_handler: extern "C" fn(u64, c_int, Option<Handler>)
        = "_ZN2v87Isolate22SetJitCodeEventHandlerENS_19JitCodeEventOptionsEPFvPKNS_12JitCodeEventEE";
    in_context: extern "C" fn(u64) -> bool = "_ZN2v87Isolate9InContextEv";
    current_context: extern "C" fn(u64) -> u64 = "_ZN2v87Isolate17GetCurrentContextEv";
    current_environment: extern "C" fn(u64) -> u64
        = "_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE";
    add_cleanup_hook: extern "C" fn(u64, Hook, *mut c_void)
        = "_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_";
    at_exit: extern "C" fn(u64, Hook, *mut c_void)
        = "_ZN4node6AtExitEPNS_11EnvironmentEPFvPvES2_";
    builtins: extern "C" fn(u64, *mut u64, *mut u64)
        = "_ZN2v87Isolate20GetEmbeddedCodeRangeEPPKvPm";
    begin_scope: extern "C" fn(*mut Scope, u64) = "_ZN2v811HandleScopeC1EPNS_7IsolateE";
    end_scope: extern "C" fn(*mut Scope) = "_ZN2v811HandleScopeD1Ev";
}

/// A `v8::HandleScope`, which is three words; one to spare.
#[repr(C)]
pub struct Scope([u64; 4]);

/// A `node::Environment`.
#[derive(Clone, Copy)]
pub struct Environment(u64);

/// V8 and Node in this process.
#[derive(Clone, Copy)]
pub struct Engine {
    functions: Functions,
    /// The current isolate's word, from the thread pointer.
    isolate_at: isize,
    /// The object that all of it is in.
    object: Object,
    /// What is known of the heap's sampler.
    heap: Option<Heap>,
}

impl Engine {
    /// `None`: there is no V8 here. `Some(Err(..))`: one that is not known, with what is odd.
    pub fn find() -> Option<Result<Engine, &'static str>> {
        let (symbol, object) = next_symbol(TRY_GET_CURRENT)?;
        let size = match symbol.size {
            0 => MOST_CODE,
            size => size.min(MOST_CODE),
        };
        // SAFETY: the code of a function of a loaded object.
        let code = unsafe { core::slice::from_raw_parts(symbol.addr as *const u8, size) };
        Some(Engine::of(object, code, symbol.addr))
    }

    /// Never inlined: most processes have no V8, and this would lie amid what each of them runs.
    #[cold]
    #[inline(never)]
    fn of(object: Object, code: &'static [u8], at: usize) -> Result<Engine, &'static str> {
        let version = object.symbol(b"_ZN2v82V810GetVersionEv");
        let version = version.ok_or("V8::GetVersion")?;
        // SAFETY: `static const char* V8::GetVersion()` returns a literal.
        let version = unsafe {
            let get: extern "C" fn() -> *const c_char = transmute(version.addr);
            CStr::from_ptr(get()).to_bytes()
        };
        if !is_known(version) {
            return Err("a version from Node 20 to 24");
        }
        let isolate_at = thread_local(code, at).ok_or("a thread's isolate")?;
        Ok(Engine {
            functions: Functions::of(object)?,
            isolate_at,
            object,
            heap: Heap::of(object).ok(),
        })
    }

    /// The object that has V8.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The isolate that the calling thread has entered; 0 if none.
    #[inline]
    pub fn isolate(&self) -> u64 {
        let isolate: u64;
        // SAFETY: a thread-local word of an object that was loaded at the start: it is at that
        // offset from every thread's pointer (ELF TLS ABI).
        unsafe {
            asm!("mov {0}, qword ptr fs:[{1}]", out(reg) isolate, in(reg) self.isolate_at,
                options(nostack, preserves_flags, readonly));
        }
        isolate
    }

    /// Is `at` in the program's own code?
    pub fn is_compiled_in(&self, at: u64) -> bool {
        self.object.contains(at as usize)
    }

    /// Before V8 begins: interpreted functions get code of their own, so each has an address.
    pub fn set_flags(&self) {
        (self.functions.set_flags)(c"--interpreted-frames-native-stack".as_ptr());
        // Positions in optimized code say in which inlined function they are.
        (self.functions.set_flags)(c"--detailed-line-info".as_ptr());
    }

    /// Has `interrupt` called on the thread of `isolate` when that runs JavaScript next. From any
    /// thread that libc knows, outside malloc; the isolate lives.
    pub fn request(&self, isolate: u64, interrupt: Interrupt, data: *mut c_void) {
        (self.functions.request_interrupt)(isolate, interrupt, data);
    }

    /// Calls `handler` for the code that exists and the code that comes; or for none any more. On
    /// the isolate's thread, outside malloc.
    pub fn set_handler(&self, isolate: u64, handler: Option<Handler>) {
        // kJitCodeEventEnumExisting, or kJitCodeEventDefault.
        let options = c_int::from(handler.is_some());
        (self.functions.set_handler)(isolate, options, handler);
    }

    /// Where the isolate's builtins are: in the program, or in a copy of its own. On its thread.
    pub fn builtins(&self, isolate: u64) -> core::ops::Range<u64> {
        let (mut start, mut length) = (0, 0);
        (self.functions.builtins)(isolate, &raw mut start, &raw mut length);
        start..start.saturating_add(length)
    }

    /// The Node environment whose code the isolate runs, if it does. On its thread, outside malloc.
    pub fn environment(&self, isolate: u64) -> Option<Environment> {
        if !(self.functions.in_context)(isolate) {
            return None;
        }
        self.scoped(isolate, || {
            let context = (self.functions.current_context)(isolate);
            let environment = match context {
                0 => 0,
                context => (self.functions.current_environment)(context),
            };
            (environment != 0).then_some(Environment(environment))
        })
    }

    /// The sampler of V8's heap.
    pub fn heap(&self) -> Option<&Heap> {
        self.heap.as_ref()
    }

    /// Runs `work` in a scope of its own for V8's handles. On the isolate's thread, outside malloc.
    pub fn scoped<T>(&self, isolate: u64, work: impl FnOnce() -> T) -> T {
        let mut scope = Scope([0; 4]);
        (self.functions.begin_scope)(&raw mut scope, isolate);
        let result = work();
        (self.functions.end_scope)(&raw mut scope);
        result
    }

    /// Has `hook` called when the environment ends, before the isolate does. In an interrupt in
    /// which [`Engine::environment`] found one.
    pub fn at_end(&self, isolate: u64, hook: Hook, data: *mut c_void) {
        (self.functions.add_cleanup_hook)(isolate, hook, data);
    }

    /// Has `hook` called when `process.exit` was called, before anything is stopped; also when the
    /// environment has ended. In the same interrupt.
    pub fn at_exit(&self, environment: Environment, hook: Hook, data: *mut c_void) {
        (self.functions.at_exit)(environment.0, hook, data);
    }
}

/// Is it a V8 that was built for Node, of a known version? For example `11.3.244.8-node.38`.
fn is_known(version: &[u8]) -> bool {
    let mut numbers = version.split(|byte| *byte == b'.');
    let mut number = || -> Option<u32> {
        let digits = core::str::from_utf8(numbers.next()?).ok()?;
        digits.parse().ok().filter(|number| *number < 1000)
    };
    let release = number().zip(number()).map(|(major, minor)| major * 1000 + minor);
    let (first, last) = VERSIONS;
    let is_nodes = version.windows(6).any(|part| part == b"-node.");
    is_nodes && release.is_some_and(|release| (first..=last).contains(&release))
}

/// The offset from the thread pointer of the word that `TryGetCurrent` returns, whose code is
/// `code` and begins at `at`: the last instructions are `mov GOT(%rip), %rax; mov %fs:(%rax), %rax`
/// or `mov %fs:OFFSET, %rax`, and then `ret`.
fn thread_local(code: &[u8], at: usize) -> Option<isize> {
    const BY_TABLE: &[u8] = &[0x64, 0x48, 0x8b, 0x00, 0xc3];
    const LOAD: &[u8] = &[0x48, 0x8b, 0x05];
    const DIRECT: &[u8] = &[0x64, 0x48, 0x8b, 0x04, 0x25];
    let number = |at: usize| {
        let bytes = code.get(at..at + 4)?;
        Some(i32::from_le_bytes(bytes.try_into().ok()?) as isize)
    };
    let places = |pattern: &'static [u8]| (0..code.len()).rev().filter(move |at| code.get(*at..).is_some_and(|rest| rest.starts_with(pattern)));
    let direct = places(DIRECT).find(|place| code.get(place + 9) == Some(&0xc3));
    if let Some(place) = direct {
        return number(place + 5);
    }
    let place = places(BY_TABLE).find_map(|place| {
        let load = place.checked_sub(7)?;
        code.get(load..)?.starts_with(LOAD).then_some(load)
    })?;
    let entry = at.wrapping_add(place + 7).wrapping_add_signed(number(place + 3)?);
    // SAFETY: the function reads that entry of its object's table itself; the loader has filled it.
    entry
        .is_multiple_of(8)
        .then(|| unsafe { *(entry as *const isize) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_nodes_own_from_20_to_24() {
        for known in ["11.3.244.8-node.38", "12.4.254.21-node.57", "13.6.233.17-node.53"] {
            assert!(is_known(known.as_bytes()), "{known}");
        }
        for other in ["10.2.154.26-node.36", "14.1.146.11-node.11", "13.6.233.17-electron.0", "", "11"] {
            assert!(!is_known(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_word_is_where_the_instructions_say() {
        // Node 24: `mov %fs:-0xa0, %rax; ret`, after the call that is never made.
        let direct = [0x5d, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x60, 0xff, 0xff, 0xff, 0xc3, 0x66];
        assert_eq!(thread_local(&direct, 0), Some(-0xa0));
        // Node 20: `mov 0x10(%rip), %rax; mov %fs:(%rax), %rax; ret`, with the table behind it.
        #[repr(align(8))]
        struct Code([u8; 40]);
        let mut code = Code([0; 40]);
        code.0[..12].copy_from_slice(&[
            0x48, 0x8b, 0x05, 0x11, 0, 0, 0, 0x64, 0x48, 0x8b, 0x00, 0xc3,
        ]);
        code.0[24..32].copy_from_slice(&(-0x1230_i64).to_le_bytes());
        let at = code.0.as_ptr() as usize;
        assert_eq!(thread_local(&code.0, at), Some(-0x1230));
        // A shared library: `lea x(%rip), %rdi; call __tls_get_addr; mov (%rax), %rax; ret`.
        let dynamic = [0x48, 0x8d, 0x3d, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x00, 0xc3];
        assert_eq!(thread_local(&dynamic, 0), None);
    }
}

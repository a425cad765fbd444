//! The words of glibc that another libc does not have, bound weakly.
//!
//! A program of musl loads us too when it inherits our preload. It must then run as without us, so
//! nothing here may be needed: where a symbol is missing its address is null, and [`is_here`] tells
//! `boot` to stay asleep. Because all references to these symbols are weak, the linker names no
//! library but libc, and musl takes that name for its own.
//!
//! The address is read from the GOT by assembly: the compiler takes the address of a static for
//! never null.
//!
//! Sources: glibc 2.36 `elf/rtld.c`, `elf/link.h`, `nptl/register-atfork.c`; musl 1.2.3
//! `ldso/dynlink.c` (`_dl_debug_addr`); gABI chapter 4, weak symbols.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr;

unsafe extern "C" {
    static _r_debug: u8;
    static _dl_debug_addr: u8;
    static __libc_stack_end: u8;
    static __register_atfork: u8;
}

/// The address of a symbol that need not be there, or 0.
macro_rules! address {
    ($symbol:ident) => {{
        let address: usize;
        // SAFETY: reads a GOT entry of this very object, PC-relative. The directive changes nothing
        // but how the symbol is bound.
        unsafe {
            asm!(
                ".weak {symbol}",
                "mov {address}, qword ptr [rip + {symbol}@GOTPCREL]",
                address = out(reg) address,
                symbol = sym $symbol,
                options(nostack, preserves_flags, pure, readonly),
            );
        }
        address
    }};
}

/// Is glibc this program's libc? False before we are relocated.
pub fn is_here() -> bool {
    address!(_r_debug) != 0
}

/// The loader's `struct r_debug`, musl's as well; null where there is none.
pub fn debug() -> *const usize {
    let own = address!(_r_debug) as *const usize;
    let pointer = address!(_dl_debug_addr) as *const *const usize;
    match own.is_null() && !pointer.is_null() {
        // SAFETY: musl's own pointer, constant in its loader.
        true => unsafe { ptr::read_volatile(pointer) },
        false => own,
    }
}

/// The stack pointer that the program started with, written by ld.so before any constructor; 0 where
/// it is not told.
pub fn stack_end() -> usize {
    let word = address!(__libc_stack_end) as *const usize;
    match word.is_null() {
        true => 0,
        // SAFETY: an aligned word of ld.so, constant since before the first constructor.
        false => unsafe { ptr::read(word) },
    }
}

type Handler = Option<unsafe extern "C" fn()>;
type Register = unsafe extern "C" fn(Handler, Handler, Handler, *mut c_void) -> c_int;

/// `__register_atfork`, the name behind `pthread_atfork`, without a handle of an object. Does
/// nothing where there is no such function, or no memory.
///
/// # Safety
/// The functions are never unloaded, and may run around any fork.
pub unsafe fn register_atfork(prepare: Handler, parent: Handler, child: Handler) {
    let function = address!(__register_atfork);
    if function != 0 {
        // SAFETY: glibc's function of this name has this prototype since 2.3.2.
        unsafe { transmute::<usize, Register>(function)(prepare, parent, child, ptr::null_mut()) };
    }
}

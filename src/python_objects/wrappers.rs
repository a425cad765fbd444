//! The functions that CPython calls instead of its own. Each is a naked function: it takes the size from the
//! thread's countdown of objects, and jumps on; when the countdown runs out it goes to `event`. A free reads
//! the count of its block's page. The arguments stay as they are.
//!
//! As in `hooks`, the countdown starts at zero, so that a thread's first block initialises it.
//!
//! # Safety
//! Naked functions with the System V calling convention and the prototypes of `PyMemAllocatorEx`; each
//! balances the stack and its CFI.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::domain::{Domain, Functions, MEM};
use super::event;
use crate::platform::tls::OBJECTS;
use crate::recorder::OBJECT_PAGES;
use crate::table::live_table::pages::{LG_PAGE, PageFilter};

/// Larger blocks are malloc's (`SMALL_REQUEST_THRESHOLD`, 3.3 to 3.15).
pub const LARGEST: usize = 512;

/// The entries of the events. The named register is the one after the function's own arguments.
mod entries {
    use super::event;
    use crate::hooks::entry::entries;

    entries! {
        mem_malloc("rdx") => event::mem_malloc;
        mem_calloc("rcx") => event::mem_calloc;
        mem_realloc("rcx") => event::mem_realloc;
        mem_realloc_sampled("rcx") => event::mem_realloc_sampled;
        obj_malloc("rdx") => event::obj_malloc;
        obj_calloc("rcx") => event::obj_calloc;
        obj_realloc("rcx") => event::obj_realloc;
        obj_realloc_sampled("rcx") => event::obj_realloc_sampled;
    }
}

/// Compares the count of the page in which the block in `rsi` begins with zero.
macro_rules! test_page {
    () => {
        "mov eax, esi
        shr eax, {lg_page}
        lea r11, [rip + {pages} + {counts}]
        cmp byte ptr [r11 + rax], 0"
    };
}

macro_rules! wrappers {
    ($domain:ident: $malloc:ident, $calloc:ident, $realloc:ident, $realloc_sampled:ident, $free:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $malloc() {
            naked_asm!(
                ".cfi_startproc",
                "cmp rsi, {largest}",
                "ja 2f",
                "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
                "sub qword ptr fs:[rax + {objects}], rsi",
                "jbe {event}",
                "2: jmp qword ptr [rip + {domain} + {target}]",
                ".cfi_endproc",
                largest = const LARGEST,
                objects = const OBJECTS,
                event = sym entries::$malloc,
                domain = sym super::domain::$domain,
                target = const core::mem::offset_of!(Domain, malloc),
            )
        }

        // `rdx` is the third argument, and the product's upper half.
        #[unsafe(naked)]
        unsafe extern "C" fn $calloc() {
            naked_asm!(
                ".cfi_startproc",
                "mov r8, rdx",
                "mov rax, rsi",
                "mul rdx",
                "mov rdx, r8",
                "jo 2f",
                "cmp rax, {largest}",
                "ja 2f",
                "mov r8, qword ptr [rip + malloscope_tls@gottpoff]",
                "sub qword ptr fs:[r8 + {objects}], rax",
                "jbe {event}",
                "2: jmp qword ptr [rip + {domain} + {target}]",
                ".cfi_endproc",
                largest = const LARGEST,
                objects = const OBJECTS,
                event = sym entries::$calloc,
                domain = sym super::domain::$domain,
                target = const core::mem::offset_of!(Domain, calloc),
            )
        }

        #[unsafe(naked)]
        unsafe extern "C" fn $realloc() {
            naked_asm!(
                ".cfi_startproc",
                "cmp rdx, {largest}",
                "ja 2f",
                "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
                "sub qword ptr fs:[rax + {objects}], rdx",
                "jbe {event}",
                "2:",
                test_page!(),
                "jne {sampled}",
                "jmp qword ptr [rip + {domain} + {target}]",
                ".cfi_endproc",
                largest = const LARGEST,
                objects = const OBJECTS,
                event = sym entries::$realloc,
                lg_page = const LG_PAGE,
                pages = sym OBJECT_PAGES,
                counts = const core::mem::offset_of!(PageFilter, counts),
                sampled = sym entries::$realloc_sampled,
                domain = sym super::domain::$domain,
                target = const core::mem::offset_of!(Domain, realloc),
            )
        }

        #[unsafe(naked)]
        unsafe extern "C" fn $free() {
            naked_asm!(
                ".cfi_startproc",
                test_page!(),
                "jne 2f",
                "3: jmp qword ptr [rip + {domain} + {target}]",
                "2: push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "mov rdi, rsi",
                "call {let_go}",
                "add rsp, 8",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "jmp 3b",
                ".cfi_endproc",
                lg_page = const LG_PAGE,
                pages = sym OBJECT_PAGES,
                counts = const core::mem::offset_of!(PageFilter, counts),
                let_go = sym event::let_go,
                domain = sym super::domain::$domain,
                target = const core::mem::offset_of!(Domain, free),
            )
        }
    };
}

wrappers!(MEM: mem_malloc, mem_calloc, mem_realloc, mem_realloc_sampled, mem_free);
wrappers!(OBJ: obj_malloc, obj_calloc, obj_realloc, obj_realloc_sampled, obj_free);

/// The wrappers of a domain; the context is not known here.
pub fn of(domain: &Domain) -> Functions {
    let [malloc, calloc, realloc, free] = match domain.number == MEM.number {
        true => [mem_malloc, mem_calloc, mem_realloc, mem_free],
        false => [obj_malloc, obj_calloc, obj_realloc, obj_free],
    }
    .map(|function: unsafe extern "C" fn()| function as usize);
    Functions {
        context: 0,
        malloc,
        calloc,
        realloc,
        free,
    }
}

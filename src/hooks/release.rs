//! What frees while there are samples: the twins that read the count of the block's page, and what
//! is done when a sample begins there.
//!
//! The record goes first, then the block, or another thread would get the address and lose its new
//! record to our removal. The program's own call is made, with its own arguments, by a jump.
//!
//! # Safety
//! Naked functions with the System V calling convention; each balances the stack and its CFI. The
//! pointers are the program's, under the contracts of free(3) and operator delete.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use super::entry::realloc_sampled;
use super::{early, forward};
use crate::live_table::pages::{LG_PAGE, PageFilter};
use crate::next::{self, Block, Functions, REAL};
use crate::recorder::{self, PAGES};
use crate::tls;

/// Reads the count of the page in which the block in `rdi` begins, and says whether it is zero.
macro_rules! test_page {
    () => {
        "mov eax, edi
        shr eax, {lg_page}
        lea r11, [rip + {pages} + {counts}]
        cmp byte ptr [r11 + rax], 0"
    };
}

/// Asks `let_go` whether the block in `rdi` is to be freed now; the arguments are kept.
macro_rules! ask {
    () => {
        "push rdi
        .cfi_adjust_cfa_offset 8
        push rsi
        .cfi_adjust_cfa_offset 8
        push rdx
        .cfi_adjust_cfa_offset 8
        call {let_go}
        pop rdx
        .cfi_adjust_cfa_offset -8
        pop rsi
        .cfi_adjust_cfa_offset -8
        pop rdi
        .cfi_adjust_cfa_offset -8
        test al, al"
    };
}

/// The twin of free while there are samples: goes by the count of the block's page. The hook has
/// left the address of the filter in `rcx`.
///
/// # Safety
/// Reached by a jump from the hook, with the argument of free.
#[unsafe(naked)]
pub unsafe extern "C" fn watched_free() {
    naked_asm!(
        ".cfi_startproc",
        "mov eax, edi",
        "shr eax, {lg_page}",
        "movzx eax, byte ptr [rcx + rax + {counts}]",
        "jmp qword ptr [rcx + 8*rax + {routes}]",
        ".cfi_endproc",
        lg_page = const LG_PAGE,
        counts = const core::mem::offset_of!(PageFilter, counts),
        routes = const core::mem::offset_of!(PageFilter, routes),
    )
}

/// free of a block in whose page a sample begins.
///
/// # Safety
/// As free(3).
#[unsafe(naked)]
pub unsafe extern "C" fn free_sampled() {
    naked_asm!(
        ".cfi_startproc",
        ask!(),
        "jz 2f",
        "jmp qword ptr [rip + {real} + {target}]",
        "2: ret",
        ".cfi_endproc",
        let_go = sym let_go,
        real = sym REAL,
        target = const core::mem::offset_of!(Functions, free),
    )
}

/// The twin of realloc while there are samples. The hook has counted the bytes.
///
/// # Safety
/// Reached by a jump from the hook, with the arguments of realloc.
#[unsafe(naked)]
pub unsafe extern "C" fn watched_realloc() {
    naked_asm!(
        ".cfi_startproc",
        test_page!(),
        "jne {sampled}",
        "jmp qword ptr [rip + {real} + {target}]",
        ".cfi_endproc",
        lg_page = const LG_PAGE,
        pages = sym PAGES,
        counts = const core::mem::offset_of!(PageFilter, counts),
        sampled = sym realloc_sampled,
        real = sym REAL,
        target = const core::mem::offset_of!(Functions, realloc),
    )
}

macro_rules! checked {
    ($($name:ident: $field:ident;)+) => {$(
        #[doc = concat!("The twin of `", stringify!($field), "` while there are samples, when the next allocator's own does not pass through free.")]
        ///
        /// # Safety
        /// As the function of that name.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                test_page!(),
                "jne 2f",
                "3: jmp qword ptr [rip + {real} + {target}]",
                "2:",
                ask!(),
                "jnz 3b",
                "ret",
                ".cfi_endproc",
                lg_page = const LG_PAGE,
                pages = sym PAGES,
                counts = const core::mem::offset_of!(PageFilter, counts),
                let_go = sym let_go,
                real = sym REAL,
                target = const core::mem::offset_of!(Functions, $field),
            )
        }
    )+};
}

checked! {
    check_delete: delete;
    check_delete_array: delete_array;
    check_delete_sized: delete_sized;
    check_delete_array_sized: delete_array_sized;
    check_delete_nothrow: delete_nothrow;
    check_delete_array_nothrow: delete_array_nothrow;
    check_delete_aligned: delete_aligned;
    check_delete_array_aligned: delete_array_aligned;
    check_delete_sized_aligned: delete_sized_aligned;
    check_delete_array_sized_aligned: delete_array_sized_aligned;
    check_delete_aligned_nothrow: delete_aligned_nothrow;
    check_delete_array_aligned_nothrow: delete_array_aligned_nothrow;
    check_dallocx: dallocx;
    check_sdallocx: sdallocx;
}

/// free before the hooks were given their targets.
///
/// # Safety
/// As free(3).
pub unsafe extern "C" fn free_unready(block: Block) {
    if early::is_now() {
        return;
    }
    forward::bootstrap();
    // SAFETY: as promised by the caller.
    unsafe { late_delete(block) };
}

/// A C++ operator delete that nobody defines: its block came from malloc.
///
/// # Safety
/// As free(3).
pub unsafe extern "C" fn late_delete(block: Block) {
    if let_go(block) {
        // SAFETY: as promised by the caller; the record of the block is gone.
        unsafe { next::allocator().free(block) };
    }
}

/// Takes the record of a block away that is about to be freed. False: the block is not to be freed
/// now. For any pointer.
pub extern "C" fn let_go(block: Block) -> bool {
    if early::owns(block) {
        return false;
    }
    block.is_null() || !recorder::may_be_sampled(block as usize) || let_sample_go(block as usize)
}

#[cold]
#[inline(never)]
fn let_sample_go(address: usize) -> bool {
    if recorder::release(address).is_err() {
        return !recorder::free_later(address);
    }
    free_pending();
    true
}

/// Frees what was put off: by signal handlers of this thread while it was inside our tables, or
/// because of a fork.
#[inline(always)]
pub(super) fn free_pending() {
    if recorder::has_pending() {
        free_all_pending();
    }
}

#[cold]
#[inline(never)]
fn free_all_pending() {
    while !tls::current().is_busy()
        && let Some(address) = recorder::next_pending()
    {
        match recorder::release(address) {
            Ok(()) => {}
            Err(_) if recorder::free_later(address) => return,
            Err(_) => {}
        }
        // SAFETY: the program freed this block before; its record is gone, or cannot be had.
        unsafe { next::allocator().free(address as Block) };
    }
}

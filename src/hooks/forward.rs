//! What the hooks jump to when an allocation or a free is not to be sampled.
//!
//! Every pointer starts at a bootstrap entry, or at null. [`install`] replaces it. [`bootstrap`]
//! calls [`install`] when a hook is called before our constructor; else `boot` does. From then on
//! the pointers lead into objects that the program started with, which are never closed. A C++
//! operator that has no definition by then can only come from a library opened later. That library
//! may be closed again, so the hook gets a replacement of ours that leads to malloc.
//!
//! `begin_to_watch` replaces the targets of the functions that free. It runs once, when the first
//! sample is taken; until then a free is only forwarded. Each store is complete in itself, so
//! relaxed atomics suffice unless a comment says more. A thread that still sees an old pointer
//! resolves once more, or frees a block that it had before there were samples.
//!
//! # Safety
//! Naked functions with the System V calling convention; each balances the stack and its CFI.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::c_void;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Relaxed, Release};

use super::{early, operators, release};
use crate::address_of;
use crate::next::{self, Block, Entry, REAL};
use crate::recorder::{self, PAGES};
use crate::table::live_table::pages::PageFilter;

/// What a free reads first: null until [`install`] writes it, then the page filter.
pub static FREES: AtomicPtr<PageFilter> = AtomicPtr::new(core::ptr::null_mut());

type Function = unsafe extern "C" fn();

const fn entry(function: Function) -> Entry {
    AtomicPtr::new(function as *mut c_void)
}

macro_rules! forward {
    (
        plain { $($plain:ident: $boot_plain:ident,)+ }
        extended { $($extended:ident,)+ }
        new { $($new:ident: $boot_new:ident, $count:ident, $late:ident,)+ }
        delete { $($delete:ident: $boot_delete:ident, $check:ident,)+ }
    ) => {
        /// One jump target per hot hook.
        #[repr(C)]
        #[allow(missing_docs, reason = "each field is the target of the hook of its name")]
        pub struct Forward {
            $(pub $plain: Entry,)+
            $(pub $extended: Entry,)+
            $(pub $new: Entry,)+
            $(pub $delete: Entry,)+
        }

        /// The current targets. The head of the file says which functions write them.
        pub static FORWARD: Forward = Forward {
            $($plain: entry($boot_plain),)+
            $($extended: Entry::new(core::ptr::null_mut()),)+
            $($new: entry($boot_new),)+
            $($delete: entry($boot_delete),)+
        };

        fn install_operators() {
            $(install_operator(&FORWARD.$new, address_of!($boot_new), &REAL.$new, address_of!(operators::entries::$late), Some(address_of!(operators::$count)));)+
            $(install_operator(&FORWARD.$delete, address_of!($boot_delete), &REAL.$delete, address_of!(release::late_delete), None);)+
        }

        fn watch_operators() {
            $(if is_counted_here(&REAL.$delete) {
                FORWARD.$delete.store(address_of!(release::$check) as *mut c_void, Relaxed);
            })+
        }
    };
}

forward! {
    plain {
        malloc: boot_malloc,
        calloc: boot_calloc,
        realloc: boot_realloc,
    }
    extended {
        mallocx,
        dallocx,
        sdallocx,
    }
    new {
        new: boot_new, count_new, late_new,
        new_array: boot_new_array, count_new_array, late_new_array,
        new_nothrow: boot_new_nothrow, count_new_nothrow, late_new_nothrow,
        new_array_nothrow: boot_new_array_nothrow, count_new_array_nothrow, late_new_array_nothrow,
        new_aligned: boot_new_aligned, count_new_aligned, late_new_aligned,
        new_array_aligned: boot_new_array_aligned, count_new_array_aligned, late_new_array_aligned,
        new_aligned_nothrow: boot_new_aligned_nothrow, count_new_aligned_nothrow, late_new_aligned_nothrow,
        new_array_aligned_nothrow: boot_new_array_aligned_nothrow, count_new_array_aligned_nothrow, late_new_array_aligned_nothrow,
    }
    delete {
        delete: boot_delete, check_delete,
        delete_array: boot_delete_array, check_delete_array,
        delete_sized: boot_delete_sized, check_delete_sized,
        delete_array_sized: boot_delete_array_sized, check_delete_array_sized,
        delete_nothrow: boot_delete_nothrow, check_delete_nothrow,
        delete_array_nothrow: boot_delete_array_nothrow, check_delete_array_nothrow,
        delete_aligned: boot_delete_aligned, check_delete_aligned,
        delete_array_aligned: boot_delete_array_aligned, check_delete_array_aligned,
        delete_sized_aligned: boot_delete_sized_aligned, check_delete_sized_aligned,
        delete_array_sized_aligned: boot_delete_array_sized_aligned, check_delete_array_sized_aligned,
        delete_aligned_nothrow: boot_delete_aligned_nothrow, check_delete_aligned_nothrow,
        delete_array_aligned_nothrow: boot_delete_array_aligned_nothrow, check_delete_array_aligned_nothrow,
    }
}

/// Handles the first call of any hook, before or after our constructor.
pub extern "C" fn bootstrap() {
    next::resolve();
    install();
}

/// Points the hooks at the next allocator, unless that was already done.
pub fn install() {
    let real = next::allocator();
    let null = core::ptr::null_mut();
    settle(
        &FORWARD.malloc,
        address_of!(boot_malloc) as *mut c_void,
        real.malloc.load(Relaxed),
    );
    settle(
        &FORWARD.calloc,
        address_of!(boot_calloc) as *mut c_void,
        real.calloc.load(Relaxed),
    );
    settle(
        &FORWARD.realloc,
        address_of!(boot_realloc) as *mut c_void,
        real.realloc.load(Relaxed),
    );
    // jemalloc's functions, which the program cannot call before `unveil` shows them.
    settle(&FORWARD.mallocx, null, real.mallocx.load(Relaxed));
    settle(&FORWARD.dallocx, null, real.dallocx.load(Relaxed));
    settle(&FORWARD.sdallocx, null, real.sdallocx.load(Relaxed));
    install_operators();
    settle(&PAGES.entry, null, real.free.load(Relaxed));
    recorder::set_watch(&BEGIN_TO_WATCH);
    if PAGES.holds_any() {
        recorder::watch_frees();
    }
    FREES.store(core::ptr::from_ref(&PAGES).cast_mut(), Relaxed);
}

/// Gives a target its first value. A thread that was delayed in [`install`] must not undo what
/// `begin_to_watch` did in the meantime.
fn settle(target: &Entry, initial: *mut c_void, value: *mut c_void) {
    // An Err means that the target already has its value.
    let _ = target.compare_exchange(initial, value, Relaxed, Relaxed);
}

/// From now on, every function that frees asks the page filter first. Called before the first
/// sample is recorded.
static BEGIN_TO_WATCH: fn() = begin_to_watch;

#[cold]
fn begin_to_watch() {
    let sampled = address_of!(release::free_sampled) as *mut c_void;
    for route in &PAGES.routes {
        route.store(sampled, Relaxed);
    }
    let [none, ..] = &PAGES.routes;
    none.store(REAL.free.load(Relaxed), Relaxed);
    FORWARD.realloc.store(
        address_of!(release::watched_realloc) as *mut c_void,
        Relaxed,
    );
    FORWARD
        .dallocx
        .store(address_of!(release::check_dallocx) as *mut c_void, Relaxed);
    FORWARD
        .sdallocx
        .store(address_of!(release::check_sdallocx) as *mut c_void, Relaxed);
    watch_operators();
    // Release: pairs with the hook's load of the address. A hook that sees the address must see the
    // routes.
    PAGES
        .entry
        .store(address_of!(release::watched_free) as *mut c_void, Release);
}

/// Does a C++ operator work without our hooks of malloc and free? An operator that calls them is
/// counted there.
fn is_counted_here(real: &Entry) -> bool {
    next::is_counted(real) && !next::is_shadowed()
}

/// Chooses `late` if the operator has no definition, `counting` if it is counted at its own hook,
/// and the operator itself in all other cases.
fn install_operator(
    target: &Entry,
    boot: usize,
    real: &Entry,
    late: usize,
    counting: Option<usize>,
) {
    let operator = real.load(Relaxed);
    let counting = counting.filter(|_| is_counted_here(real));
    let chosen = match (operator.is_null(), counting) {
        (true, _) => late as *mut c_void,
        (false, Some(counting)) => counting as *mut c_void,
        (false, None) => operator,
    };
    settle(target, boot as *mut c_void, chosen);
}

/// free, before the hooks have their targets.
///
/// # Safety
/// As free(3).
pub unsafe extern "C" fn free_unready(block: Block) {
    if early::is_now() {
        return;
    }
    bootstrap();
    // SAFETY: as promised by the caller.
    unsafe { release::late_delete(block) };
}

macro_rules! bootstrap {
    ($($name:ident: $field:ident;)+) => {$(
        #[doc = concat!("Resolves the next allocator, then goes where `", stringify!($field), "` goes from now on.")]
        ///
        /// # Safety
        /// Jumped to from the hook.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "call {resolve}",
                "pop rdx",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "jmp qword ptr [rip + {forward} + {target}]",
                ".cfi_endproc",
                resolve = sym bootstrap,
                forward = sym FORWARD,
                target = const core::mem::offset_of!(Forward, $field),
            )
        }
    )+};
}

bootstrap! {
    boot_malloc: malloc;
    boot_calloc: calloc;
    boot_realloc: realloc;
    boot_new: new;
    boot_new_array: new_array;
    boot_new_nothrow: new_nothrow;
    boot_new_array_nothrow: new_array_nothrow;
    boot_new_aligned: new_aligned;
    boot_new_array_aligned: new_array_aligned;
    boot_new_aligned_nothrow: new_aligned_nothrow;
    boot_new_array_aligned_nothrow: new_array_aligned_nothrow;
    boot_delete: delete;
    boot_delete_array: delete_array;
    boot_delete_sized: delete_sized;
    boot_delete_array_sized: delete_array_sized;
    boot_delete_nothrow: delete_nothrow;
    boot_delete_array_nothrow: delete_array_nothrow;
    boot_delete_aligned: delete_aligned;
    boot_delete_array_aligned: delete_array_aligned;
    boot_delete_sized_aligned: delete_sized_aligned;
    boot_delete_array_sized_aligned: delete_array_sized_aligned;
    boot_delete_aligned_nothrow: delete_aligned_nothrow;
    boot_delete_array_aligned_nothrow: delete_array_aligned_nothrow;
}

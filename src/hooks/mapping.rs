//! mmap(2), munmap(2), mremap(2) and brk(2): passed on, and with `prof_mmap` sampled as a kind of
//! their own.
//!
//! The exported hooks jump through [`TARGETS`]: to libc's function, or to the
//! recording twins here. A target that is still null leads to a bootstrap entry. Allocators behind
//! us map through these hooks too, so nothing here may allocate, and the thread may be inside us
//! already. errno is the next function's; nothing of ours sets it. What libc maps for itself (its
//! malloc, the stacks of threads) does not pass here.
//!
//! A mapping without any access is a reservation and no memory: it is not a sample, and it ends
//! those it is laid over. A mapping is counted whole, touched or not.
//!
//! Sources: mmap(2), mremap(2), sbrk(2); glibc 2.36 `misc/sbrk.c`.
//!
//! # Safety
//! The arguments are the program's own, under the contracts of those calls; they are passed on as
//! they are.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use super::early;
use super::entry::Context;
use crate::address_of;
use crate::next::{self, Entry};
use crate::platform::sys;
use crate::recorder::{Hook, mmap};
use crate::table::range_table::Removed;

/// The entries of these functions. The register named is the one behind the function's own arguments.
#[allow(unsafe_code)]
pub mod entries {
    use crate::hooks::entry::entries;

    entries! {
        munmap("rdx") => super::munmap;
        mremap("r9") => super::mremap;
        brk("rsi") => super::brk;
        sbrk("rsi") => super::sbrk;
        // Six arguments fill the registers: the seventh is what the entry pushes.
        mmap("rax") => super::mmap;
        mmap64("rax") => super::mmap64;
    }
}

macro_rules! functions {
    ($($field:ident: $boot:ident, $twin:ident;)+) => {
        /// One pointer for each function; null before `resolve`, and where libc has no such.
        #[repr(C)]
        #[allow(missing_docs, reason = "each field is the function of its name")]
        pub struct Mapping {
            $(pub $field: Entry,)+
        }

        impl Mapping {
            const fn empty() -> Mapping {
                Mapping { $($field: Entry::new(core::ptr::null_mut()),)+ }
            }
        }

        fn resolve() {
            let next = next::allocator();
            $(if REAL.$field.load(Relaxed).is_null() {
                let function = next.$field.load(Relaxed);
                REAL.$field.store(function, Relaxed);
                TARGETS.$field.store(function, Relaxed);
            })+
        }

        /// Looks the functions up and leads the hooks to them. Before the program's first thread.
        pub fn install() {
            resolve();
        }

        /// Leads the hooks to the recording twins. After [`install`].
        pub fn record() {
            IS_RECORDED.store(true, Relaxed);
            $(if !REAL.$field.load(Relaxed).is_null() {
                TARGETS.$field.store(address_of!(entries::$twin) as *mut c_void, Relaxed);
            })+
        }

        $(
            #[doc = concat!("The first `", stringify!($field), "` before our constructor.")]
            ///
            /// # Safety
            /// Jumped to from the hook.
            #[unsafe(naked)]
            pub unsafe extern "C" fn $boot() {
                naked_asm!(
                    ".cfi_startproc",
                    "push rdi",
                    "push rsi",
                    "push rdx",
                    "push rcx",
                    "push r8",
                    "push r9",
                    ".cfi_adjust_cfa_offset 48",
                    "mov rdi, rsp",
                    "lea rsi, [rip + {real} + {field}]",
                    "mov edx, {field}",
                    "push rax",
                    ".cfi_adjust_cfa_offset 8",
                    "call {bootstrap}",
                    "add rsp, 56",
                    ".cfi_adjust_cfa_offset -56",
                    "ret",
                    ".cfi_endproc",
                    real = sym REAL,
                    field = const core::mem::offset_of!(Mapping, $field),
                    bootstrap = sym bootstrap,
                )
            }
        )+
    };
}

functions! {
    mmap: boot_mmap, mmap;
    mmap64: boot_mmap64, mmap64;
    munmap: boot_munmap, munmap;
    mremap: boot_mremap, mremap;
    brk: boot_brk, brk;
    sbrk: boot_sbrk, sbrk;
}

/// The next definition of each. Written by [`resolve`], the same values each time; relaxed, since
/// each pointer is complete in itself and the code behind it was loaded before us.
static REAL: Mapping = Mapping::empty();

/// Are mappings sampled? Written by [`record`], before the program's first thread.
static IS_RECORDED: AtomicBool = AtomicBool::new(false);

/// Leads the hooks that map to their twins, in which runtimes look at the stack. After [`install`].
pub fn watch() {
    let twins = [
        (&REAL.mmap, &TARGETS.mmap, address_of!(entries::mmap)),
        (&REAL.mmap64, &TARGETS.mmap64, address_of!(entries::mmap64)),
    ];
    for (real, target, twin) in twins {
        if !real.load(Relaxed).is_null() {
            target.store(twin as *mut c_void, Relaxed);
        }
    }
}

/// What the hooks jump to; null leads to the bootstrap entries. Written by `resolve` and by
/// [`record`]; relaxed for the same reason.
pub static TARGETS: Mapping = Mapping::empty();

/// Arguments of a call as the bootstrap entry pushed them: the last is the lowest.
type Arguments = [usize; 6];

/// A call before our constructor: looks the functions up and makes it. Before we are relocated there
/// is nothing to call, so the kernel is asked directly; errno cannot be set then, and the break,
/// which libc keeps, is not moved.
extern "C" fn bootstrap(arguments: &Arguments, real: &Entry, field: usize) -> usize {
    let [f, e, d, c, b, a] = *arguments;
    if early::is_now() {
        let number = match field {
            _ if field == core::mem::offset_of!(Mapping, munmap) => libc::SYS_munmap,
            _ if field == core::mem::offset_of!(Mapping, mremap) => libc::SYS_mremap,
            _ if field < core::mem::offset_of!(Mapping, munmap) => libc::SYS_mmap,
            _ => return usize::MAX,
        };
        // SAFETY: the program's own call.
        let result = unsafe { sys::pass_on(number, [a, b, c, d, e, f]) };
        return if result < 0 {
            usize::MAX
        } else {
            result as usize
        };
    }
    resolve();
    let function = real.load(Relaxed);
    if function.is_null() {
        return usize::MAX;
    }
    // SAFETY: the C function of that name takes at most these six in registers, and ignores others.
    unsafe {
        let function: unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize =
            transmute(function);
        function(a, b, c, d, e, f)
    }
}

macro_rules! real {
    ($field:ident($($arg:expr),+) as $type:ty) => {{
        let function = REAL.$field.load(Relaxed);
        // SAFETY: a twin is a target only where the function was found, and it has this prototype.
        unsafe {
            let function: $type = transmute(function);
            function($($arg),+)
        }
    }};
}

type Mmap = unsafe extern "C" fn(usize, usize, c_int, c_int, c_int, i64) -> usize;
type Munmap = unsafe extern "C" fn(usize, usize) -> c_int;
type Mremap = unsafe extern "C" fn(usize, usize, usize, c_int, usize) -> usize;
type Brk = unsafe extern "C" fn(usize) -> c_int;
type Sbrk = unsafe extern "C" fn(isize) -> usize;

/// What mmap, mremap and sbrk return for failure.
const FAILED: usize = usize::MAX;

/// What a mapping of `length` bytes occupies; 0 for a length that no mapping has.
fn pages(length: usize) -> usize {
    length.checked_next_multiple_of(sys::PAGE).unwrap_or(0)
}

macro_rules! mmap_twins {
    ($($name:ident, $hook:ident;)+) => {$(
        #[doc = concat!(stringify!($name), "(2)")]
        pub(super) extern "C" fn $name(
            address: usize,
            length: usize,
            access: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
            context: &Context,
        ) -> usize {
            let at = real!($name(address, length, access, flags, file, offset) as Mmap);
            if at == FAILED {
                return at;
            }
            mmap::look(Hook::$hook, context.registers());
            match access {
                _ if !IS_RECORDED.load(Relaxed) => {}
                libc::PROT_NONE => mmap::gone(&mmap::unmapping(at, pages(length))),
                _ => mmap::mapped(at, pages(length), Hook::$hook, context.registers()),
            }
            at
        }
    )+};
}

mmap_twins! {
    mmap, Mmap;
    mmap64, Mmap64;
}

/// munmap(2)
pub(super) extern "C" fn munmap(address: usize, length: usize, _context: &Context) -> c_int {
    // The kernel refuses an address that is none of a page: nothing to take out.
    let length_there = if address.is_multiple_of(sys::PAGE) {
        pages(length)
    } else {
        0
    };
    let removed = mmap::unmapping(address, length_there);
    let result = real!(munmap(address, length) as Munmap);
    settle(&removed, result == 0);
    result
}

/// mremap(2): an unmapping and a mapping, as realloc is a free and an allocation.
pub(super) extern "C" fn mremap(
    old: usize,
    old_length: usize,
    length: usize,
    flags: c_int,
    address: usize,
    context: &Context,
) -> usize {
    let stays = flags & libc::MREMAP_DONTUNMAP != 0;
    let removed = match stays {
        true => Removed::default(),
        false => mmap::unmapping(old, pages(old_length)),
    };
    let at = real!(mremap(old, old_length, length, flags, address) as Mremap);
    settle(&removed, at != FAILED);
    // What was no sample may be one now. A reservation that we did not see is taken for memory: it
    // cannot be known, and is rare.
    if at != FAILED {
        mmap::mapped(at, pages(length), Hook::Mremap, context.registers());
    }
    at
}

/// brk(2)
pub(super) extern "C" fn brk(end: usize, context: &Context) -> c_int {
    if sys::is_sandboxed() {
        return real!(brk(end) as Brk);
    }
    let before = sys::program_break();
    let removed = mmap::unmapping(end, before.saturating_sub(end));
    let result = real!(brk(end) as Brk);
    settle(&removed, result == 0);
    if result == 0 {
        mmap::mapped(
            before,
            end.saturating_sub(before),
            Hook::Brk,
            context.registers(),
        );
    }
    result
}

/// sbrk(2): libc keeps the break, so only the difference is known.
pub(super) extern "C" fn sbrk(increment: isize, context: &Context) -> usize {
    if sys::is_sandboxed() {
        return real!(sbrk(increment) as Sbrk);
    }
    let less = if increment < 0 {
        increment.unsigned_abs()
    } else {
        0
    };
    let removed = match less {
        0 => Removed::default(),
        less => mmap::unmapping(sys::program_break().saturating_sub(less), less),
    };
    let before = real!(sbrk(increment) as Sbrk);
    settle(&removed, before != FAILED);
    if before != FAILED && increment > 0 {
        mmap::mapped(
            before,
            increment.unsigned_abs(),
            Hook::Sbrk,
            context.registers(),
        );
    }
    before
}

/// What was taken out is gone, or still there.
fn settle(removed: &Removed, gone: bool) {
    match gone {
        true => mmap::gone(removed),
        false => mmap::restore(removed),
    }
}

//! The next allocator: the functions behind our hooks.
//!
//! [`REAL`] holds the functions of the next allocator; `hooks::forward` decides which of them the
//! hooks jump to. [`resolve`] writes it. Any thread may do so, and each writes the same values.
//!
//! Symbols are looked up by `elf`, not by `dlsym`: `dlsym` allocates, locks, and binds to a symbol
//! version newer than we may require. So nothing is allocated before the next allocator is known,
//! and no bootstrap memory is needed.
//!
//! *Is a block counted at this hook or at malloc's?* A function in the same object as the next
//! `malloc` belongs to that allocator, and is sampled at its own hook. A function in another object
//! (libstdc++'s `operator new`, glibc's `reallocarray` in front of tcmalloc) calls our `malloc`
//! hook. So its own hook only forwards, and the block is counted once.
//!
//! # Safety
//!
//! The pointers are called with C prototypes. POSIX, ISO C and the Itanium C++ ABI give these
//! prototypes to the names that were looked up.
#![allow(unsafe_code)]

mod calls;
pub mod jemalloc;
mod names;

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::platform::elf::{self, Name, Object, Place};
use crate::platform::sys;
pub use calls::Block;
pub(crate) use calls::plain_call;
use names::{ALL, COUNT, EXTENSIONS, SYSTEM, symbols};

/// A function pointer of any type, kept untyped.
pub type Entry = AtomicPtr<c_void>;

macro_rules! tables {
    ($($field:ident = $symbol:literal),+ $(,)?) => {
        /// One pointer per function of the family; null where it is not defined.
        #[repr(C)]
        pub struct Functions {
            $(#[doc = concat!("`", $symbol, "`")] pub $field: Entry,)+
        }

        /// The functions of the next allocator. Written by [`resolve`]. Relaxed is enough: each
        /// pointer is complete in itself, and the code behind it was loaded before us.
        pub static REAL: Functions = Functions { $($field: Entry::new(core::ptr::null_mut()),)+ };

        /// The symbols in the table's order, a blank behind each. They are one text, because a list
        /// of texts would need relocations at each start.
        static SYMBOLS: [u8; concat!($($symbol, " "),+).len()] =
            match concat!($($symbol, " "),+).as_bytes().first_chunk() {
                Some(text) => *text,
                None => unreachable!(),
            };
    };
}

tables! {
    malloc = "malloc",
    calloc = "calloc",
    realloc = "realloc",
    free = "free",
    reallocarray = "reallocarray",
    posix_memalign = "posix_memalign",
    aligned_alloc = "aligned_alloc",
    memalign = "memalign",
    valloc = "valloc",
    pvalloc = "pvalloc",
    malloc_usable_size = "malloc_usable_size",
    new = "_Znwm",
    new_array = "_Znam",
    new_nothrow = "_ZnwmRKSt9nothrow_t",
    new_array_nothrow = "_ZnamRKSt9nothrow_t",
    new_aligned = "_ZnwmSt11align_val_t",
    new_array_aligned = "_ZnamSt11align_val_t",
    new_aligned_nothrow = "_ZnwmSt11align_val_tRKSt9nothrow_t",
    new_array_aligned_nothrow = "_ZnamSt11align_val_tRKSt9nothrow_t",
    delete = "_ZdlPv",
    delete_array = "_ZdaPv",
    delete_sized = "_ZdlPvm",
    delete_array_sized = "_ZdaPvm",
    delete_nothrow = "_ZdlPvRKSt9nothrow_t",
    delete_array_nothrow = "_ZdaPvRKSt9nothrow_t",
    delete_aligned = "_ZdlPvSt11align_val_t",
    delete_array_aligned = "_ZdaPvSt11align_val_t",
    delete_sized_aligned = "_ZdlPvmSt11align_val_t",
    delete_array_sized_aligned = "_ZdaPvmSt11align_val_t",
    delete_aligned_nothrow = "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    delete_array_aligned_nothrow = "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    dlclose = "dlclose",
    mallctl = "mallctl",
    mallocx = "mallocx",
    rallocx = "rallocx",
    xallocx = "xallocx",
    sallocx = "sallocx",
    dallocx = "dallocx",
    sdallocx = "sdallocx",
    tc_malloc_skip_new_handler = "tc_malloc_skip_new_handler",
    dlsym = "dlsym",
    mi_zalloc = "mi_zalloc",
    mi_mallocn = "mi_mallocn",
    mi_malloc_aligned = "mi_malloc_aligned",
    mi_zalloc_aligned = "mi_zalloc_aligned",
    mi_calloc_aligned = "mi_calloc_aligned",
    mi_reallocn = "mi_reallocn",
    mi_reallocarr = "mi_reallocarr",
    mi_rezalloc = "mi_rezalloc",
    mi_recalloc = "mi_recalloc",
    mi_realloc_aligned = "mi_realloc_aligned",
    mi_rezalloc_aligned = "mi_rezalloc_aligned",
    mi_recalloc_aligned = "mi_recalloc_aligned",
    mi_new_n = "mi_new_n",
    mi_new_realloc = "mi_new_realloc",
    mi_new_reallocn = "mi_new_reallocn",
    mmap = "mmap",
    mmap64 = "mmap64",
    munmap = "munmap",
    mremap = "mremap",
    brk = "brk",
    sbrk = "sbrk",
    prctl = "prctl",
    syscall = "syscall",
}

/// True once [`REAL`] is filled. Written by [`resolve`] with release after the table, read with
/// acquire by [`allocator`].
static RESOLVED: AtomicBool = AtomicBool::new(false);

/// True when an object before us in the search order defines `malloc`. Our hooks are then not the
/// program's allocator, and each of them only forwards. Written by [`resolve`].
static SHADOWED: AtomicBool = AtomicBool::new(false);

/// libc's `__libc_single_threaded` (glibc 2.32), or null. Written by [`resolve`].
static SINGLE_THREADED: AtomicPtr<AtomicU8> = AtomicPtr::new(core::ptr::null_mut());

/// Is libc certain that it made no second thread in this process?
pub fn is_single_threaded() -> bool {
    // SAFETY: null, or a byte of libc or of the program. Neither is ever closed.
    let word = unsafe { SINGLE_THREADED.load(Relaxed).as_ref() };
    word.is_some_and(|word| word.load(Relaxed) != 0)
}

/// Fills [`REAL`]. A second call changes nothing, and several threads may call it at once with the
/// same result. It goes through the loader's list only once: most processes are short, and this
/// walk is most of our start.
#[cold]
pub fn resolve() {
    let mut found = Found {
        addresses: [0; COUNT],
        known: 0,
        own: 0,
        single_threaded: 0,
        is_shadowed: false,
        has_allocator: false,
    };
    elf::for_each_but_own(&mut |object, place| found.add(object, place));
    for (at, address) in found.addresses.iter().enumerate() {
        if *address != 0 {
            store(at, *address);
        }
    }
    OWN.store(found.own, Relaxed);
    SINGLE_THREADED.store(found.single_threaded as *mut AtomicU8, Relaxed);
    SHADOWED.store(found.is_shadowed, Relaxed);
    if found.has_allocator {
        RESOLVED.store(true, Release);
    }
}

/// What the search has found so far.
struct Found {
    /// The address of each function: the allocator's own if it has one, else the first definition
    /// found.
    addresses: [usize; COUNT],
    /// A bit for each function that was found, and a bit for each that the allocator itself
    /// defines.
    known: u64,
    own: u64,
    single_threaded: usize,
    is_shadowed: bool,
    has_allocator: bool,
}

impl Found {
    /// Takes what the next object in the loader's order defines.
    fn add(&mut self, object: &Object, place: Place) {
        let Some(table) = object.table() else {
            return;
        };
        let has_malloc = table.symbol(const { Name::new(b"malloc") }).is_some();
        let missing = ALL & !self.known;
        let is_allocator = has_malloc && !self.has_allocator;
        let wanted = match is_allocator {
            // The allocator's own functions replace those found in earlier objects. The `SYSTEM`
            // functions belong to no allocator, so their first definition stays.
            true => missing | (ALL & !SYSTEM),
            false => missing & !EXTENSIONS,
        };
        let mut here = 0;
        table.symbols(symbols(wanted), |at, symbol| {
            if let Some(address) = self.addresses.get_mut(at) {
                *address = symbol.addr;
                here |= 1 << at;
            }
        });
        self.known |= here;
        // If the program is not position-independent, libc's variable may lie in the program's own
        // data.
        if let Some(word) = table.symbol(const { Name::new(b"__libc_single_threaded") })
            && (self.single_threaded == 0 || object.name().is_empty())
        {
            self.single_threaded = word.addr;
        }
        if is_allocator {
            self.own = here & !SYSTEM;
        }
        self.has_allocator |= has_malloc;
        self.is_shadowed |= has_malloc && place == Place::Before;
    }
}

/// The address of a C++ operator that had no definition at the start. It is looked up when memory
/// is short: then only the library that was opened later can do what its users expect. The address
/// is never kept, because that library may be closed. Without a definition the answer is abort,
/// because an operator new does not return without a block.
#[cold]
pub fn find_operator(name: &[u8]) -> usize {
    elf::symbol_under_lock(name).unwrap_or(sys::abort as fn() -> ! as usize)
}

/// The functions of [`REAL`] that the next allocator itself defines, a bit each in the table's
/// order. Written by [`resolve`].
static OWN: AtomicU64 = AtomicU64::new(0);

fn bit(entry: &Entry) -> u64 {
    let offset = core::ptr::from_ref(entry) as usize - core::ptr::from_ref(&REAL) as usize;
    1 << (offset / size_of::<Entry>())
}

fn store(at: usize, address: usize) {
    // SAFETY: `Functions` holds only entries, in the order of `SYMBOLS`, and `at` is the number of
    // one.
    let entry = unsafe { &*(&raw const REAL).cast::<Entry>().add(at) };
    entry.store(address as *mut c_void, Relaxed);
}

/// Does the next allocator itself define this function of [`REAL`]? Then its blocks do not come
/// through our `malloc` hook, so they are counted at the function's own hook.
#[inline]
pub fn is_counted(entry: &Entry) -> bool {
    OWN.load(Relaxed) & bit(entry) != 0
}

/// Does the program use another definition of `malloc`, which comes before ours?
pub fn is_shadowed() -> bool {
    SHADOWED.load(Relaxed)
}

/// The functions of the next allocator, which are resolved now if necessary.
#[inline(always)]
pub fn allocator() -> &'static Functions {
    if !RESOLVED.load(Acquire) {
        resolve();
    }
    &REAL
}

//! The addresses of the exported hooks: the first frame of every stack.
#![allow(unsafe_code)]

use once_cell::race::OnceRef;

/// The exported hooks, for frame 0. Set by [`set`] before sampling begins.
static HOOKS: OnceRef<'static, HookAddresses> = OnceRef::new();

/// The addresses of the exported hooks. Frame 0 of each stack is an address inside the hook where
/// the sample was taken: the profile's readers drop everything up to a function with such a name.
#[allow(missing_docs, reason = "each field is the symbol of its name")]
pub struct HookAddresses {
    pub malloc: *const (),
    pub calloc: *const (),
    pub realloc: *const (),
    pub free: *const (),
    pub malloc_usable_size: *const (),
    pub reallocarray: *const (),
    pub posix_memalign: *const (),
    pub aligned_alloc: *const (),
    pub memalign: *const (),
    pub valloc: *const (),
    pub pvalloc: *const (),
    pub new: *const (),
    pub new_array: *const (),
    pub mmap: *const (),
    pub mmap64: *const (),
    pub mremap: *const (),
    pub brk: *const (),
    pub sbrk: *const (),
}

// SAFETY: addresses of code, which are never written and never dereferenced.
unsafe impl Sync for HookAddresses {}

/// Stores the addresses of the hooks.
pub(super) fn set(hooks: &'static HookAddresses) {
    // A second call would bring the same addresses.
    let _ = HOOKS.set(hooks);
}

/// The exported hooks, after sampling has begun.
pub fn hooks() -> Option<&'static HookAddresses> {
    HOOKS.get()
}

/// The hook that allocated a block.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the function of its name")]
pub enum Hook {
    Malloc,
    Calloc,
    Realloc,
    Reallocarray,
    PosixMemalign,
    AlignedAlloc,
    Memalign,
    Valloc,
    Pvalloc,
    New,
    NewArray,
    Mmap,
    Mmap64,
    Mremap,
    Brk,
    Sbrk,
}

impl Hook {
    /// An address inside the exported function, one past its first byte. A reader that subtracts
    /// one from every frame is then still inside the function.
    pub(super) fn address(self) -> u64 {
        let Some(hooks) = HOOKS.get() else {
            return 0;
        };
        let hook = match self {
            Hook::Malloc => hooks.malloc,
            Hook::Calloc => hooks.calloc,
            Hook::Realloc => hooks.realloc,
            Hook::Reallocarray => hooks.reallocarray,
            Hook::PosixMemalign => hooks.posix_memalign,
            Hook::AlignedAlloc => hooks.aligned_alloc,
            Hook::Memalign => hooks.memalign,
            Hook::Valloc => hooks.valloc,
            Hook::Pvalloc => hooks.pvalloc,
            Hook::New => hooks.new,
            Hook::NewArray => hooks.new_array,
            Hook::Mmap => hooks.mmap,
            Hook::Mmap64 => hooks.mmap64,
            Hook::Mremap => hooks.mremap,
            Hook::Brk => hooks.brk,
            Hook::Sbrk => hooks.sbrk,
        };
        hook as u64 + 1
    }
}

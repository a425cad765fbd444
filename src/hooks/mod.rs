//! The C symbols that the preloaded library exports, as a macro that `preload/` expands, so that
//! tests, benches and fuzz targets can link this crate without replacing their own malloc.
//!
//! The hot twins are naked functions. An allocation takes its size from the thread's countdown and
//! jumps to the next allocator; when nothing is left of it, or the subtraction borrows (unsigned: this
//! catches absurd sizes too), it jumps to the cold twin in `entry`. A free looks at the low twelve bits of the pointer:
//! a sampled block is page-aligned, or a chunk that glibc mapped for itself (page + 16); anything
//! else cannot be sampled and jumps on. Four, six and three instructions, one TLS word, no other
//! memory, no flag that says "initialised": the countdown starts at zero, so a thread's first
//! allocation is its initialisation, and the jump targets start at bootstrap functions.
//!
//! May not: allocate, lock, call the system, panic, touch the stack.
//!
//! Of jemalloc's extended interface the two that free are hooks: a sized free of a sampled block may
//! not reach jemalloc sized. They are harmless without jemalloc, where they free.
//!
//! Source: SysV ABI for x86-64 (argument registers, `fs`), the Itanium C++ ABI (mangled names).

pub mod cold;
pub mod early;
pub mod entry;
pub mod forward;
pub mod java;
pub mod mapping;
pub mod marked;
pub mod resize;
pub mod spare;

/// Expands to the exported C symbols and the table of their addresses, `HOOKS`.
#[macro_export]
macro_rules! export_hooks {
    () => {
        $crate::export_hooks!(@counted malloc, "rdi", malloc_event);
        $crate::export_hooks!(@array calloc);
        $crate::export_hooks!(@resized realloc);
        $crate::export_hooks!(@released free);
        $crate::export_hooks!(@alias free: cfree, free_sized, free_aligned_sized);
        $crate::export_hooks!(@entry
            reallocarray, posix_memalign, aligned_alloc, memalign, valloc, pvalloc, dlclose);
        $crate::export_hooks!(@measured malloc_usable_size);
        $crate::export_hooks!(@function dlsym {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::java::dlsym,
        });
        $crate::export_hooks!(@forward new:
            new = _Znwm,
            new_array = _Znam);
        $crate::export_hooks!(@forward new_nothrow:
            new_nothrow = _ZnwmRKSt9nothrow_t,
            new_array_nothrow = _ZnamRKSt9nothrow_t);
        $crate::export_hooks!(@forward new_aligned:
            new_aligned = _ZnwmSt11align_val_t,
            new_array_aligned = _ZnamSt11align_val_t);
        $crate::export_hooks!(@forward new_aligned_nothrow:
            new_aligned_nothrow = _ZnwmSt11align_val_tRKSt9nothrow_t,
            new_array_aligned_nothrow = _ZnamSt11align_val_tRKSt9nothrow_t);
        $crate::export_hooks!(@forward delete:
            delete = _ZdlPv,
            delete_array = _ZdaPv,
            delete_sized = _ZdlPvm,
            delete_array_sized = _ZdaPvm,
            delete_nothrow = _ZdlPvRKSt9nothrow_t,
            delete_array_nothrow = _ZdaPvRKSt9nothrow_t,
            delete_aligned = _ZdlPvSt11align_val_t,
            delete_array_aligned = _ZdaPvSt11align_val_t,
            delete_sized_aligned = _ZdlPvmSt11align_val_t,
            delete_array_sized_aligned = _ZdaPvmSt11align_val_t,
            delete_aligned_nothrow = _ZdlPvSt11align_val_tRKSt9nothrow_t,
            delete_array_aligned_nothrow = _ZdaPvSt11align_val_tRKSt9nothrow_t,
            dallocx = dallocx,
            sdallocx = sdallocx);

        $crate::export_hooks!(@mapping
            mmap: boot_mmap,
            mmap64: boot_mmap64,
            munmap: boot_munmap,
            mremap: boot_mremap,
            brk: boot_brk,
            sbrk: boot_sbrk);

        $crate::export_hooks!(@addresses
            malloc = malloc,
            calloc = calloc,
            realloc = realloc,
            free = free,
            malloc_usable_size = malloc_usable_size,
            reallocarray = reallocarray,
            posix_memalign = posix_memalign,
            aligned_alloc = aligned_alloc,
            memalign = memalign,
            valloc = valloc,
            pvalloc = pvalloc,
            new = _Znwm,
            new_array = _Znam,
            mmap = mmap,
            mmap64 = mmap64,
            mremap = mremap,
            brk = brk,
            sbrk = sbrk);
    };
    // By hidden labels: an executable that is not position-independent defines `malloc` as its own
    // PLT slot for everybody who asks for the address of the symbol.
    (@addresses $($field:ident = $symbol:ident),+) => {
        /// Where the hooks are: the first frame of every stack.
        pub static HOOKS: $crate::recorder::HookAddresses = {
            unsafe extern "C" {
                $(
                    #[link_name = concat!("malloscope_hook_", stringify!($symbol))]
                    fn $field();
                )+
            }
            $crate::recorder::HookAddresses { $($field: $field as *const ()),+ }
        };
    };
    (@function $symbol:ident { $($body:tt)* }) => {
        #[doc = concat!("The C symbol `", stringify!($symbol), "`.")]
        ///
        /// # Safety
        /// Called with that function's C prototype.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $symbol() {
            core::arch::naked_asm!(
                concat!(".globl malloscope_hook_", stringify!($symbol)),
                concat!(".hidden malloscope_hook_", stringify!($symbol)),
                concat!("malloscope_hook_", stringify!($symbol), ":"),
                ".cfi_startproc",
                $($body)*
            )
        }
    };
    (@counted $symbol:ident, $size:literal, $event:ident) => {
        $crate::export_hooks!(@function $symbol {
            "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
            concat!("sub qword ptr fs:[rax + {countdown}], ", $size),
            "jbe {event}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            countdown = const $crate::tls::COUNTDOWN,
            event = sym $crate::hooks::entry::$event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    // The product must be tested for overflow before it is believed; r8 is no argument here.
    (@array $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "mov rax, rdi",
            "mul rsi",
            "jo {event}",
            "mov r8, qword ptr [rip + malloscope_tls@gottpoff]",
            "sub qword ptr fs:[r8 + {countdown}], rax",
            "jbe {event}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            countdown = const $crate::tls::COUNTDOWN,
            event = sym $crate::hooks::entry::calloc_event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    (@resized $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "test edi, {mark}",
            "jz {marked}",
            "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
            "sub qword ptr fs:[rax + {countdown}], rsi",
            "jbe {event}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            mark = const $crate::hooks::MARK,
            countdown = const $crate::tls::COUNTDOWN,
            marked = sym $crate::hooks::entry::realloc_marked,
            event = sym $crate::hooks::entry::realloc_event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    (@released $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "test edi, {mark}",
            "jz {marked}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            mark = const $crate::hooks::MARK,
            marked = sym $crate::hooks::cold::free_marked,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, free),
        });
    };
    (@alias $of:ident: $($symbol:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            "jmp {of}",
            ".cfi_endproc",
            of = sym $of,
        });
    )+};
    (@entry $($symbol:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::entry::$symbol,
        });
    )+};
    (@measured $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "test edi, {mark}",
            "jz {marked}",
            "mov rax, qword ptr [rip + {real} + {target}]",
            "test rax, rax",
            "jz {marked}",
            "jmp rax",
            ".cfi_endproc",
            mark = const $crate::hooks::MARK,
            real = sym $crate::next::REAL,
            target = const core::mem::offset_of!($crate::next::Functions, $symbol),
            marked = sym $crate::hooks::cold::$symbol,
        });
    };
    // r11 is no argument of any of them. The target is tested, not relocated: it is null until the
    // functions were looked up.
    (@mapping $($symbol:ident: $boot:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            "mov r11, qword ptr [rip + {targets} + {target}]",
            "test r11, r11",
            "jz {boot}",
            "jmp r11",
            ".cfi_endproc",
            targets = sym $crate::hooks::mapping::TARGETS,
            target = const core::mem::offset_of!($crate::hooks::mapping::Mapping, $symbol),
            boot = sym $crate::hooks::mapping::$boot,
        });
    )+};
    // Before we were relocated the target is null, see `early`.
    (@forward $early:ident: $($field:ident = $symbol:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            "cmp qword ptr [rip + {forward} + {target}], 0",
            "je {early}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            early = sym $crate::hooks::early::$early,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $field),
        });
    )+};
}

/// The low bits that a sampled block never has, so that everything else is told apart by one test:
/// page-aligned, or 16 above a page (glibc puts its 16-byte header in front of a mapped chunk).
pub const MARK: u32 = 0xfef;

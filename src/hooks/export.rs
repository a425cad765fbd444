//! The C symbols that the preloaded library exports, as a macro. `preload/` expands it, so tests,
//! benches and fuzz targets can link this crate and keep their own malloc.
//!
//! Each hot hook is a naked function. An allocation subtracts its size from the thread's countdown
//! and jumps to the next allocator. When the countdown is used up, or the subtraction borrows
//! (unsigned: this catches absurd sizes too), it jumps to an entry that calls the hook's cold twin.
//! A free is only a jump until something has been sampled. From then on it reads the count of the
//! page in which its block begins (`live_table::pages`). Zero means that the block is certainly not
//! sampled, and the hook jumps on. A sampled block stays where the allocator put it.
//!
//! The cost is four, six or seven instructions, one TLS word, and one byte of a table. There is no
//! flag that says "initialised". The countdown starts at zero, so a thread's first allocation
//! initialises the thread. The jump targets start at bootstrap functions, or at null.
//!
//! A hook may not allocate, lock, call the system, panic, or touch the stack.
//!
//! The additional functions of jemalloc, tcmalloc and mimalloc exist when the next allocator has
//! them, see `unveil`. Many of them are other names of one function, and share its hook.
//!
//! Source: SysV ABI for x86-64 (argument registers, `fs`), the Itanium C++ ABI (mangled names).

/// Expands to the exported C symbols and the table of their addresses, `HOOKS`.
#[macro_export]
macro_rules! export_hooks {
    () => {
        $crate::export_hooks!(@counted malloc, "rdi", malloc_event);
        $crate::export_hooks!(@array calloc);
        $crate::export_hooks!(@resized realloc);
        $crate::export_hooks!(@released free);
        $crate::export_hooks!(@alias free: cfree, free_sized, free_aligned_sized);
        $crate::export_hooks!(@entry malloc:
            reallocarray, posix_memalign, aligned_alloc, memalign, valloc, pvalloc);
        $crate::export_hooks!(@entry dlclose: dlclose);
        $crate::export_hooks!(@measured malloc_usable_size);
        $crate::export_hooks!(@function dlsym {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::dlsym::dlsym,
        });
        $crate::export_hooks!(@function prctl {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::sandbox::prctl,
        });
        $crate::export_hooks!(@function syscall {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::sandbox::syscall,
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
            delete_array_aligned_nothrow = _ZdaPvSt11align_val_tRKSt9nothrow_t);

        $crate::export_hooks!(@extensions
            mallocx "mallodW" => jemalloc mallocx;
            rallocx "rallodW" => jemalloc entries::rallocx;
            xallocx "xallodW" => jemalloc entries::xallocx;
            sallocx "sallodW" => hook malloc_usable_size;
            dallocx "dallodW" => jemalloc dallocx;
            sdallocx "sdallodW" => jemalloc sdallocx;
            mallctl "mallcuK" => mallctl mallctl;
            mallctlnametomib "mallctlnametomjA" => mallctl mallctlnametomib;
            mallctlbymib "mallctlbymjA" => mallctl mallctlbymib;
            tc_malloc "tc_mallpB" => hook malloc;
            tc_malloc_skip_new_handler "tc_malloc_skip_new_handlfQ" => tcmalloc entries::tc_malloc_skip_new_handler;
            tc_calloc "tc_callpB" => hook calloc;
            tc_realloc "tc_reallpB" => hook realloc;
            tc_free "tc_frfD" => hook free;
            tc_free_sized "tc_free_sizfC" => hook free;
            tc_cfree "tc_cfrfD" => hook free;
            tc_memalign "tc_memalihM" => hook memalign;
            tc_posix_memalign "tc_posix_memalihM" => hook posix_memalign;
            tc_valloc "tc_vallpB" => hook valloc;
            tc_pvalloc "tc_pvallpB" => hook pvalloc;
            tc_malloc_size "tc_malloc_sjYe" => hook malloc_usable_size;
            tc_new "tc_nfV" => hook _Znwm;
            tc_new_nothrow "tc_new_nothrpV" => hook _ZnwmRKSt9nothrow_t;
            tc_new_aligned "tc_new_alignfC" => hook _ZnwmSt11align_val_t;
            tc_new_aligned_nothrow "tc_new_aligned_nothrpV" => hook _ZnwmSt11align_val_tRKSt9nothrow_t;
            tc_newarray "tc_newarrbX" => hook _Znam;
            tc_newarray_nothrow "tc_newarray_nothrpV" => hook _ZnamRKSt9nothrow_t;
            tc_newarray_aligned "tc_newarray_alignfC" => hook _ZnamSt11align_val_t;
            tc_newarray_aligned_nothrow "tc_newarray_aligned_nothrpV" => hook _ZnamSt11align_val_tRKSt9nothrow_t;
            tc_delete "tc_deleuD" => hook _ZdlPv;
            tc_delete_sized "tc_delete_sizfC" => hook _ZdlPvm;
            tc_delete_nothrow "tc_delete_nothrpV" => hook _ZdlPvRKSt9nothrow_t;
            tc_delete_aligned "tc_delete_alignfC" => hook _ZdlPvSt11align_val_t;
            tc_delete_sized_aligned "tc_delete_sized_alignfC" => hook _ZdlPvmSt11align_val_t;
            tc_delete_aligned_nothrow "tc_delete_aligned_nothrpV" => hook _ZdlPvSt11align_val_tRKSt9nothrow_t;
            tc_deletearray "tc_deletearrbX" => hook _ZdaPv;
            tc_deletearray_sized "tc_deletearray_sizfC" => hook _ZdaPvm;
            tc_deletearray_nothrow "tc_deletearray_nothrpV" => hook _ZdaPvRKSt9nothrow_t;
            tc_deletearray_aligned "tc_deletearray_alignfC" => hook _ZdaPvSt11align_val_t;
            tc_deletearray_sized_aligned "tc_deletearray_sized_alignfC" => hook _ZdaPvmSt11align_val_t;
            tc_deletearray_aligned_nothrow "tc_deletearray_aligned_nothrpV" => hook _ZdaPvSt11align_val_tRKSt9nothrow_t;
            mi_malloc "mi_mallpB" => hook malloc;
            mi_malloc_small "mi_malloc_smamK" => hook malloc;
            mi_calloc "mi_callpB" => hook calloc;
            mi_realloc "mi_reallpB" => hook realloc;
            mi_reallocarray "mi_reallocarrbX" => hook reallocarray;
            mi_free "mi_frfD" => hook free;
            mi_free_size "mi_free_sjYe" => hook free;
            mi_free_size_aligned "mi_free_size_alignfC" => hook free;
            mi_free_aligned "mi_free_alignfC" => hook free;
            mi_cfree "mi_cfrfD" => hook free;
            mi_memalign "mi_memalihM" => hook memalign;
            mi_posix_memalign "mi_posix_memalihM" => hook posix_memalign;
            mi_aligned_alloc "mi_aligned_allpB" => hook aligned_alloc;
            mi_valloc "mi_vallpB" => hook valloc;
            mi_pvalloc "mi_pvallpB" => hook pvalloc;
            mi_usable_size "mi_usable_sjYe" => hook malloc_usable_size;
            mi_malloc_size "mi_malloc_sjYe" => hook malloc_usable_size;
            mi_malloc_usable_size "mi_malloc_usable_sjYe" => hook malloc_usable_size;
            mi_zalloc "mi_zallpB" => mimalloc entries::mi_zalloc;
            mi_zalloc_small "mi_zalloc_smamK" => mimalloc entries::mi_zalloc;
            mi_mallocn "mi_mallodM" => mimalloc entries::mi_mallocn;
            mi_malloc_aligned "mi_malloc_alignfC" => mimalloc entries::mi_malloc_aligned;
            mi_zalloc_aligned "mi_zalloc_alignfC" => mimalloc entries::mi_zalloc_aligned;
            mi_calloc_aligned "mi_calloc_alignfC" => mimalloc entries::mi_calloc_aligned;
            mi_reallocn "mi_reallodM" => mimalloc entries::mi_reallocn;
            mi_reallocf "mi_reallodE" => mimalloc entries::mi_reallocf;
            mi_reallocarr "mi_reallocasQ" => mimalloc entries::mi_reallocarr;
            mi_rezalloc "mi_rezallpB" => mimalloc entries::mi_rezalloc;
            mi_recalloc "mi_recallpB" => mimalloc entries::mi_recalloc;
            mi_realloc_aligned "mi_realloc_alignfC" => mimalloc entries::mi_realloc_aligned;
            mi_rezalloc_aligned "mi_rezalloc_alignfC" => mimalloc entries::mi_rezalloc_aligned;
            mi_recalloc_aligned "mi_recalloc_alignfC" => mimalloc entries::mi_recalloc_aligned;
            mi_strdup "mi_strdvO" => mimalloc entries::mi_strdup;
            mi_strndup "mi_strndvO" => mimalloc entries::mi_strndup;
            mi_new "mi_nfV" => hook _Znwm;
            mi_new_nothrow "mi_new_nothrpV" => hook _ZnwmRKSt9nothrow_t;
            mi_new_aligned "mi_new_alignfC" => hook _ZnwmSt11align_val_t;
            mi_new_aligned_nothrow "mi_new_aligned_nothrpV" => hook _ZnwmSt11align_val_tRKSt9nothrow_t;
            mi_new_n "mi_nfV_n" => mimalloc entries::mi_new_n;
            mi_new_realloc "mi_new_reallpB" => mimalloc entries::mi_new_realloc;
            mi_new_reallocn "mi_new_reallodM" => mimalloc entries::mi_new_reallocn;
        );

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
    // Uses hidden labels: in an executable that is not position-independent, the address of
    // `malloc` is a PLT slot of that executable, for all code that asks for the symbol.
    (@addresses $($field:ident = $symbol:ident),+) => {
        /// The addresses of the hooks. The first frame of every stack is one of them.
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
    (@extensions $($name:ident $veil:literal => $kind:ident $($target:ident)::+;)+) => {
        $($crate::export_hooks!(@extension $name $veil => $kind $($target)::+);)+

        /// The hashes of the names of functions that only some allocators have.
        pub static EXTENSIONS: [u32; [$(stringify!($name)),+].len()] =
            [$($crate::platform::elf::gnu_hash(stringify!($name).as_bytes())),+];

        /// The hooks of these functions. Not a static: the loader would have to relocate a static
        /// in every process.
        pub fn extensions() -> [$crate::hooks::unveil::Extension; [$(stringify!($name)),+].len()] {
            unsafe extern "C" {
                $(
                    #[link_name = concat!("malloscope_hook_", stringify!($name))]
                    fn $name();
                )+
            }
            [$($crate::hooks::unveil::Extension {
                name: stringify!($name),
                hash: const { $crate::platform::elf::gnu_hash(stringify!($name).as_bytes()) },
                veil: $veil,
                hook: $crate::address_of!($name),
            }),+]
        }
    };
    (@extension $name:ident $veil:literal => hook $target:ident) => {
        $crate::export_hooks!(@veiled $name $veil {
            concat!("jmp malloscope_hook_", stringify!($target)),
            ".cfi_endproc",
        });
    };
    (@extension $name:ident $veil:literal => $family:ident $($target:ident)::+) => {
        $crate::export_hooks!(@veiled $name $veil {
            "jmp {target}",
            ".cfi_endproc",
            target = sym $crate::hooks::$family::$($target)::+,
        });
    };
    // Exported under another name, see `unveil`.
    (@veiled $name:ident $veil:literal { $($body:tt)* }) => {
        #[doc = concat!("Leads to the hook of `", stringify!($name), "`.")]
        ///
        /// # Safety
        /// Called with that function's C prototype.
        #[unsafe(export_name = $veil)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                concat!(".globl malloscope_hook_", stringify!($name)),
                concat!(".hidden malloscope_hook_", stringify!($name)),
                concat!("malloscope_hook_", stringify!($name), ":"),
                ".cfi_startproc",
                $($body)*
            )
        }

        const _: () = assert!($crate::hooks::unveil::is_veil($veil, stringify!($name)));
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
            countdown = const $crate::platform::tls::COUNTDOWN,
            event = sym $crate::hooks::malloc::entries::$event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    // The product must be tested for overflow before it is used. r8 carries no argument here.
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
            countdown = const $crate::platform::tls::COUNTDOWN,
            event = sym $crate::hooks::malloc::entries::calloc_event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    (@resized $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "mov rax, qword ptr [rip + malloscope_tls@gottpoff]",
            "sub qword ptr fs:[rax + {countdown}], rsi",
            "jbe {event}",
            "jmp qword ptr [rip + {forward} + {target}]",
            ".cfi_endproc",
            countdown = const $crate::platform::tls::COUNTDOWN,
            event = sym $crate::hooks::malloc::entries::realloc_event,
            forward = sym $crate::hooks::forward::FORWARD,
            target = const core::mem::offset_of!($crate::hooks::forward::Forward, $symbol),
        });
    };
    // `jrcxz` tests for null in one instruction. rcx carries no argument in any function that
    // frees.
    (@released $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "mov rcx, qword ptr [rip + {frees}]",
            "jrcxz 2f",
            "jmp qword ptr [rcx + {target}]",
            "2: jmp {unready}",
            ".cfi_endproc",
            frees = sym $crate::hooks::forward::FREES,
            target = const core::mem::offset_of!($crate::table::live_table::pages::PageFilter, entry),
            unready = sym $crate::hooks::forward::free_unready,
        });
    };
    (@alias $of:ident: $($symbol:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            concat!("jmp malloscope_hook_", stringify!($of)),
            ".cfi_endproc",
        });
    )+};
    (@entry $family:ident: $($symbol:ident),+) => {$(
        $crate::export_hooks!(@function $symbol {
            "jmp {entry}",
            ".cfi_endproc",
            entry = sym $crate::hooks::$family::entries::$symbol,
        });
    )+};
    (@measured $symbol:ident) => {
        $crate::export_hooks!(@function $symbol {
            "jmp {measured}",
            ".cfi_endproc",
            measured = sym $crate::hooks::malloc::$symbol,
        });
    };
    // r11 carries no argument in any of these functions. The target is tested, not relocated: it is
    // null until the functions are looked up.
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
    // Before this library is relocated the target is null, see `early`.
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

//! Start-up: fixes the order in which the parts of the library begin.
//!
//! It runs in the constructor that `preload/` puts into `.init_array`. That is on the program's
//! first thread, before `main` and mostly before any other thread exists. Allocations before it are
//! forwarded and not sampled. The library is never torn down.
//!
//! # Safety
//! `__cxa_atexit` is the name behind `atexit` (a static function of libc_nonshared.a), older than
//! GLIBC_2.17.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::config::{self, Config, Detection, Rate, Switch};
use crate::hooks::unveil::{self, Extension};
use crate::hooks::{forward, mapping, sandbox};
use crate::platform::process::{lineage, program};
use crate::recorder::{self, HookAddresses, Settings};
use crate::trigger::{self, exit};
use crate::{
    diag, java_heap, js_heap, next,
    platform::{elf, glibc, sys},
    python_objects, remark, ruby_objects, runtime,
    table::arena,
    unwind,
};

unsafe extern "C" {
    fn __cxa_atexit(
        handler: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        dso: *mut c_void,
    ) -> c_int;
}

/// Starts the library: resolves the next allocator, reads the configuration, and begins to sample
/// if the configuration says so.
///
/// # Safety
/// `environment` is the environment of the process, as glibc passes it to `.init_array` functions: a
/// null-terminated array of strings. Another libc may pass anything.
pub unsafe fn start<const N: usize>(
    environment: *const *const c_char,
    hooks: &'static HookAddresses,
    hashes: &'static [u32; N],
    extensions: fn() -> [Extension; N],
) {
    let _start = elf::Start::begin();
    forward::install();
    mapping::install();
    sandbox::install();
    if !glibc::is_here() {
        return;
    }
    // SAFETY: as promised by the caller.
    let Some((config, pid)) = (unsafe { configure(environment) }) else {
        return;
    };
    if !config.prof {
        return;
    }
    if next::is_shadowed() {
        remark::note(&["malloc is defined before this library: nothing can be sampled"]);
        return;
    }
    arena::set_ceiling(usize::try_from(config.prof_mem_max).unwrap_or(usize::MAX));
    unwind::init();
    recorder::reseed(seed());
    if config.prof_mmap {
        mapping::record();
    }
    next::jemalloc::resolve();
    unveil::bind(hashes, extensions);
    trigger::start(config, pid);
    register_handlers(config);
    runtime::start(config);
    runtime::ruby::set_at_end(exit::before_teardown);
    ruby_objects::configure(config.prof_ruby_objects, config.prof_bt_max);
    if runtime::node::is_found() {
        begin_node(config);
    }
    if config.prof_java_heap && config.prof_java != Detection::Off {
        java_heap::configure(&java_heap::Settings {
            lg_period: config.lg_prof_sample.lg_first(),
            most_frames: config.prof_bt_max,
            collect_first: config.prof_java_heap_gc,
        });
    }
    if config.prof_python && config.prof_python_objects != Switch::Off {
        python_objects::start();
    }
    // A program of jemalloc may say which of its threads are sampled.
    let is_steered = next::jemalloc::is_here();
    recorder::silence::set_new_sampled(config.prof_thread_active_init);
    recorder::start(&Settings {
        lg_period: config.lg_prof_sample.lg_first(),
        most_frames: config.prof_bt_max,
        thread_names: config.prof_sys_thread_name,
        active: config.prof_active && (config.prof_thread_active_init || is_steered),
        steered: config.prof_control || is_steered,
        budget: (config.lg_prof_sample == Rate::Auto).then_some(config.prof_budget),
        hooks,
        pid,
    });
    trigger::begin();
}

#[cold]
#[inline(never)]
fn begin_node(config: &Config) {
    static AT_END: fn() = exit::before_teardown;
    mapping::watch();
    runtime::node::set_at_end(&AT_END);
    if config.prof_js_heap != Switch::Off {
        js_heap::configure(js_lg_period(config), config.prof_bt_max);
    }
}

/// log2 of the mean bytes between samples of V8's heap, where it is fixed.
fn js_lg_period(config: &Config) -> Option<u8> {
    let rate = config.lg_prof_sample;
    (rate != Rate::Auto).then(|| rate.lg_first())
}

/// The configuration, in arena memory, and the number of this process. `None` when the process is
/// privileged, when its environment has none of our variables, when the configuration is for other
/// programs, or when there is no memory.
///
/// # Safety
/// As [`start`].
unsafe fn configure(environment: *const *const c_char) -> Option<(&'static Config, u32)> {
    // SAFETY: getauxval has no precondition.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return None;
    }
    // SAFETY: as promised by the caller.
    let [own, jemalloc, preload] = unsafe {
        [&b"MALLOSCOPE_CONF"[..], b"MALLOC_CONF", b"LD_PRELOAD"]
            .map(|name| variable(environment, name))
    };
    if own.is_none() && jemalloc.is_none() {
        return None;
    }
    diag::remember_stderr();
    let mut place = arena::alloc(core::alloc::Layout::new::<Config>())?.cast::<Config>();
    // Built in its final place: it holds a path, and the stack belongs to the program.
    // SAFETY: fresh memory of the right layout, used by nothing else, never freed.
    let config: &'static mut Config = unsafe {
        place.write(Config::DEFAULT);
        place.as_mut()
    };
    config::load(config, own, jemalloc);
    let programs = config.prof_program.as_bytes();
    if !programs.is_empty() && !program::is_in(programs) {
        return None;
    }
    config.anchor_prefix();
    let config: &'static Config = config;
    config::set_current(config);
    if own.is_none() && config.prof && next::jemalloc::has_profiler() {
        remark::note(&[
            "MALLOC_CONF configures the jemalloc of this program; MALLOSCOPE_CONF would configure us",
        ]);
        return None;
    }
    let pid = sys::getpid().unsigned_abs();
    let entries = [
        preload.map(|value| [&b"LD_PRELOAD"[..], b"=", value]),
        own.map(|value| [&b"MALLOSCOPE_CONF"[..], b"=", value])
            .or(jemalloc.map(|value| [&b"MALLOC_CONF"[..], b"=", value])),
    ];
    lineage::begin(pid, entries);
    Some((config, pid))
}

/// The value of an environment variable. The array is read directly, because programs such as bash
/// bring a getenv of their own, which is not ready this early.
///
/// # Safety
/// As [`start`].
unsafe fn variable(environment: *const *const c_char, name: &[u8]) -> Option<&'static [u8]> {
    let mut at = environment;
    // SAFETY: a null-terminated array of strings, as promised by the caller.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            // Most entries differ at their beginning, so they are not read to their end.
            let entry = (*at).cast::<u8>();
            let is_same = |(index, byte): (usize, &u8)| *entry.add(index) == *byte;
            if name.iter().enumerate().all(is_same) && *entry.add(name.len()) == b'=' {
                let value = entry.add(name.len() + 1).cast::<c_char>();
                return Some(CStr::from_ptr(value).to_bytes());
            }
            at = at.add(1);
        }
    }
    None
}

/// A number that differs in every process, even between two children of one parent.
fn seed() -> u64 {
    sys::random().unwrap_or_else(|| {
        let pid = u64::from(sys::getpid().unsigned_abs());
        sys::monotonic_ms().rotate_left(40) ^ pid.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

fn register_handlers(config: &'static Config) {
    // SAFETY: these are functions of this library, which is never unloaded. There is no DSO handle,
    // for the same reason. On failure (no memory) we have no handler, and the fork word shows the
    // fork.
    unsafe {
        glibc::register_atfork(Some(prepare), Some(parent), Some(child));
        if config.prof_final || config.prof_leak {
            __cxa_atexit(at_exit, core::ptr::null_mut(), core::ptr::null_mut());
        }
    }
}

unsafe extern "C" fn at_exit(_argument: *mut c_void) {
    if let Some(config) = config::current() {
        exit::at_exit(config);
    }
}

/// Runs before fork. It is registered before the program's own handlers, so it runs after them.
/// Until the fork is over, the thread counts as inside our code: what it allocates is not sampled,
/// and its frees of sampled blocks wait.
unsafe extern "C" fn prepare() {
    recorder::before_fork();
}

unsafe extern "C" fn parent() {
    recorder::after_fork_in_parent();
}

unsafe extern "C" fn child() {
    // SAFETY: the thread that forked is the only thread of the child.
    unsafe { unwind::after_fork() };
    let pid = sys::getpid().unsigned_abs();
    recorder::after_fork_in_child(pid);
    lineage::forked(pid);
    ruby_objects::after_fork_in_child(pid);
    trigger::begin();
}

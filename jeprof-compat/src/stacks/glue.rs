//! Code that asks for memory on behalf of others: wrappers around malloc, the C library, the runtimes and what
//! a language compiles into every program; and, against it, what was written for this program. Pure.

use crate::stacks::library;
use crate::stacks::naming::{Frame, FrameKind};

/// Modules of which no function is ever the culprit.
const GLUE_MODULES: [&str; 11] = [
    "libc.so",
    "libc-",
    "ld-linux",
    "ld-",
    "libstdc++.so",
    "libc++.so",
    "libc++abi.so",
    "libm.so",
    "libpthread",
    "libgcc_s.so",
    "libffi.so",
];

/// Wrappers around malloc inside the runtimes and libraries that everybody uses.
const WRAPPERS: [&str; 33] = [
    "__rust_alloc",
    "__rdl_alloc",
    "alloc::alloc::",
    "alloc::raw_vec::",
    "<alloc::alloc::Global",
    "<alloc::raw_vec::",
    "std::sys::alloc::",
    "os::malloc",
    "os::realloc",
    "AllocateHeap",
    "ReallocateHeap",
    "Chunk::operator new",
    "Arena::grow",
    "ruby_xmalloc",
    "ruby_xcalloc",
    "ruby_xrealloc",
    "rb_xmalloc",
    "rb_xcalloc",
    "rb_xrealloc",
    "objspace_x",
    "PyMem_",
    "PyObject_Malloc",
    "_PyObject_Malloc",
    "_PyObject_Realloc",
    "pymalloc_alloc",
    "new_arena",
    "allocate_from_new_pool",
    "_PyMem_",
    "CRYPTO_malloc",
    "CRYPTO_zalloc",
    "CRYPTO_realloc",
    "g_malloc",
    "g_realloc",
];

/// Names that many programs give to a malloc of their own, beside all that end in `alloc`.
const OWN_WRAPPERS: [&str; 6] = [
    "xmalloc", "xcalloc", "xrealloc", "xstrdup", "zmalloc", "zcalloc",
];

/// Modules of the runtimes, and of libraries that these call for a managed frame.
const RUNTIME_MODULES: [&str; 22] = [
    "libjvm.so",
    "libjava.so",
    "libjli.so",
    "libzip.so",
    "libz.so",
    "libnio.so",
    "libnet.so",
    "libextnet.so",
    "libjimage.so",
    "libverify.so",
    "libinstrument.so",
    "libmanagement",
    "libawt",
    "libfontmanager.so",
    "libfreetype.so",
    "libjavajpeg.so",
    "libmlib_image.so",
    "liblcms.so",
    "libprefs.so",
    "libruby",
    "libpython",
    "libnode.so",
];

/// What a language compiles into every program.
const STANDARD_LIBRARIES: [&str; 9] = [
    "std::",
    "<std::",
    "__gnu_cxx::",
    "void std::",
    "core::",
    "<core::",
    "alloc::",
    "<alloc::",
    "hashbrown::",
];

/// Modules of the runtimes alone.
const RUNTIMES: [&str; 7] = [
    "libjvm.so",
    "libruby",
    "libpython",
    "libnode.so",
    "libcoreclr.so",
    "libclrjit.so",
    "beam.smp",
];

/// Executables that run other people's programs.
const INTERPRETERS: [&str; 6] = ["ruby", "python", "node", "perl", "php", "java"];

/// True for a function that asks for memory on behalf of others.
pub fn is_glue(frame: &Frame) -> bool {
    if frame.kind == FrameKind::Managed {
        return frame.name.starts_with('[') || library::is_of_runtime(frame);
    }
    is_cut(frame)
        || in_modules(frame, &GLUE_MODULES)
        || starts_with_any(&frame.name, &WRAPPERS)
        || OWN_WRAPPERS.contains(&frame.name.as_str())
        || frame.name.ends_with("alloc")
}

/// A thread of the JVM that compiles stands there.
pub fn is_compiler(frame: &Frame) -> bool {
    frame.kind == FrameKind::Managed && frame.name == "[jit compiler thread]"
}

/// Not a frame: frames are missing there.
fn is_cut(frame: &Frame) -> bool {
    frame.kind == FrameKind::Native && frame.module.is_none() && frame.name.starts_with('[')
}

/// The C library and what belongs to it: never asks for itself.
pub fn is_glue_module(file_name: &str) -> bool {
    starts_with_any(file_name, &GLUE_MODULES)
}

/// A language runtime: its library, or its executable.
pub fn is_runtime_module(file_name: &str) -> bool {
    starts_with_any(file_name, &RUNTIMES) || starts_with_any(file_name, &INTERPRETERS)
}

/// Written for this program and no glue in it: what a person reads first.
pub fn is_of_program(frame: &Frame) -> bool {
    let is_runtime = in_modules(frame, &RUNTIME_MODULES) || is_of_cpython(frame);
    !frame.is_class && !is_runtime && is_own(frame) && !is_glue(frame)
}

/// Written for this program: its own modules, or managed code that was not installed as a package.
pub(super) fn is_own(frame: &Frame) -> bool {
    match frame.kind {
        FrameKind::Managed => !library::is_of_package(frame),
        FrameKind::Unresolved => false,
        FrameKind::Native => {
            !frame.system
                && !in_modules(frame, &INTERPRETERS)
                && !starts_with_any(&frame.name, &STANDARD_LIBRARIES)
        }
    }
}

/// Inside of a runtime, to a stack in which one of its frames stands: its modules, and the executables that
/// run other people's programs.
pub(super) fn is_in_runtime(frame: &Frame) -> bool {
    in_modules(frame, &RUNTIME_MODULES) || in_modules(frame, &INTERPRETERS) || is_of_cpython(frame)
}

/// A module of CPython's standard library, or one that a package keeps for itself: `_asyncio.cpython-311.so`.
fn is_of_cpython(frame: &Frame) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    module.starts_with('_') && module.contains(".cpython-")
}

fn in_modules(frame: &Frame, modules: &[&str]) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    starts_with_any(module, modules)
}

fn starts_with_any(text: &str, beginnings: &[&str]) -> bool {
    beginnings
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

//! What the tests share: compiling and loading a program, taking a stack by each unwinder, comparing.

use std::cell::RefCell;
use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};

use malloscope::unwind::{self, End, Registers, ThreadUnwinder};

use crate::hop::Framehop;
use crate::libgcc::stack_into;

/// Room for more frames than any test makes.
pub const DEPTH: usize = 1024;

/// A stack, leaf first, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    pub frames: Vec<u64>,
    pub end: End,
}

thread_local! {
    static UNWINDER: RefCell<Box<ThreadUnwinder>> = RefCell::new(Box::new(ThreadUnwinder::new()));
}

/// Prepares the unwinder, on whatever thread the first test runs: none of them is the main one.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        // The test harness' main thread is not at hand; its stack counts as a foreign one, which must work as well.
        unwind::init();
    });
}

/// Walks from `registers` into `out` with the thread's unwinder.
pub fn walk(registers: Registers, out: &mut [u64]) -> (usize, End) {
    init();
    UNWINDER.with(|unwinder| unwind::unwind(&mut unwinder.borrow_mut(), registers, out))
}

/// Our stack from `registers`.
pub fn ours(registers: Registers) -> Stack {
    let mut frames = vec![0; DEPTH];
    let (length, end) = walk(registers, &mut frames);
    frames.truncate(length);
    Stack { frames, end }
}

/// libgcc's stack of the caller, with the frames of the unwinder itself on top.
#[inline(never)]
pub fn libgcc() -> Vec<u64> {
    let mut frames = Vec::with_capacity(DEPTH);
    stack_into(&mut frames);
    frames
}

/// framehop's stack from `registers`.
pub fn framehop(registers: Registers) -> Vec<u64> {
    thread_local! {
        static FRAMEHOP: RefCell<Framehop> = RefCell::new(Framehop::new());
    }
    let mut frames = vec![0; DEPTH];
    let length = FRAMEHOP.with(|framehop| framehop.borrow_mut().walk(registers, &mut frames));
    frames.truncate(length);
    frames
}

/// Compares our frames from the second on (the first is the place in the caller where the registers were taken) with libgcc's.
pub fn difference(ours: &Stack, libgcc: &[u64]) -> Option<String> {
    let callers = ours.frames.get(1..).unwrap_or_default();
    let skip = libgcc.iter().position(|pc| Some(pc) == callers.first());
    let expected = skip.map_or(&[][..], |skip| &libgcc[skip..]);
    if callers == expected && !callers.is_empty() && ours.end == End::Complete {
        return None;
    }
    let both = callers
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    let describe = |frames: &[u64]| frames.iter().map(|pc| place(*pc)).collect::<Vec<_>>();
    Some(format!(
        "end {:?}, equal for {both} frames, then ours {:?} but libgcc {:?}",
        ours.end,
        describe(&callers[both..]),
        describe(&expected[both..]),
    ))
}

/// `pc` as a person can look it up.
pub fn place(pc: u64) -> String {
    match malloscope::platform::elf::find_by_address(pc as usize) {
        Some(object) => {
            let name = String::from_utf8_lossy(object.name()).into_owned();
            format!("{name}+{:#x}", pc - object.base() as u64)
        }
        None => format!("{pc:#x}"),
    }
}

/// A program of `tests/programs`, compiled and loaded.
pub struct Program {
    handle: *mut c_void,
}

impl Program {
    pub fn load(library: &Path) -> Program {
        let path = CString::new(library.to_str().expect("a path")).expect("no NUL");
        // SAFETY: the libraries of these tests have no constructors.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{} does not load", library.display());
        Program { handle }
    }

    /// The function `run`, which all of them have.
    pub fn run<Argument>(&self) -> extern "C" fn(u32, i32, Argument) -> i32 {
        // SAFETY: the handle is open, and `run` takes two integers and a pointer in every program.
        unsafe {
            let address = libc::dlsym(self.handle, c"run".as_ptr());
            assert!(!address.is_null());
            std::mem::transmute(address)
        }
    }

    pub fn close(self) {
        // SAFETY: nothing of the library is on the stack.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }
}

/// Compiles `tests/programs/<source>` into a shared library called `name`.
pub fn compile(source: &str, name: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let library = directory().join(format!("lib{name}.so"));
    // Under another name first: two runs of the tests may do this at once.
    let unfinished = directory().join(format!("{name}.{}", std::process::id()));
    let compiler = if source.ends_with(".cpp") {
        "g++"
    } else {
        "cc"
    };
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O2", "-fomit-frame-pointer", "-o"])
        .arg(&unfinished)
        .arg(root.join(source))
        .args(flags)
        .status()
        .expect("a compiler");
    assert!(status.success(), "{source} does not compile");
    std::fs::rename(unfinished, &library).expect("the compiler's output");
    library
}

/// Where the libraries go.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// `deep.cpp`, which takes the compiler some seconds: once for all tests.
pub fn deep() -> Program {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    Program::load(LIBRARY.get_or_init(|| compile("deep.cpp", "deep", &[])))
}

thread_local! {
    static TAKEN: RefCell<Vec<(Stack, Vec<u64>)>> = const { RefCell::new(Vec::new()) };
}

/// A hook that takes the stack both ways and keeps the pair for `taken`.
pub extern "C" fn take() {
    let pair = (ours(Registers::here()), libgcc());
    TAKEN.with(|taken| taken.borrow_mut().push(pair));
}

/// The pairs this thread took since the last call.
pub fn taken() -> Vec<(Stack, Vec<u64>)> {
    TAKEN.with(RefCell::take)
}

/// Asserts that all pairs agree, and that there are at least `least`.
pub fn assert_agreement(pairs: &[(Stack, Vec<u64>)], least: usize) {
    assert!(pairs.len() >= least, "only {} stacks", pairs.len());
    let differences: Vec<_> = pairs
        .iter()
        .filter_map(|(ours, libgcc)| difference(ours, libgcc))
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {} stacks differ, the first: {}",
        differences.len(),
        pairs.len(),
        differences[0]
    );
}

//! MRI: Ruby frames without a gem, a flag, or a thread of ours.
//!
//! An interpreter becomes known by a sample whose stack leads through it: through the object that
//! defines `rb_profile_frames`. From then on each sample asks whether its thread is Ruby's, and
//! which frames it has. The native part of the stack ends where the interpreter begins (`cut`), and
//! Ruby's frames take the interpreter's place.
//!
//! Inside malloc the thread may be anywhere in Ruby. `api` has the list of what is called there, and
//! says why it may be. While the collector runs nothing is asked. A frame that is none of the kinds
//! that we know ends the use of this interpreter for good, with one remark: a version whose objects
//! are laid out differently is found that way.
//!
//! # Safety
//! Ruby's functions are called only while its library is loaded: a sample counts itself in before
//! it looks, and `dlclose` waits for the samples inside.
#![allow(unsafe_code)]

pub mod api;
mod cut;
pub mod ids;
mod job;
mod object;
pub mod objects;
mod stack;
mod walk;

use core::alloc::Layout as Size;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

use crate::config::Config;
use crate::platform::elf::{self, Object};
use crate::platform::sys;
use crate::remark;
use crate::table::arena;
use api::{Births, Functions, InJob};
pub use job::{Visitor, set_at_end, set_visitor};
use object::Layout;

use super::Runtime;
use super::search::{self, Search};

/// The Ruby of ruby-lang.org.
pub struct Mri;

/// What a walk keeps for the next one.
pub struct State {
    names: walk::Names,
}

// SAFETY: zeroed memory is empty names.
unsafe impl Runtime for Mri {
    const NAME: &'static str = "Ruby";

    type State = State;

    fn start(config: &Config) {
        if !config.prof_ruby {
            SEARCH.stop();
        }
    }

    #[inline]
    fn is_wanted(now_ms: u64) -> bool {
        !CURRENT.load(Relaxed).is_null() || SEARCH.is_due(now_ms)
    }

    fn complete(stack: &mut super::Stack<'_>) {
        stack::complete(stack);
    }

    fn before_close() {
        before_close();
    }

    fn after_close() {
        after_close();
    }
}

/// An interpreter.
pub struct Ruby {
    functions: Functions,
    in_job: InJob,
    job: api::Job,
    /// `None`: the objects of this version cannot be followed.
    births: Option<Births>,
    layout: Layout,
    library: Object,
    /// Its addresses.
    range: core::ops::Range<usize>,
    /// The variable that holds the class of all objects, once there is one.
    first_class: usize,
    /// The variable that holds the class of Ractors.
    ractor_class: usize,
    /// The variable that holds the Ractor that is alone; 0: this version does not tell.
    only_ractor: usize,
    /// The function that runs Ruby code, where it has a name. Without it the frames check by
    /// themselves that there are any (3.3).
    vm_exec: core::ops::Range<u64>,
    /// Is a job asked for and not yet run? Written by samples, and by the job.
    is_job_wanted: AtomicBool,
    /// Will Ruby call us at its end? Written by the job.
    is_at_end_set: AtomicBool,
    /// The number of the variable in which a class of the old layout has its name; 0: not known.
    /// Written by the job.
    path_id: AtomicU64,
    /// What handles SIGSEGV while the collector is not moving objects; 0: not known. Written by the
    /// job.
    fault_handler: AtomicUsize,
    /// Did the collector ever move objects? Written by samples and the job.
    moved: AtomicBool,
    /// When the next job is due, in milliseconds of the recorder's clock. Written by samples.
    next_job: AtomicU64,
    /// No longer asked, because something was not as it must be. Written by a sample, once.
    is_off: AtomicBool,
}

impl Ruby {
    fn path_id(&self) -> u64 {
        self.path_id.load(Relaxed)
    }

    /// In a job.
    fn note_path_id(&self) {
        const NAME: &core::ffi::CStr = c"__classpath__";
        if self.layout == Layout::Old && self.path_id() == 0 {
            // SAFETY: a job; the name is so long.
            let id = unsafe { (self.in_job.intern)(NAME.as_ptr(), NAME.count_bytes() as i64) };
            self.path_id.store(id, Relaxed);
        }
    }

    /// Does the calling thread, which is Ruby's, hold its lock?
    fn has_lock(&self) -> bool {
        // SAFETY: it reads what the thread has of its own.
        unsafe { (self.functions.has_lock)() != 0 }
    }

    /// Asks for a job, unless one is asked for.
    ///
    /// # Safety
    /// The calling thread is Ruby's; it need not hold the lock.
    unsafe fn want_job(&self) {
        if !self.is_job_wanted.swap(true, Relaxed) {
            // SAFETY: as the caller promises. The job is a function of this library, which stays.
            unsafe { (self.functions.want_job)(0, self.job, null_mut()) };
        }
    }

    fn is_off(&self) -> bool {
        self.is_off.load(Relaxed)
    }

    /// In a job, the first time: nothing was moved yet.
    fn note_fault_handler(&self) {
        let handler = sys::handler_of(libc::SIGSEGV).unwrap_or(0);
        self.fault_handler.store(handler, Relaxed);
    }

    /// Does the collector move objects, a few now and then, while the program runs? Meanwhile Ruby
    /// has the pages of objects that were moved protected, and another handler for the faults: a
    /// read of ours would have objects moved back at a moment at which Ruby does not expect it.
    fn is_moving(&self) -> bool {
        let known = self.fault_handler.load(Relaxed);
        let handler = sys::handler_of(libc::SIGSEGV).unwrap_or(0);
        let is_moving = known != 0 && handler != known && self.range.contains(&handler);
        if is_moving {
            self.moved.store(true, Relaxed);
        }
        is_moving
    }

    /// Did the collector ever move objects, as far as we know?
    fn has_moved(&self) -> bool {
        self.moved.load(Relaxed)
    }

    /// In a job: asks Ruby whether the collector ever moved objects.
    fn note_moves(&self) {
        const NAME: &core::ffi::CStr = c"compact_count";
        // SAFETY: a job; the name is so long, and a number of that name exists since 2.7.
        let count = unsafe {
            let id = (self.in_job.intern)(NAME.as_ptr(), NAME.count_bytes() as i64);
            (self.in_job.collector_number)((self.in_job.symbol)(id))
        };
        if count != 0 {
            self.moved.store(true, Relaxed);
        }
    }

    fn contains(&self, pc: u64) -> bool {
        self.range.contains(&(pc as usize).wrapping_sub(1))
    }

    /// Something was not as it must be: this interpreter is not asked any more.
    fn give_up(&self) {
        if !self.is_off.swap(true, Relaxed) {
            remark::note(&["this ", Mri::NAME, " has frames that are not known: they have no names"]);
        }
    }
}

/// The interpreter, or null. Published with SeqCst by the sample that finds it, removed by
/// [`after_close`]. SeqCst, because [`CLOSES`] and [`INSIDE`] signal each other.
static CURRENT: AtomicPtr<Ruby> = AtomicPtr::new(null_mut());

/// Number of samples and jobs that use it.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Number of `dlclose` calls in progress: no sample looks meanwhile.
static CLOSES: AtomicU32 = AtomicU32::new(0);

/// When samples look for an interpreter.
static SEARCH: Search = Search::new();

/// Longest wait of a `dlclose` for samples inside: each needs microseconds.
const PATIENCE_MS: u64 = 100;

/// Looks for an interpreter among the objects through which a stack leads.
#[cold]
#[inline(never)]
fn look(frames: &[u64], now_ms: u64) {
    if CLOSES.load(SeqCst) != 0 || !SEARCH.begin(now_ms) {
        return;
    }
    if let Some((library, frames)) = search::object_with(frames, api::FRAMES) {
        publish(library, frames.addr);
    }
}

/// From the first address of an object to one past its last.
fn range(object: &Object) -> core::ops::Range<usize> {
    let loaded = |segment: &&libc::Elf64_Phdr| segment.p_type == libc::PT_LOAD;
    let segments = || object.program_headers().iter().filter(loaded);
    let start = segments().map(|segment| segment.p_vaddr).min();
    let end = segments().map(|segment| segment.p_vaddr + segment.p_memsz).max();
    let address = |offset: Option<u64>| object.base().wrapping_add(offset.unwrap_or(0) as usize);
    address(start)..address(end)
}

fn publish(library: Object, frames: usize) {
    let ruby = match read(library) {
        Ok(ruby) => ruby,
        Err(missing) => {
            SEARCH.stop();
            remark::note(&["this ", Mri::NAME, ": ", missing, ": Ruby frames have no names"]);
            return;
        }
    };
    let _ = frames;
    let Some(place) = arena::alloc(Size::new::<Ruby>()) else {
        return;
    };
    let place = place.cast::<Ruby>().as_ptr();
    // SAFETY: fresh memory of the right layout; it is never freed.
    unsafe { place.write(ruby) };
    // One that another thread published meanwhile stays.
    let _ = CURRENT.compare_exchange(null_mut(), place, SeqCst, Acquire);
}

fn read(library: Object) -> Result<Ruby, &'static str> {
    let address = |name: &'static str| library.symbol(name.as_bytes()).ok_or(name);
    let version = address("ruby_api_version")?.addr as *const [i32; 3];
    // SAFETY: three ints, constant since 1.9.
    let [major, minor, _] = unsafe { version.read() };
    let layout = match (major, minor) {
        (3, 1) => Layout::Old,
        (3, 2..) | (4, _) => Layout::New,
        _ => return Err("its version is not known"),
    };
    // In later versions a number is noted elsewhere.
    let has_marks = (major, minor) < (3, 5);
    let births = has_marks.then(|| Births::of(&library).ok()).flatten();
    let vm_exec = library.symbol(b"rb_vm_exec").map(|symbol| {
        let start = symbol.addr as u64;
        start..start + symbol.size as u64
    });
    if vm_exec.is_none() && (major, minor) < (3, 3) {
        return Err("rb_vm_exec is missing");
    }
    Ok(Ruby {
        functions: Functions::of(&library)?,
        in_job: InJob::of(&library)?,
        job: job::job,
        births,
        layout,
        library,
        range: range(&library),
        first_class: address("rb_cObject")?.addr,
        ractor_class: address("rb_cRactor")?.addr,
        only_ractor: address("ruby_single_main_ractor").map_or(0, |symbol| symbol.addr),
        vm_exec: vm_exec.unwrap_or(0..0),
        is_job_wanted: AtomicBool::new(false),
        is_at_end_set: AtomicBool::new(false),
        path_id: AtomicU64::new(0),
        fault_handler: AtomicUsize::new(0),
        moved: AtomicBool::new(false),
        next_job: AtomicU64::new(0),
        is_off: AtomicBool::new(false),
    })
}

/// The interpreter, for code that it calls itself.
fn current() -> Option<&'static Ruby> {
    // SAFETY: null, or published whole and never freed.
    unsafe { CURRENT.load(Acquire).as_ref() }
}

/// A sample or a job that may look at the interpreter.
struct Inside;

impl Inside {
    fn enter() -> Inside {
        INSIDE.fetch_add(1, SeqCst);
        Inside
    }

    fn ruby(&self) -> Option<&'static Ruby> {
        if CLOSES.load(SeqCst) != 0 {
            return None;
        }
        // SAFETY: null, or published whole and never freed.
        unsafe { CURRENT.load(SeqCst).as_ref() }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, SeqCst);
    }
}

/// Runs before a library is closed, which may be Ruby's.
fn before_close() {
    CLOSES.fetch_add(1, SeqCst);
    let deadline = sys::monotonic_ms() + PATIENCE_MS;
    while INSIDE.load(SeqCst) != 0 && sys::monotonic_ms() < deadline {
        core::hint::spin_loop();
    }
}

/// Runs after it.
fn after_close() {
    let ruby = CURRENT.load(SeqCst);
    // SAFETY: null, or published whole and never freed.
    let is_gone = unsafe { ruby.as_ref() }
        .is_some_and(|ruby| elf::find_by_address(ruby.first_class).is_none());
    if is_gone {
        let _ = CURRENT.compare_exchange(ruby, null_mut(), SeqCst, Acquire);
        cut::forget();
    }
    CLOSES.fetch_sub(1, SeqCst);
}

//! The live Java heap: samples of the objects that Java code allocates, and which of them live.
//!
//! [`configure`] prepares it before sampling begins. Then either the JVM's detection calls
//! [`start`] on a Java thread, or the helper finds the JVM by itself. The JVM calls back (`sample`,
//! `gap`, and the two callbacks here). The dump reads [`STACKS`], [`LIVE`] and [`facts`]. The
//! numbers are a kind of their own: the Java heap is not malloc's memory, and is never added to it.
//!
//! ```text
//! JVM -> sample -> frames -> STACKS, LIVE (by weak reference)      a Java thread, at a sampled object
//! JVM -> COLLECTIONS                                               a thread of the JVM, at a collection
//! dump -> helper -> attach, sweep, detach -> dump                  before a dump is written
//! control -> helper -> attach, steer, detach -> control            when a user steers the program
//! dlsym -> helper -> seek -> attach, begin, detach                 where no creation is seen
//! JVM -> sweep, closed                                             at the JVM's end
//! ```
//!
//! The JVM draws the gaps between samples from a geometric distribution (JEP 331). So a sample of s
//! bytes stands for s/p, p = 1 - exp(-s/N), as malloc's do (`sampler`). `thinning` describes how N
//! grows when there are too many samples, and `gap` with which N a sample was drawn. An object
//! counts as live until a collection has found that it is dead. So what lives is known *as of the
//! last collection*, and the dump says so.
//!
//! No lock of ours is held while the JVM is called, and the thread does not count as inside our
//! code then: what the JVM allocates and frees meanwhile is like any other allocation of its own.
//! No thread of ours stays attached to the JVM: an attached thread that sleeps delays the JVM's end
//! by 300 ms. Nothing here may be called in a fork's child (`is_open` makes sure of it).
#![allow(unsafe_code)]

mod ask;
mod class_name;
mod frames;
mod gap;
mod helper;
mod jni;
mod jvmti;
mod room;
mod sample;
mod seek;
mod steer;
mod sweep;
mod thinning;
mod turn;

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, fence};

use crate::table::{live_table::LiveTable, stack_table::StackTable};
use crate::{
    platform::{sys, tls},
    recorder, remark,
    table::fork_gate,
};
use ask::Work;
pub use helper::notice;
use jni::{Interface, Jni, Refusal, Vm};
use jvmti::{Callbacks, Capability, Event, Jvmti};
pub use steer::{follow, reset, set_lg_period};
use turn::Turn;

/// The stacks of sampled objects, with the object's class as leaf. Lives as long as the process.
pub static STACKS: StackTable = StackTable::new();

/// The sampled objects that live, stored by weak reference.
pub static LIVE: LiveTable = LiveTable::new(None);

const OFF: u32 = 0;
/// Configured, and waiting for a JVM.
const WANTED: u32 = 1;
/// A thread has found a JVM and begins.
const BEGINNING: u32 = 2;
const OPEN: u32 = 3;
/// The JVM is gone, or has no samples for us.
const CLOSED: u32 = 4;

/// Written by [`configure`], [`begin_with`] and [`close`] with Release, after what they prepare.
/// Read with Acquire in [`is_open`].
static STATE: AtomicU32 = AtomicU32::new(OFF);

/// The process that the JVM belongs to. Written by [`begin`] before [`STATE`].
static PID: AtomicU32 = AtomicU32::new(0);

/// The `JavaVM*` and `jvmtiEnv*`. Written by [`begin`] before [`STATE`].
static VM: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static JVMTI: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// log2 of the mean bytes between samples. Written by [`configure`], and by the thread that sweeps.
static LG_PERIOD: AtomicU8 = AtomicU8::new(0);

/// Most frames of a stack. Written by [`configure`].
static MOST_FRAMES: AtomicU32 = AtomicU32::new(0);

/// Collect before a dump? Written by [`configure`].
static COLLECT_FIRST: AtomicBool = AtomicBool::new(false);

/// Does the JVM report its collections? Written by [`begin`].
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Collections since [`begin`], and when the last one was. Written by the JVM's threads. Relaxed:
/// these figures publish nothing of ours.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);
static LAST_COLLECTION_MS: AtomicU64 = AtomicU64::new(0);

/// Samples that could not be kept. Any sampling thread adds.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Collections that we asked for. Written by the helper.
static FORCED: AtomicU64 = AtomicU64::new(0);

/// JVMTI counts the interval in 32 signed bits.
const MOST_LG_PERIOD: u8 = 30;

/// What the configuration says.
pub struct Settings {
    /// log2 of the mean bytes between samples; 0 samples every object.
    pub lg_period: u8,
    /// Frames kept of a stack.
    pub most_frames: u32,
    /// Collect before a dump?
    pub collect_first: bool,
}

/// Asks for the Java heap of a JVM that may come. Runs once, before sampling begins.
pub fn configure(settings: &Settings) {
    LG_PERIOD.store(settings.lg_period.min(MOST_LG_PERIOD), Relaxed);
    MOST_FRAMES.store(settings.most_frames, Relaxed);
    COLLECT_FIRST.store(settings.collect_first, Relaxed);
    // Release: pairs with Acquire in `begin_with`.
    STATE.store(WANTED, Release);
}

/// A JVM runs: begins to sample it, if the configuration asked for that.
///
/// # Safety
/// `vm` is its `JavaVM*`. The calling thread is attached to it, in native code, outside malloc, and
/// holds no lock of ours.
pub unsafe fn start(vm: *mut c_void) {
    begin_with(Vm(vm.cast_const().cast()));
}

/// Begins, unless another thread does or did. On a thread as for [`start`].
fn begin_with(vm: Vm) {
    // Acquire: pairs with Release in `configure`.
    let turn = STATE.compare_exchange(WANTED, BEGINNING, Acquire, Relaxed);
    if turn.is_err() {
        return;
    }
    match begin(vm) {
        Ok(()) => {}
        // The next look tries again.
        Err(Refusal::NotNow) => STATE.store(WANTED, Release),
        Err(Refusal::Never) => {
            close();
            remark::note(&[
                "prof_java_heap: this JVM has no sampled allocations for us (JDK 11 or later has \
                 them; one agent at a time may use them)",
            ]);
        }
    }
}

fn begin(vm: Vm) -> Result<(), Refusal> {
    let environment = vm.environment(jvmti::VERSION_11)?;
    // SAFETY: GetEnv returned it for this version.
    let jvmti = unsafe { Jvmti::new(environment) };
    // Phases only follow one another: a JVM that is live before and after is live in between.
    let was_live = jvmti.is_live();
    if !was_live || !prepare(jvmti) {
        let is_early_or_late = !was_live || !jvmti.is_live();
        jvmti.dispose();
        return Err(if is_early_or_late {
            Refusal::NotNow
        } else {
            Refusal::Never
        });
    }
    VM.store(vm.0.cast_mut().cast(), Relaxed);
    JVMTI.store(environment.cast_mut().cast(), Relaxed);
    PID.store(recorder::pid(), Relaxed);
    // Release: pairs with Acquire in `is_open`. It fails when the JVM has ended meanwhile.
    let opened = STATE.compare_exchange(BEGINNING, OPEN, Release, Relaxed);
    if opened.is_err() {
        return Ok(());
    }
    // Pairs with the fence in `steer`: a request made before is met below, a later one is met by
    // the helper.
    fence(SeqCst);
    helper::start();
    if steer::settle(&mut Turn::wait(), jvmti) {
        Ok(())
    } else if jvmti.is_live() {
        Err(Refusal::Never)
    } else {
        close();
        Ok(())
    }
}

/// Gets from the JVM what must be requested first.
fn prepare(jvmti: Jvmti) -> bool {
    let callbacks = Callbacks::new(
        gap::on_thread_start,
        on_vm_death,
        on_collection,
        sample::on_sample,
    );
    let is_ready = jvmti.add_capabilities(&[Capability::SampledObjectAllocEvents])
        && jvmti.set_callbacks(&callbacks)
        && jvmti.let_through(Event::VmDeath, true)
        && jvmti.set_interval(interval(LG_PERIOD.load(Relaxed)))
        && jvmti.let_through(Event::ThreadStart, true);
    // These give the names of files and lines, where the JVM has them.
    jvmti.add_capabilities(&[Capability::SourceFileName]);
    jvmti.add_capabilities(&[Capability::LineNumbers]);
    let is_told = jvmti.add_capabilities(&[Capability::GarbageCollectionEvents])
        && jvmti.let_through(Event::GarbageCollectionFinish, true);
    IS_TOLD.store(is_told, Relaxed);
    is_ready
}

/// Finds out what lives, for a dump. The calling thread holds no lock at all.
pub fn refresh() {
    ask::ask(Work::Sweep);
}

/// The interval as JVMTI expects it: 0 samples every object.
fn interval(lg_period: u8) -> u32 {
    if lg_period == 0 {
        0
    } else {
        1 << lg_period.min(MOST_LG_PERIOD)
    }
}

/// May the JVM be asked? Not before it exists, not after its end, not in a fork's child.
fn is_open() -> bool {
    // Acquire: pairs with Release in `begin`.
    STATE.load(Acquire) == OPEN && PID.load(Relaxed) == recorder::pid()
}

/// Is the JVM gone?
fn is_over() -> bool {
    // Acquire: pairs with Release in `close`.
    STATE.load(Acquire) == CLOSED
}

/// Is there no JVM yet?
fn is_waiting() -> bool {
    // Acquire: pairs with Release in `configure`.
    STATE.load(Acquire) == WANTED
}

/// Was there a JVM of this process, which has ended?
fn has_ended() -> bool {
    is_over() && PID.load(Relaxed) == recorder::pid()
}

/// Runs `work` on the tables: inside our code, and not while a fork copies them.
fn inside<T>(work: impl FnOnce() -> T) -> Option<T> {
    let _guard = tls::current().enter()?;
    let _pass = fork_gate::TABLES.enter()?;
    Some(work())
}

/// The JVM ends. JNI works for the last time, so this is when the final dump's knowledge of what
/// lives is made. Collectors that run beside the program have been stopped already, so no
/// collection is started.
unsafe extern "C" fn on_vm_death(_jvmti: Interface, jni: Interface) {
    if is_open() {
        // SAFETY: the JVM passes the environment of the calling thread.
        sweep::sweep(unsafe { Jni::new(jni) });
    }
    close();
}

/// The kernel will soon refuse every call: no more samples, if there were any.
pub fn stop() {
    // Acquire: pairs with Release where the state is written.
    if STATE.load(Acquire) != OFF {
        close();
    }
}

/// No more samples; the helper's thread ends.
fn close() {
    STATE.store(CLOSED, Release);
    ask::release();
}

/// A pause for collection ends. Runs on a thread of the JVM that may call no function of the JVM.
unsafe extern "C" fn on_collection(_jvmti: Interface) {
    COLLECTIONS.fetch_add(1, Relaxed);
    LAST_COLLECTION_MS.store(sys::monotonic_ms(), Relaxed);
}

/// What the dump says besides the samples.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Mean bytes between samples, now.
    pub period: u64,
    /// By name. Collections since the start (`None` where the JVM does not report them). The number
    /// of collections as of which what lives is known. Collections that we asked for. How long ago
    /// the last one was. Weak references held. Samples that gave way to others. Samples that could
    /// not be kept.
    pub numbers: [(&'static str, Option<u64>); 7],
}

/// The facts; `None` when there never was a JVM to sample, or in a child of its process.
pub fn facts() -> Option<Facts> {
    let pid = PID.load(Relaxed);
    if pid == 0 || pid != recorder::pid() {
        return None;
    }
    let collections = COLLECTIONS.load(Relaxed);
    let told = IS_TOLD.load(Relaxed).then_some(collections);
    let since = sys::monotonic_ms().saturating_sub(LAST_COLLECTION_MS.load(Relaxed));
    Some(Facts {
        period: u64::from(interval(LG_PERIOD.load(Relaxed))).max(1),
        numbers: [
            ("collections", told),
            ("collections_swept", told.map(|_| sweep::swept())),
            ("collections_forced", Some(FORCED.load(Relaxed))),
            (
                "since_collection_ms",
                told.filter(|count| *count != 0).map(|_| since),
            ),
            ("references", Some(LIVE.len() as u64)),
            ("thinned", Some(thinning::thinned())),
            ("dropped", Some(DROPPED.load(Relaxed))),
        ],
    })
}

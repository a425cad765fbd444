//! What is done in a job: between two instructions of Ruby's, on a thread of Ruby's that holds its
//! lock.
//!
//! A sample asks for a job where there is something to do. The first job has Ruby call us when it
//! ends, after the program's own `at_exit` blocks and before it frees its objects: what is live then
//! is what the program kept. A later one gives numbers of methods their names.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::api::Value;
use super::objects::Objects;
use super::{Inside, Ruby, ids};
use crate::platform::tls;

/// Longest time between two jobs of a program that allocates.
const PERIOD_MS: u64 = 1000;

/// After so long a job that has not come is asked for again.
const AGAIN_MS: u64 = 20;

/// Called when Ruby ends. Written by [`set_at_end`] before sampling begins.
static AT_END: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Called in each job, and when Ruby ends: then the second argument is true. The answer is when the
/// next job is wanted, by the recorder's clock.
pub type Visitor = fn(&Objects<'_>, bool) -> u64;

/// Called in each job. Written by [`set_visitor`] before sampling begins.
static VISITOR: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Has `visitor` called in each job.
pub fn set_visitor(visitor: Visitor) {
    // Release: pairs with the acquire in `visit`.
    VISITOR.store(visitor as *mut (), Release);
}

/// Has `at_end` called in each process whose Ruby ends.
pub fn set_at_end(at_end: fn()) {
    // Release: pairs with the acquire in `ending`.
    AT_END.store(at_end as *mut (), Release);
}

/// Asks for a job, if there is something to do.
///
/// # Safety
/// The calling thread is Ruby's; it need not hold the lock.
pub unsafe fn ask(ruby: &Ruby, now_ms: u64) {
    if now_ms < ruby.next_job.load(Relaxed) && !ids::is_any_waiting() {
        return;
    }
    ruby.next_job.store(now_ms.saturating_add(AGAIN_MS), Relaxed);
    // Ruby that starts forgets that a job waits, until it is asked once more.
    ruby.is_job_wanted.store(false, Relaxed);
    // SAFETY: as the caller promises.
    unsafe { ruby.want_job() };
}

/// See the head of the file.
pub extern "C" fn job(_: *mut c_void) {
    let inside = Inside::enter();
    let Some(ruby) = inside.ruby() else {
        return;
    };
    ruby.is_job_wanted.store(false, Relaxed);
    ruby.next_job.fetch_add(PERIOD_MS - AGAIN_MS, Relaxed);
    if !ruby.is_at_end_set.swap(true, Relaxed) {
        ruby.note_fault_handler();
        // SAFETY: a job may allocate. Our function stays.
        unsafe { (ruby.in_job.at_end)(ending, 0) };
    }
    ruby.note_moves();
    ruby.note_path_id();
    name_methods(ruby);
    visit(ruby, false);
}

/// Lets the room that samples Ruby's objects do its part, and asks for the next job at the time that
/// it wants one.
fn visit(ruby: &Ruby, is_last: bool) {
    // Acquire: pairs with the release in `set_visitor`.
    let visitor = VISITOR.load(Acquire);
    if visitor.is_null() {
        return;
    }
    // SAFETY: `set_visitor` stored a function.
    let visitor = unsafe { core::mem::transmute::<*mut (), Visitor>(visitor) };
    let next_ms = visitor(&Objects::of(ruby), is_last);
    ruby.next_job.fetch_min(next_ms, Relaxed);
}

fn name_methods(ruby: &Ruby) {
    if let Some(_guard) = tls::current().enter() {
        // SAFETY: Ruby keeps the names of methods, and this thread holds the lock.
        unsafe { ids::resolve(&|id| (ruby.in_job.id_name)(id).cast()) };
    }
}

extern "C" fn ending(_: Value) {
    if let Some(ruby) = Inside::enter().ruby() {
        name_methods(ruby);
        visit(ruby, true);
    }
    // Acquire: pairs with the release in `set_at_end`.
    let at_end = AT_END.load(Acquire);
    if !at_end.is_null() {
        // SAFETY: `set_at_end` stored a function.
        let at_end = unsafe { core::mem::transmute::<*mut (), fn()>(at_end) };
        at_end();
    }
}

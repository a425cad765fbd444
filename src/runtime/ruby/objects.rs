//! Ruby's own objects: which are made, by which frames, and which still live. For the room that
//! samples them.
//!
//! [`Objects`] exists in a job alone. The functions beside it are called while an object is made: in
//! Ruby's hands, but outside malloc.
//!
//! An object's slot is used again when the object has died. A number that Ruby gave the object
//! (`object_id`) tells: Ruby notes in the slot that there is one, and forgets it with the object.
//!
//! Sources: `gc.c`, `vm_trace.c` of MRI 3.1 and 3.3.
#![allow(unsafe_code)]

use core::ptr::null_mut;

use super::api::{Births, Born, Value};
use super::object::{self, Layout};
use super::{Inside, Ruby, walk};
use crate::runtime::ROOMS;
use crate::runtime::memory::Memory;

/// The event of a new object.
const NEW_OBJECT: u32 = 0x10_0000;

/// The object has a number.
const NUMBERED: u64 = 1 << 9;

/// Pages of 3.2 and later are so large, and begin with the address of what is known of them.
const HEAP_PAGE: u64 = 64 << 10;

/// What a slot of 3.1 has, and the smallest of later versions.
const SLOT: u64 = 40;

/// Slots of later versions.
const SLOTS: [u64; 5] = [40, 80, 160, 320, 640];

/// Ruby's objects, in a job.
pub struct Objects<'a> {
    ruby: &'a Ruby,
}

impl<'a> Objects<'a> {
    pub(super) fn of(ruby: &'a Ruby) -> Objects<'a> {
        Objects { ruby }
    }

    fn births(&self) -> Option<&Births> {
        self.ruby.births.as_ref()
    }

    /// Can they be followed?
    pub fn can_be_followed(&self) -> bool {
        self.births().is_some()
    }

    /// Objects made since Ruby began.
    pub fn made(&self) -> u64 {
        const NAME: &core::ffi::CStr = c"total_allocated_objects";
        let ruby = self.ruby;
        // SAFETY: a job; the name is so long, and a number of that name exists since 2.2.
        unsafe {
            let id = (ruby.in_job.intern)(NAME.as_ptr(), NAME.count_bytes() as i64);
            (ruby.in_job.collector_number)((ruby.in_job.symbol)(id)) as u64
        }
    }

    /// A trace point that has `born` called for each object that is made; switched off. 0: none.
    pub fn point(&self, born: Born) -> Value {
        self.births().map_or(0, |births| {
            // SAFETY: a job may allocate; the function is of this library, which stays.
            unsafe {
                let point = (births.new_point)(0, NEW_OBJECT, born, null_mut());
                (births.keep)(point);
                point
            }
        })
    }

    /// Switches a trace point on or off.
    pub fn switch(&self, point: Value, on: bool) {
        if let Some(births) = self.births() {
            // SAFETY: a job; a trace point of `point`, kept for ever.
            unsafe { (if on { births.enable } else { births.disable })(point) };
        }
    }

    /// Collections so far.
    pub fn collections(&self) -> u64 {
        collections(self.births())
    }

    /// Has Ruby give a number to the object, which must not have been collected.
    pub fn number(&self, object: Value) {
        if let Some(births) = self.births() {
            // SAFETY: a job; no collection has begun since the object was made.
            unsafe { (births.number)(object) };
        }
    }

    /// Does the object at `object` live that was given a number? `None`: that cannot be told now.
    pub fn lives(&self, memory: &mut Memory, object: Value) -> bool {
        match object::kind_of(memory, object) {
            Some((kind, flags)) => object::is_of_program(kind) && flags & NUMBERED != 0,
            None => false,
        }
    }

    /// Does this version tell whether there are several Ractors?
    pub fn tells_ractors(&self) -> bool {
        self.ruby.only_ractor != 0
    }

    /// Are there several Ractors, as far as this version tells?
    pub fn has_ractors(&self) -> bool {
        let only = self.ruby.only_ractor;
        // SAFETY: a variable of Ruby's: the Ractor that is alone, or null.
        only != 0 && unsafe { core::ptr::read_volatile(only as *const u64) } == 0
    }

    /// Does the collector hide objects at this moment?
    pub fn is_moving(&self) -> bool {
        self.ruby.is_moving()
    }
}

fn collections(births: Option<&Births>) -> u64 {
    // SAFETY: it reads a counter.
    births.map_or(0, |births| unsafe { (births.collections)() } as u64)
}

/// An object that is being made.
pub struct Newborn {
    /// Where it is.
    pub object: Value,
    /// How large its slot is.
    pub size: u64,
    /// Collections so far.
    pub collections: u64,
    /// Frames: its class, then Ruby's, leaf first.
    pub length: usize,
}

/// The object of a trace point, with the frames that make it in `out`. `None`: it is none of the
/// program's. The thread is inside our code, and names may be interned.
pub fn newborn(point: Value, out: &mut [u64], now_ms: u64) -> Option<Newborn> {
    let inside = Inside::enter();
    let ruby = inside.ruby()?;
    let births = ruby.births.as_ref()?;
    let mut room = ROOMS.take()?;
    let room = &mut *room;
    room.memory.begin(now_ms);
    let (memory, names) = (&mut room.memory, &mut room.ruby.names);
    // SAFETY: Ruby calls us for this trace point, and the event has an object.
    let (argument, object) = unsafe {
        let argument = (births.argument)(point);
        (argument, (births.object)(argument))
    };
    if !runs_code(memory, argument as u64) {
        return None;
    }
    let (kind, _) = object::kind_of(memory, object)?;
    let class = memory.word(object.checked_add(8)?).filter(|class| *class != 0)?;
    if !object::is_of_program(kind) || ruby.is_off() {
        return None;
    }
    let (leaf, rest) = out.split_first_mut()?;
    // SAFETY: the class of an object that is being made.
    *leaf = unsafe { walk::class_frame(ruby, memory, names, class) }?;
    // SAFETY: a thread of Ruby's that runs code, outside of a collection.
    let count = unsafe { walk::walk(ruby, memory, names, rest) }.ok()?;
    Some(Newborn {
        object,
        size: slot_size(ruby.layout, memory, object),
        collections: collections(Some(births)),
        length: count + 1,
    })
}

/// Is the object of a trace point a Ractor? Its thread will make objects before it has a stack, and
/// Ruby 3.1 crashes then where a trace point is on: so it must be off by then. It is on only while
/// the library is loaded.
pub fn is_ractor(point: Value) -> bool {
    let Some(ruby) = super::current() else {
        return false;
    };
    let Some(births) = ruby.births.as_ref() else {
        return false;
    };
    // SAFETY: Ruby calls us for this trace point; the object was just made, and its second word is
    // its class, or whatever an internal object has there. The variable holds the class of Ractors.
    unsafe {
        let object = (births.object)((births.argument)(point)) as *const u64;
        let ractor = (ruby.ractor_class as *const u64).read_volatile();
        ractor != 0 && object.add(1).read_volatile() == ractor
    }
}

/// Switches a trace point off, while it has us called. Ruby only marks it, and allocates nothing.
pub fn switch_off(point: Value) {
    if let Some(births) = super::current().and_then(|ruby| ruby.births.as_ref()) {
        // SAFETY: a trace point of [`Objects::point`].
        unsafe { (births.disable)(point) };
    }
}

/// Does the thread of a trace point's event run Ruby code? A thread that begins makes objects before
/// it has a stack of Ruby's, and Ruby 3.1 does not check that before it looks for frames.
fn runs_code(memory: &mut Memory, argument: u64) -> bool {
    let mut is_set = |at: u64| memory.word(at).filter(|word| *word != 0);
    // The event, its execution context, and the frame; a context begins with the stack, its size and
    // the frame.
    let context = is_set(argument.wrapping_add(8));
    let frame = is_set(argument.wrapping_add(16));
    let stack = context.and_then(&mut is_set);
    let current = context.and_then(|context| is_set(context.wrapping_add(16)));
    frame.is_some() && stack.is_some() && current.is_some()
}

/// Asks for a job. On a thread that makes an object.
pub fn want_job() {
    let inside = Inside::enter();
    if let Some(ruby) = inside.ruby() {
        // SAFETY: a thread of Ruby's.
        unsafe { ruby.want_job() };
    }
}

/// The size of an object's slot.
fn slot_size(layout: Layout, memory: &mut Memory, object: Value) -> u64 {
    let of_page = |memory: &mut Memory| {
        let page = memory.word(object & !(HEAP_PAGE - 1))?;
        memory.quarter(page).map(u64::from)
    };
    match layout {
        Layout::Old => SLOT,
        Layout::New => of_page(memory)
            .filter(|size| SLOTS.contains(size))
            .unwrap_or(SLOT),
    }
}

//! The cold twins: what a hook does when its countdown ran out, when the pointer carries the mark,
//! and the functions of the family that are too rare to deserve a hot twin.
//!
//! Called by `entry` alone. Each keeps the semantics of the C function to the letter: whatever
//! goes wrong here, the call is made as if it had not been sampled. errno is the next allocator's;
//! nothing of ours sets it.
//!
//! Order on free: the record goes first, then the block, or another thread would get the address
//! and lose its new record to our removal. On realloc: detach, call, re-attach if it failed.
//!
//! # Safety
//! The pointers come from the program under the contracts of malloc(3), posix_memalign(3) and
//! operator new; they are passed on, and read only as far as their usable size.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

use super::MARK;
use super::entry::Context;
use super::forward::{self, Mode};
use super::spare;
use crate::diag::{self, Counter};
use crate::next::{self, Block, Functions};
use crate::recorder::{self, Hook, Sampling};
use crate::{tls, trigger, unwind};

/// From this size on the next allocator is asked for a plain block first: it may carry the mark
/// by itself (glibc maps it), and a big block should be neither copied nor touched.
const BIG: usize = 128 << 10;
/// Where a sampled block begins.
const ALIGN: usize = 4096;
/// jemalloc's `MALLOCX_LG_ALIGN(12) | MALLOCX_ZERO` and the former alone.
const MALLOCX_ALIGN: c_int = 12;
const MALLOCX_ZERO: c_int = 0x40;

/// What a sampled block must be.
#[derive(Clone, Copy)]
struct Shape {
    size: usize,
    align: usize,
    zeroed: bool,
}

impl Shape {
    fn plain(size: usize) -> Self {
        Shape { size, align: 1, zeroed: false }
    }

    fn aligned(size: usize, align: usize) -> Self {
        Shape { size, align, zeroed: false }
    }

    fn zeroed(size: usize) -> Self {
        Shape { size, align: 1, zeroed: true }
    }
}

fn is_marked(block: Block) -> bool {
    block as usize & MARK as usize == 0
}

/// A block whose address can be told from an unsampled one's; null when there is none to be had.
///
/// # Safety
/// `plain` makes a block of this shape.
unsafe fn marked_block(shape: Shape, plain: impl Fn() -> Block) -> Block {
    let next = next::allocator();
    if forward::mode() != Mode::Marked {
        return plain();
    }
    if shape.size >= BIG || shape.align >= ALIGN {
        let block = plain();
        if block.is_null() || is_marked(block) {
            return block;
        }
        // SAFETY: the block was made just now and nobody else knows it.
        unsafe { next.free(block) };
    }
    // SAFETY: the sizes are the program's; `align` is a power of two, checked by who made `shape`.
    let block = unsafe { aligned_block(next, shape) };
    if block.is_null() { plain() } else { block }
}

/// # Safety
/// `shape.align` is a power of two.
unsafe fn aligned_block(next: &Functions, shape: Shape) -> Block {
    let align = shape.align.max(ALIGN);
    if align == ALIGN
        && let Some(block) = spare::take(shape.size)
    {
        if shape.zeroed {
            // SAFETY: a spare of this class holds that many bytes, and was taken out for us.
            unsafe { core::ptr::write_bytes(block, 0, shape.size) };
        }
        return block;
    }
    let size = spare::rounded(shape.size);
    // SAFETY: the calls have the alignment they ask for: a power of two, at least a page.
    unsafe {
        if shape.zeroed {
            let by_itself = next
                .mallocx(size, MALLOCX_ALIGN | MALLOCX_ZERO)
                .or_else(|| next.mi_zalloc_aligned(size, align));
            if let Some(block) = by_itself {
                return block;
            }
        }
        let block = next
            .memalign(align, size)
            .or_else(|| next.aligned_alloc(align, size))
            .unwrap_or(core::ptr::null_mut());
        if shape.zeroed && !block.is_null() {
            core::ptr::write_bytes(block, 0, shape.size);
        }
        block
    }
}

/// An allocation whose countdown ran out, or every one in exact mode.
///
/// # Safety
/// `context` is what the entry saved; `plain` makes a block of `shape`.
#[inline]
unsafe fn sample(hook: Hook, context: &Context, shape: Shape, plain: impl Fn() -> Block) -> Block {
    let sampling = match forward::mode() {
        Mode::Exact => recorder::enter_exact(shape.size),
        _ => recorder::enter_event(shape.size),
    };
    let Some(sampling) = sampling else {
        return plain();
    };
    let errno = Errno::save();
    // SAFETY: as promised by the caller.
    let block = unsafe { marked_block(shape, plain) };
    if !block.is_null() {
        errno.restore();
        record(sampling, block, shape.size, hook, context);
    }
    block
}

fn record(sampling: Sampling, block: Block, size: usize, hook: Hook, context: &Context) {
    if forward::mode() != Mode::Marked || is_marked(block) {
        let bytes = sampling.record(block as usize, size, hook, context.registers());
        trigger::after_sample(sampling.guard(), bytes);
    } else {
        diag::count(Counter::Unmarkable);
    }
    drop(sampling);
    free_pending();
}

/// Frees what signal handlers of this thread left behind while it was inside our tables.
fn free_pending() {
    while let Some(address) = recorder::next_pending() {
        free_sampled(address as Block);
    }
}

/// A function without a hot twin: takes the bytes from the countdown here.
///
/// # Safety
/// As [`sample`].
unsafe fn count(hook: Hook, context: &Context, shape: Shape, plain: impl Fn() -> Block) -> Block {
    let due = recorder::count_down(shape.size) || forward::mode() == Mode::Exact;
    if due && !next::is_shadowed() {
        // SAFETY: as promised by the caller.
        unsafe { sample(hook, context, shape, plain) }
    } else {
        plain()
    }
}

/// A failed attempt to align leaves ENOMEM behind though the program's call then succeeds.
struct Errno(c_int);

impl Errno {
    fn save() -> Self {
        // SAFETY: glibc's errno location is valid for the calling thread.
        Errno(unsafe { *libc::__errno_location() })
    }

    fn restore(self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 }
    }
}

macro_rules! real {
    ($name:ident($($arg:expr),*)) => {
        // SAFETY: the program's own arguments, for the function the program called.
        unsafe { next::allocator().$name($($arg),*) }.unwrap_or(core::ptr::null_mut())
    };
}

/// malloc when the countdown ran out.
pub extern "C" fn malloc_event(size: usize, context: &Context) -> Block {
    let plain = || real!(malloc(size));
    // SAFETY: `context` comes from the entry.
    unsafe { sample(Hook::Malloc, context, Shape::plain(size), plain) }
}

/// malloc in exact mode.
pub extern "C" fn malloc_exact(size: usize, context: &Context) -> Block {
    malloc_event(size, context)
}

/// calloc when the countdown ran out, or the product overflows (then nothing was counted).
pub extern "C" fn calloc_event(number: usize, size: usize, context: &Context) -> Block {
    let Some(bytes) = number.checked_mul(size) else {
        return real!(calloc(number, size));
    };
    let plain = || real!(calloc(number, size));
    // SAFETY: `context` comes from the entry.
    unsafe { sample(Hook::Calloc, context, Shape::zeroed(bytes), plain) }
}

/// calloc in exact mode.
pub extern "C" fn calloc_exact(number: usize, size: usize, context: &Context) -> Block {
    calloc_event(number, size, context)
}

/// realloc of a pointer with the mark, or of null; not counted yet.
pub extern "C" fn realloc_marked(block: Block, size: usize, context: &Context) -> Block {
    let due = recorder::count_down(size);
    reallocate(block, size, Hook::Realloc, context, due)
}

/// realloc of a pointer without the mark when the countdown ran out.
pub extern "C" fn realloc_event(block: Block, size: usize, context: &Context) -> Block {
    reallocate(block, size, Hook::Realloc, context, true)
}

/// realloc where marks are not used; counted, and no sample due.
pub extern "C" fn realloc_checked(block: Block, size: usize, context: &Context) -> Block {
    reallocate(block, size, Hook::Realloc, context, false)
}

fn reallocate(block: Block, size: usize, hook: Hook, context: &Context, due: bool) -> Block {
    let plain = || real!(realloc(block, size));
    let exact = forward::mode() == Mode::Exact;
    let tracked = !block.is_null() && recorder::may_be_sampled(block as usize);
    if (!due && !tracked && !exact) || next::is_shadowed() {
        return plain();
    }
    if block.is_null() {
        if !due && !exact {
            return plain();
        }
        // SAFETY: `context` comes from the entry; realloc of null is malloc.
        return unsafe { sample(hook, context, Shape::plain(size), plain) };
    }
    if tracked && tls::current().is_busy() {
        return reallocate_in_handler(block, size);
    }
    let before = if tracked { recorder::detach(block as usize) } else { None };
    let sampling = match (exact, due) {
        (true, _) => recorder::enter_exact(size),
        (false, true) => recorder::enter_event(size),
        (false, false) => None,
    };
    let moved = match &sampling {
        Some(_) if size > 0 && forward::mode() == Mode::Marked => move_marked(block, size),
        _ => plain(),
    };
    if moved.is_null() {
        drop(sampling);
        if let Some(before) = before {
            // realloc(p, 0) frees and returns null; otherwise null means nothing happened.
            if size == 0 { recorder::forget(&before) } else { recorder::attach(before) }
        }
        return moved;
    }
    if let Some(before) = before {
        recorder::forget(&before);
    }
    if let Some(sampling) = sampling {
        record(sampling, moved, size, hook, context);
    }
    moved
}

/// A signal handler reallocates a sampled block while its thread is inside our tables.
fn reallocate_in_handler(block: Block, size: usize) -> Block {
    let fresh = real!(malloc(size));
    if !fresh.is_null() {
        copy_usable(block, fresh, size);
        recorder::free_later(block as usize);
    }
    fresh
}

/// realloc into a block that carries the mark. On failure the old block is as it was.
fn move_marked(block: Block, size: usize) -> Block {
    let next = next::allocator();
    if size >= BIG {
        // SAFETY: the program's block and size.
        let moved = unsafe { next.rallocx(block, size, MALLOCX_ALIGN) }
            .unwrap_or_else(|| real!(realloc(block, size)));
        if moved.is_null() || is_marked(moved) {
            return moved;
        }
        return copy_to_marked(moved, size).unwrap_or(moved);
    }
    copy_to_marked(block, size).unwrap_or_else(|| real!(realloc(block, size)))
}

fn copy_to_marked(block: Block, size: usize) -> Option<Block> {
    let errno = Errno::save();
    // SAFETY: the alignment is a page.
    let fresh = unsafe { aligned_block(next::allocator(), Shape::plain(size)) };
    if fresh.is_null() {
        errno.restore();
        return None;
    }
    copy_usable(block, fresh, size);
    // SAFETY: the program gave the block away with its call of realloc.
    unsafe { next::allocator().free(block) };
    Some(fresh)
}

fn copy_usable(from: Block, to: Block, size: usize) {
    // SAFETY: both blocks are live and distinct; the usable size of the old one is what the
    // allocator itself would copy at most, and the new one holds `size` bytes.
    unsafe {
        let usable = next::allocator().malloc_usable_size(from).unwrap_or(0);
        core::ptr::copy_nonoverlapping(from, to, usable.min(size));
    }
}

/// free, or a delete, of a pointer with the mark; of any pointer where marks are not used.
pub extern "C" fn free_marked(block: Block) {
    if !block.is_null() && recorder::may_be_sampled(block as usize) {
        return free_sampled(block);
    }
    // SAFETY: the program frees its block.
    unsafe { next::allocator().free(block) };
}

#[cold]
#[inline(never)]
fn free_sampled(block: Block) {
    if tls::current().is_busy() {
        // The thread holds one of our locks below this signal handler.
        return recorder::free_later(block as usize);
    }
    let sample = recorder::detach(block as usize);
    if let Some(sample) = &sample {
        recorder::forget(sample);
    }
    if !sample.is_some_and(|sample| keep(block, sample.size)) {
        // SAFETY: the program frees its block; the record of it is gone.
        unsafe { next::allocator().free(block) };
    }
    free_pending();
}

/// Keeps a freed sampled block for the next sample of its size.
fn keep(block: Block, size: usize) -> bool {
    if forward::mode() != Mode::Marked || block as usize % ALIGN != 0 {
        return false;
    }
    // SAFETY: the block is not freed yet.
    let usable = unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0);
    spare::keep(block, size, usable)
}

/// reallocarray(3)
pub extern "C" fn reallocarray(block: Block, number: usize, size: usize, context: &Context) -> Block {
    let own = next::is_counted(&next::allocator().reallocarray);
    match number.checked_mul(size) {
        Some(bytes) if own => {
            let due = recorder::count_down(bytes);
            reallocate(block, bytes, Hook::Reallocarray, context, due)
        }
        _ => real!(reallocarray(block, number, size)),
    }
}

/// posix_memalign(3): errno is left alone, the result says what went wrong.
pub extern "C" fn posix_memalign(out: *mut Block, align: usize, size: usize, context: &Context) -> c_int {
    let next = next::allocator();
    // SAFETY: the program's own arguments.
    let real = |out: *mut Block| unsafe { next.posix_memalign(out, align, size) }.unwrap_or(libc::ENOMEM);
    let valid = align.is_power_of_two() && align % size_of::<usize>() == 0;
    if !valid || !next::is_counted(&next.posix_memalign) {
        return real(out);
    }
    let result = core::cell::Cell::new(0);
    let plain = || {
        let mut block = core::ptr::null_mut();
        result.set(real(&mut block));
        if result.get() == 0 { block } else { core::ptr::null_mut() }
    };
    // SAFETY: `context` comes from the entry, the alignment is a power of two.
    let block = unsafe { count(Hook::PosixMemalign, context, Shape::aligned(size, align), plain) };
    // A block of size 0 may be null with result 0; an aligned block made after a refusal is not.
    if !block.is_null() || result.get() == 0 {
        // SAFETY: the program's out pointer.
        unsafe { out.write(block) };
        return 0;
    }
    result.get()
}

macro_rules! aligned {
    ($name:ident, $hook:ident) => {
        #[doc = concat!(stringify!($name), "(3)")]
        pub extern "C" fn $name(align: usize, size: usize, context: &Context) -> Block {
            let plain = || real!($name(align, size));
            if !align.is_power_of_two() || !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            // SAFETY: `context` comes from the entry, the alignment is a power of two.
            unsafe { count(Hook::$hook, context, Shape::aligned(size, align), plain) }
        }
    };
}

aligned!(aligned_alloc, AlignedAlloc);
aligned!(memalign, Memalign);

macro_rules! paged {
    ($name:ident, $hook:ident) => {
        #[doc = concat!(stringify!($name), "(3): page-aligned, so it carries the mark by itself.")]
        pub extern "C" fn $name(size: usize, context: &Context) -> Block {
            let plain = || real!($name(size));
            if !next::is_counted(&next::allocator().$name) {
                return plain();
            }
            // SAFETY: `context` comes from the entry, a page is a power of two.
            unsafe { count(Hook::$hook, context, Shape::aligned(size, ALIGN), plain) }
        }
    };
}

paged!(valloc, Valloc);
paged!(pvalloc, Pvalloc);

/// malloc_usable_size(3) before the next allocator is known.
pub extern "C" fn malloc_usable_size(block: Block) -> usize {
    // SAFETY: the program's own argument.
    unsafe { next::allocator().malloc_usable_size(block) }.unwrap_or(0)
}

/// dlclose(3): unwind rules of the library that may go are forgotten before and after, and C++
/// operators that it may have brought.
pub extern "C" fn dlclose(handle: *mut c_void, _context: &Context) -> c_int {
    unwind::bump_generation();
    forward::forget_operators();
    // SAFETY: the program's own argument. -1 is dlclose's own word for failure.
    let result = unsafe { next::allocator().dlclose(handle) }.unwrap_or(-1);
    unwind::bump_generation();
    result
}

macro_rules! operators {
    ($($name:ident($($arg:ident),*): $hook:ident, $align:expr;)+) => {$(
        #[doc = concat!("The next allocator's own operator new (`", stringify!($name), "`).")]
        ///
        /// Null sends the entry on to the operator itself, as if nothing had been sampled: what it
        /// does when memory is short (handler, exception), it does in frames without us.
        pub extern "C" fn $name(size: usize, $($arg: usize,)* context: &Context) -> Block {
            // SAFETY: `context` comes from the entry; C++ alignments are powers of two.
            unsafe { sample_new(Hook::$hook, context, Shape::aligned(size, $align)) }
        }
    )+};
}

operators! {
    new_event(): New, 1;
    new_array_event(): NewArray, 1;
    new_nothrow_event(_tag): New, 1;
    new_array_nothrow_event(_tag): NewArray, 1;
    new_aligned_event(align): New, align;
    new_array_aligned_event(align): NewArray, align;
    new_aligned_nothrow_event(align, _tag): New, align;
    new_array_aligned_nothrow_event(align, _tag): NewArray, align;
}

/// Allocators that bring their own operator new free its blocks and malloc's alike, so a sampled
/// block may come from either.
///
/// # Safety
/// As [`sample`].
unsafe fn sample_new(hook: Hook, context: &Context, shape: Shape) -> Block {
    let size = shape.size.max(1);
    let plain = || match shape.align {
        // What malloc aligns to by itself.
        ..=16 => real!(malloc(size)),
        align => real!(memalign(align, size)),
    };
    // SAFETY: as promised by the caller.
    unsafe { sample(hook, context, shape, plain) }
}

/// operator new in a process where nobody defines it: malloc, which is what every library does
/// short of its handler and its exception.
pub extern "C" fn new_without_library(size: usize) -> Block {
    real!(malloc(size.max(1)))
}

//! libgcc's unwinder, by the `backtrace` crate. Also used by the bench.

/// libgcc's stack of the caller, with the frames of the unwinder itself on top, up to the capacity of `frames`: no allocation, for
/// signal handlers.
#[inline(never)]
pub fn stack_into(frames: &mut Vec<u64>) {
    // SAFETY: the lock that is not taken guards the symbolication, and addresses are all that is taken here.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if frame.ip() as u64 != 0 {
                frames.push(frame.ip() as u64);
            }
            frames.len() < frames.capacity()
        })
    };
}

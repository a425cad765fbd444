//! What a call of mallctl gives and takes: the rules by which jemalloc copies values.
//!
//! Source: `READ`, `WRITE` and `READONLY` of `src/ctl.c` of jemalloc 5.3.0.
//!
//! # Safety
//! The pointers are the program's, under the contract of mallctl(3): `old` has room for `*old_length` bytes,
//! `new` has `new_length` bytes.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_void};
use core::marker::PhantomData;

/// The error that the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub c_int);

/// The arguments of one call after its name.
pub struct Exchange<'a> {
    old: *mut u8,
    old_length: *mut usize,
    new: *const u8,
    new_length: usize,
    program: PhantomData<&'a mut u8>,
}

/// A type whose bytes are copied as they are.
///
/// # Safety
/// It has no padding, and any bytes of its size are a value.
pub unsafe trait Plain: Copy {}

// SAFETY: numbers, and pointers as numbers.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for usize {}
// SAFETY: as above.
unsafe impl Plain for isize {}
// SAFETY: as above.
unsafe impl Plain for *const c_char {}

impl Exchange<'_> {
    /// The arguments of a call.
    ///
    /// # Safety
    /// They satisfy mallctl(3), and live as long as the exchange.
    pub unsafe fn new(
        old: *mut c_void,
        old_length: *mut usize,
        new: *mut c_void,
        new_length: usize,
    ) -> Self {
        Exchange {
            old: old.cast(),
            old_length,
            new: new.cast(),
            new_length,
            program: PhantomData,
        }
    }

    /// Refuses to be written.
    pub fn only_read(&self) -> Result<(), Refusal> {
        refuse(self.brings() || self.new_length != 0, libc::EPERM)
    }

    /// Refuses to be read.
    pub fn only_written(&self) -> Result<(), Refusal> {
        let wants = !self.old.is_null() || !self.old_length.is_null();
        refuse(wants, libc::EPERM)
    }

    /// Refuses to be read and written at once.
    pub fn one_way(&self) -> Result<(), Refusal> {
        let brings = self.brings() || self.new_length != 0;
        refuse(self.has_room() && brings, libc::EPERM)
    }

    /// Does the program bring a value?
    pub fn brings(&self) -> bool {
        !self.new.is_null()
    }

    fn has_room(&self) -> bool {
        !self.old.is_null() && !self.old_length.is_null()
    }

    /// Gives the program a value, if it wants one. If its room has another size, as much as fits is copied,
    /// and the call fails.
    pub fn give<T: Plain>(&self, value: T) -> Result<(), Refusal> {
        if !self.has_room() {
            return Ok(());
        }
        // SAFETY: the program's pointers; `old` has room for `*old_length` bytes.
        unsafe {
            let room = *self.old_length;
            let copied = room.min(size_of::<T>());
            self.old
                .copy_from_nonoverlapping((&raw const value).cast(), copied);
            *self.old_length = if room == size_of::<T>() { room } else { copied };
            refuse(room != size_of::<T>(), libc::EINVAL)
        }
    }

    /// As [`Exchange::give`], for a bool.
    pub fn give_flag(&self, value: bool) -> Result<(), Refusal> {
        self.give(u8::from(value))
    }

    /// The value that the program brings, if it brings one.
    pub fn take<T: Plain>(&self) -> Result<Option<T>, Refusal> {
        if !self.brings() {
            return Ok(None);
        }
        refuse(self.new_length != size_of::<T>(), libc::EINVAL)?;
        // SAFETY: the program's value of that size, at any alignment.
        Ok(Some(unsafe { self.new.cast::<T>().read_unaligned() }))
    }

    /// As [`Exchange::take`], for a bool.
    pub fn take_flag(&self) -> Result<Option<bool>, Refusal> {
        Ok(self.take::<u8>()?.map(|byte| byte != 0))
    }
}

fn refuse(refused: bool, errno: c_int) -> Result<(), Refusal> {
    if refused { Err(Refusal(errno)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr::null_mut;

    fn reading(old: &mut [u8], length: &mut usize) -> Exchange<'static> {
        // SAFETY: the room outlives the exchange in these tests.
        unsafe { Exchange::new(old.as_mut_ptr().cast(), length, null_mut(), 0) }
    }

    #[test]
    fn a_room_of_another_size_gets_what_fits() {
        for (room, copied, result) in [
            (8, 8, Ok(())),
            (4, 4, Err(Refusal(libc::EINVAL))),
            (9, 8, Err(Refusal(libc::EINVAL))),
        ] {
            let (mut old, mut length) = ([0xee; 16], room);
            assert_eq!(reading(&mut old, &mut length).give(0u64), result);
            assert_eq!(
                (length, old.iter().filter(|byte| **byte == 0).count()),
                (copied, copied)
            );
        }
    }

    #[test]
    fn a_value_of_another_size_is_refused() {
        let mut new = 1u32;
        // SAFETY: the value outlives the exchange.
        let exchange = unsafe { Exchange::new(null_mut(), null_mut(), (&raw mut new).cast(), 4) };
        assert_eq!(exchange.take::<u32>(), Ok(Some(1)));
        assert_eq!(exchange.take_flag(), Err(Refusal(libc::EINVAL)));
        assert_eq!(exchange.only_read(), Err(Refusal(libc::EPERM)));
        assert_eq!(
            (exchange.only_written(), exchange.one_way()),
            (Ok(()), Ok(()))
        );
    }
}

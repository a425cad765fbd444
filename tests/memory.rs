//! The library's own `memcpy` and its like, against what everybody trusts.

#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code)]

use core::ffi::c_int;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

#[path = "../preload/src/memory.rs"]
mod memory;

unsafe extern "C" {
    fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8;
    fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8;
    fn memset(to: *mut u8, byte: c_int, length: usize) -> *mut u8;
    fn memcmp(a: *const u8, b: *const u8, length: usize) -> c_int;
    fn bcmp(a: *const u8, b: *const u8, length: usize) -> c_int;
    fn strlen(text: *const u8) -> usize;
}

const SIZE: usize = 512;

struct Dice(SmallRng);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        (self.0.next_u64() % most as u64) as usize
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..SIZE).map(|_| self.0.next_u64() as u8).collect()
    }
}

fn dice() -> Dice {
    Dice(SmallRng::seed_from_u64(7))
}

#[test]
fn they_are_the_librarys_own() {
    // SAFETY: the string is NUL-terminated.
    let of_libc = unsafe { libc::dlsym(libc::RTLD_NEXT, c"memcmp".as_ptr()) } as usize;
    assert_ne!(memcmp as *const () as usize, of_libc);
    assert_eq!(memcmp as *const () as usize, bcmp as *const () as usize);
}

#[test]
fn what_is_the_same_is_told_from_what_differs() {
    let mut dice = dice();
    for round in 0..40_000 {
        let length = dice.below(if round % 2 == 0 { 40 } else { 340 });
        let (left, right) = (dice.below(32), dice.below(32));
        let a = dice.bytes();
        let mut b = dice.bytes();
        b[right..right + length].copy_from_slice(&a[left..left + length]);
        for _ in 0..dice.below(3) {
            if length != 0 {
                b[right + dice.below(length)] ^= 1 << dice.below(8);
            }
        }
        let naive = (0..length)
            .map(|at| c_int::from(a[left + at]) - c_int::from(b[right + at]))
            .find(|difference| *difference != 0)
            .unwrap_or(0);
        // SAFETY: both have `length` bytes from there.
        let found = unsafe { memcmp(a.as_ptr().add(left), b.as_ptr().add(right), length) };
        assert_eq!(found.signum(), naive.signum(), "{length} bytes");
    }
}

#[test]
fn copies_are_as_byte_by_byte() {
    let mut dice = dice();
    for _ in 0..20_000 {
        let (length, to, from) = (dice.below(340), dice.below(64), dice.below(64));
        let before = dice.bytes();
        let source = dice.bytes();
        let mut naive = before.clone();
        let mut ours = before.clone();
        naive[to..to + length].copy_from_slice(&before[from..from + length]);
        // SAFETY: all have `length` bytes from there.
        unsafe {
            let place = ours.as_mut_ptr();
            assert_eq!(
                memmove(place.add(to), place.add(from), length),
                place.add(to)
            );
        }
        assert_eq!(ours, naive, "{length} bytes from {from} to {to}");
        naive[to..to + length].copy_from_slice(&source[from..from + length]);
        // SAFETY: as above.
        unsafe { memcpy(ours.as_mut_ptr().add(to), source.as_ptr().add(from), length) };
        assert_eq!(ours, naive);
        naive[from..from + length].fill(0x5a);
        // SAFETY: as above.
        unsafe { memset(ours.as_mut_ptr().add(from), 0x75a, length) };
        assert_eq!(ours, naive);
    }
}

#[test]
fn a_text_ends_at_its_first_zero() {
    for length in 0..100 {
        let mut text = vec![b'x'; length];
        text.extend([0, b'y', 0]);
        // SAFETY: it has a zero.
        assert_eq!(unsafe { strlen(text.as_ptr()) }, length);
    }
}

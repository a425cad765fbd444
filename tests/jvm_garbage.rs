//! The walker of Java frames among garbage: a JVM whose memory is random words, at random places,
//! with pointers to itself, to nowhere and to pages that are gone. No fault, no panic, no endless
//! walk, whatever the answer. Apart from the other tests, for it fills the table of frames with
//! nonsense.

#![allow(unsafe_code)]

use malloscope::platform::sys;
use malloscope::runtime::jvm::layout::{Constants, Fields, Layout, Sizes};
use malloscope::runtime::jvm::walk::{Exit, Frame, Walk};
use malloscope::runtime::jvm::{Names, structs::Place};
use malloscope::runtime::memory::Memory;
use proptest::prelude::*;

const WORDS: usize = 4096;

/// Where names stand that the walker knows, so that it takes every way.
const NAMES: usize = WORDS - 64;

/// A region whose second half is given back.
fn region() -> (u64, &'static mut [u64]) {
    let bytes = 8 * WORDS;
    let region = sys::mmap_anon(2 * bytes).expect("memory");
    // SAFETY: both halves are ours; the first is borrowed once, the second not used.
    unsafe {
        sys::munmap(region.add(bytes), bytes);
        let words = std::slice::from_raw_parts_mut(region.cast().as_ptr(), WORDS);
        (region.as_ptr() as u64, words)
    }
}

/// What a word of the region holds: small numbers, pointers into it or behind its end, anything.
fn word() -> impl Strategy<Value = (u8, u64)> {
    (0..12_u8, any::<u64>())
}

fn value(start: u64, (kind, any): (u8, u64)) -> u64 {
    let within = any % (8 * WORDS as u64);
    match kind {
        0 => any,
        1 => any % 64,
        2 => 0,
        3 => start + within + 8 * WORDS as u64,
        4 => start + within,
        // The name of a kind of code.
        5 | 6 => start + 8 * (NAMES + any as usize % 3 * 4) as u64,
        _ => start + within / 8 * 8,
    }
}

/// A layout with every offset small and every address in the region.
fn layout(start: u64, offsets: &[u64], is_apart: bool) -> Layout {
    let mut next = offsets.iter().cycle();
    let mut offset = |width: u8| Place {
        at: next.next().expect("endless") % 32 * 8,
        width,
    };
    let address = |place: Place| Place {
        at: start + place.at * 16,
        width: 8,
    };
    let mut fields = Fields::filled(|| offset(4));
    for place in [
        &mut fields.call_stub_return,
        &mut fields.heaps,
        &mut fields.low_bound,
        &mut fields.high_bound,
    ] {
        *place = place.map(address);
    }
    if is_apart {
        fields.scopes_begin = None;
        fields.blob_code_begin = None;
    }
    let sizes = Sizes::filled(|| 16);
    let mut constants = Constants::filled(|| 1);
    (constants.call_wrapper, constants.sender_sp) = (Some(-6), Some(-1));
    constants.last_sp = Some(-2);
    Layout::of(&fields, &sizes, &constants).expect("nothing is missing")
}

/// Puts a heap of code around the whole region, one segment after the other in use.
fn make_heap(layout: &Layout, start: u64, memory: &mut [u64]) {
    let mut put = |at: u64, value: u64| {
        if let Some(slot) = memory.get_mut((at.wrapping_sub(start) / 8) as usize) {
            *slot = value;
        }
    };
    let (list, array, heap) = (start + 0x1000, start + 0x1200, start + 0x1400);
    let (map, end) = (start + 0x1800, start + 8 * WORDS as u64);
    put(layout.heaps, list);
    put(list + layout.array_length, 1);
    put(list + layout.array_data, array);
    put(array, heap);
    put(heap + layout.heap_low, start);
    put(heap + layout.heap_high, end);
    put(heap + layout.heap_segments, map);
    put(heap + layout.heap_lg_segment, 7);
    for at in 0..(WORDS as u64 / 16 / 8) {
        put(map + 8 * at, 0x0001_0002_0000_0100);
    }
    let names = [
        &b"nmethod\0"[..],
        b"native nmethod\0\0",
        b"Interpreter\0\0\0\0\0",
    ];
    for (at, name) in (NAMES as u64..).step_by(4).zip(names) {
        for (at, chunk) in (at..).zip(name.as_chunks::<8>().0) {
            put(start + 8 * at, u64::from_le_bytes(*chunk));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn random_memory(
        words in proptest::collection::vec(word(), WORDS / 8),
        offsets in proptest::collection::vec(any::<u64>(), 70),
        at in [word(), word(), word()],
        is_apart: bool,
        major in 8_u32..30,
    ) {
        let (start, memory) = region();
        for (slot, word) in memory.iter_mut().zip(words.iter().cycle()) {
            *slot = value(start, *word);
        }
        let mut layout = layout(start, &offsets, is_apart);
        layout.major = major;
        make_heap(&layout, start, memory);
        let (mut known, mut names) = (Memory::new(), Names::new());
        let mut out = [0; 200];
        let [pc, sp, fp] = at.map(|word| value(start, word));
        let frame = Frame { pc, sp: sp & !7, fp };
        let anchor = Walk::anchor(&layout, &mut known, pc);
        for from in [Some(frame), anchor].into_iter().flatten() {
            let mut walk = Walk {
                layout: &layout,
                memory: &mut known,
                names: &mut names,
                out: &mut out,
                length: 0,
                stack_base: start + 8 * WORDS as u64,
                seen: None,
            };
            let exit = walk.run(from);
            prop_assert!(walk.length <= 200);
            prop_assert!(exit != Exit::Full || walk.length == 200);
        }
        let first = std::ptr::NonNull::new(memory.as_mut_ptr().cast()).expect("mapped");
        // SAFETY: the half that `region` left; nothing borrows it any more.
        unsafe { sys::munmap(first, 8 * WORDS) };
    }
}

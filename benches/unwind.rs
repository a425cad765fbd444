//! One stack of some thirty frames, taken again and again: ours, framehop and libgcc (by the `backtrace` crate).
//!
//! `cargo bench --bench unwind`. With an argument `count` it takes ours a thousand times and nothing else, for counting instructions:
//! `valgrind --tool=callgrind --toggle-collect='*unwind::unwind*' <bench> count`.
#![allow(missing_docs, unsafe_code)]

#[path = "../tests/unwind/hop.rs"]
mod hop;
#[path = "../tests/unwind/libgcc.rs"]
mod libgcc;

use std::hint::black_box;

use criterion::Criterion;
use malloscope::unwind::{self, End, Registers, ThreadUnwinder};

const FRAMES: u32 = 30;

/// `depth` frames, each of another function with other registers saved.
macro_rules! chain {
    ($($name:ident => $next:ident,)*) => {
        $(#[inline(never)]
        fn $name(depth: u32, body: &mut dyn FnMut(), a: u64, b: u64) -> u64 {
            let saved = [a ^ 1, b ^ 2, a.wrapping_mul(3), b.wrapping_mul(5)].map(black_box);
            if depth == 0 {
                body();
            } else {
                black_box($next(depth - 1, body, saved[0], saved[1]));
            }
            saved.iter().fold(a ^ b, |sum, word| sum.wrapping_mul(31) ^ word)
        })*
    };
}

chain! {
    f0 => f1, f1 => f2, f2 => f3, f3 => f4, f4 => f5, f5 => f6, f6 => f7, f7 => f8, f8 => f9, f9 => f10, f10 => f11,
    f11 => f12, f12 => f13, f13 => f14, f14 => f15, f15 => f0,
}

/// Runs `body` under a stack of `FRAMES` frames, `body` included.
fn on_deep_stack(body: &mut dyn FnMut()) {
    let mut out = [0; 256];
    let mut unwinder = Box::new(ThreadUnwinder::new());
    let (here, end) = unwind::unwind(&mut unwinder, Registers::here(), &mut out);
    assert_eq!(end, End::Complete);
    f0(FRAMES.saturating_sub(here as u32 + 2), body, 1, 2);
}

fn count() {
    let mut unwinder = Box::new(ThreadUnwinder::new());
    let mut out = [0; 128];
    on_deep_stack(&mut || {
        let mut frames = 0;
        for _ in 0..1000 {
            frames += unwind::unwind(&mut unwinder, Registers::here(), &mut out).0;
        }
        println!("{frames} frames in 1000 stacks");
    });
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stack of 30 frames");
    let mut out = [0; 128];
    let mut unwinder = Box::new(ThreadUnwinder::new());
    on_deep_stack(&mut || {
        group.bench_function("malloscope", |bencher| {
            bencher.iter(|| unwind::unwind(&mut unwinder, Registers::here(), black_box(&mut out)));
        });
    });
    let mut framehop = hop::Framehop::new();
    on_deep_stack(&mut || {
        group.bench_function("framehop", |bencher| {
            bencher.iter(|| framehop.walk(Registers::here(), black_box(&mut out)));
        });
    });
    let mut frames = Vec::with_capacity(128);
    on_deep_stack(&mut || {
        group.bench_function("libgcc", |bencher| {
            bencher.iter(|| {
                frames.clear();
                libgcc::stack_into(black_box(&mut frames));
            });
        });
    });
    group.finish();
}

fn main() {
    unwind::init();
    if std::env::args().any(|argument| argument == "count") {
        return count();
    }
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}

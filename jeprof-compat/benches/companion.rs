//! What a user waits for: reading, naming and printing a big profile. The profile is synthetic,
//! 5,000 stacks of 30 frames at addresses of this program and its libc, so that symbols and
//! DWARF are real.

use std::fmt::Write;
use std::fs;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jeprof_compat::profile::model::Profile;
use jeprof_compat::profile::read;
use jeprof_compat::stacks::{NamedProfile, Part, Selection};
use jeprof_compat::symbolize::{Locator, symbolize};
use jeprof_compat::view::format::folded;
use jeprof_compat::view::terminal::text;

const STACKS: usize = 5_000;
const DEPTH: usize = 30;

/// Multiplicative congruential numbers (Lehmer): the same profile in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// Executable ranges of files in this process.
fn code(maps: &str) -> Vec<(u64, u64)> {
    let executable = maps
        .lines()
        .filter(|l| l.contains("r-xp") && l.contains('/'));
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let hex = |s| u64::from_str_radix(s, 16).ok();
        Some((hex(start)?, hex(end)?))
    };
    executable.filter_map(range).collect()
}

fn dump() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let code = code(&maps);
    let mut numbers = Numbers(1);
    let mut out = String::from("heap_v2/524288\n  t*: 1: 1 [0: 0]\n");
    for _ in 0..STACKS {
        out.push('@');
        for _ in 0..DEPTH {
            let (start, end) = code[numbers.below(code.len() as u64) as usize];
            // A program has far fewer call sites than bytes of code.
            let address = start + numbers.below(4_000) * 97 % (end - start);
            write!(out, " {address:#x}").unwrap();
        }
        let (objects, bytes) = (1 + numbers.below(9), numbers.below(1 << 20));
        let bytes = objects * (16 + bytes);
        write!(out, "\n  t*: {objects}: {bytes} [0: 0]\n").unwrap();
    }
    write!(out, "\nMAPPED_LIBRARIES:\n{maps}").unwrap();
    out
}

fn parsed(dump: &str) -> Profile {
    read::parse(dump.as_bytes(), "bench").unwrap().0
}

fn named(profile: &Profile) -> NamedProfile {
    NamedProfile::build(&[Part { profile, sign: 1.0 }], &Selection::default())
}

fn companion(c: &mut Criterion) {
    let dump = dump();
    let locator = Locator::default();
    let mut profiles = [parsed(&dump)];
    let raw = profiles.clone();
    symbolize(&mut profiles, &locator);
    let by_name = named(&profiles[0]);

    let mut group = c.benchmark_group("companion");
    group.sample_size(10);
    group.bench_function("read", |b| b.iter(|| parsed(&dump)));
    group.bench_function("symbolize", |b| {
        b.iter_batched(
            || raw.clone(),
            |mut p| symbolize(&mut p, &locator),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("stacks of names", |b| b.iter(|| named(&profiles[0])));
    group.bench_function("text", |b| {
        b.iter(|| text::write(&by_name, text::Options::default(), &mut Vec::new()));
    });
    group.bench_function("folded", |b| {
        b.iter(|| folded::write(&by_name, &mut Vec::new()))
    });
    group.finish();
}

criterion_group!(benches, companion);
criterion_main!(benches);

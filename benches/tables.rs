//! What a sample costs in the tables: draw, weigh, intern, insert, remove; and what every free asks.
//! `cargo bench --bench tables`. A stack here is 36 frames deep, as a usual one is.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

use malloscope::sampler::{Sampler, weight};
use malloscope::table::live_table::pages::PageFilter;
use malloscope::table::live_table::{Drawn, LiveTable, Sample};
use malloscope::table::stack_table::{StackId, StackTable};

const DEPTH: u64 = 36;

/// The tables are statics in the library as well.
static STACKS: StackTable = StackTable::new();
static FEW: LiveTable = LiveTable::new(Some(&FEW_PAGES));
static FEW_PAGES: PageFilter = PageFilter::new();
static MANY: LiveTable = LiveTable::new(Some(&MANY_PAGES));
static MANY_PAGES: PageFilter = PageFilter::new();

fn stack(n: u64) -> Vec<u64> {
    (0..DEPTH)
        .map(|level| 0x7f00_0000_0000 + level * 0x40 + (n << (level % 20)))
        .collect()
}

fn sample(page: usize) -> Sample {
    Sample::new(&Drawn {
        addr: page << 12,
        size: 100,
        lg_period: 19,
        now_ms: 1000,
        stack: StackId(1),
        thread: 7,
    })
}

fn sampler(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampler");
    let mut sampler = Sampler::new(1, 19);
    group.bench_function("next_gap", |b| b.iter(|| sampler.next_gap()));
    group.bench_function("weight", |b| {
        b.iter(|| weight(black_box(100), black_box(19)))
    });
    group.finish();
}

fn stacks(c: &mut Criterion) {
    let mut group = c.benchmark_group("stacks");
    group.throughput(Throughput::Elements(DEPTH));
    let known: Vec<_> = (0..1000).map(stack).collect();
    let mut at = 0;
    group.bench_function("intern, one known", |b| {
        b.iter(|| STACKS.intern(black_box(&known[0])))
    });
    group.bench_function("intern, 1000 known", |b| {
        b.iter(|| {
            at = (at + 1) % known.len();
            STACKS.intern(black_box(&known[at]))
        });
    });
    let weight = weight(100, 19);
    group.bench_function("note_alloc", |b| {
        b.iter(|| STACKS.note_alloc(StackId(3), &weight, 19))
    });
    group.finish();
}

fn live(c: &mut Criterion) {
    let mut group = c.benchmark_group("live");
    for page in 1..=1_000_000 {
        MANY.insert(sample(page));
    }
    for (name, table) in [("alone", &FEW), ("among 1M", &MANY)] {
        let mut page = 5_000_000;
        group.bench_function(format!("insert and remove, {name}"), |b| {
            b.iter(|| {
                page += 17;
                table.insert(sample(page));
                table.remove(page << 12)
            });
        });
        group.bench_function(format!("may_contain, {name}"), |b| {
            b.iter(|| {
                page += 17;
                table.may_contain(black_box(page << 12))
            });
        });
    }
    group.bench_function("scan 1M", |b| {
        b.iter(|| {
            let mut bytes = 0;
            MANY.for_each(&mut |sample| bytes += sample.weighted_bytes);
            bytes
        });
    });
    group.finish();
}

criterion_group!(benches, sampler, stacks, live);
criterion_main!(benches);

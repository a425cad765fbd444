//! Statistics with fixed seeds: what the head of `sample` claims holds within three sigma.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

const BLOCKS: usize = if cfg!(miri) { 20 } else { 20_000 };

/// A program's realloc, sampled as the hooks do it.
struct Program {
    rng: SmallRng,
    lg_period: u8,
    now_ms: u64,
}

/// A block: what the allocator gave, and its record.
#[derive(Clone, Copy)]
struct Block {
    size: usize,
    usable: usize,
    sample: Option<Sample>,
}

/// As an allocator rounds.
fn usable(size: usize) -> usize {
    (size + 8).next_multiple_of(16) - 8
}

impl Program {
    fn new(seed: u64, lg_period: u8) -> Program {
        Program {
            rng: SmallRng::seed_from_u64(seed),
            lg_period,
            now_ms: 5,
        }
    }

    fn drawn(&self, size: usize) -> Drawn {
        Drawn {
            addr: 64,
            size,
            lg_period: self.lg_period,
            now_ms: self.now_ms,
            stack: StackId(0),
            thread: 0,
        }
    }

    fn is_due(&mut self, size: usize) -> bool {
        self.rng.random::<f64>() < sampler::probability(size, self.lg_period)
    }

    fn malloc(&mut self, size: usize) -> Block {
        let due = self.is_due(size);
        Block {
            size,
            usable: usable(size),
            sample: due.then(|| Sample::new(&self.drawn(size))),
        }
    }

    fn realloc(&mut self, block: Block, size: usize) -> Block {
        self.now_ms += 1;
        let due = self.is_due(size);
        let drawn = self.drawn(size);
        let chance = &mut |probability| self.rng.random::<f64>() < probability;
        let before = Before {
            sample: block.sample,
            usable: block.usable,
        };
        let sample = match due || before.sample.is_some() {
            true => before.resized(due, &drawn, chance),
            false => None,
        };
        // An allocator shrinks in place.
        let usable = usable(size).max(if size < block.size { block.usable } else { 0 });
        Block {
            size,
            usable,
            sample,
        }
    }
}

/// Sums over many blocks: the truth, the estimate, and the variance that the samples tell.
#[derive(Default)]
struct Sums {
    bytes: (f64, f64),
    objects: (f64, f64),
    /// Of bytes, of objects.
    variance: (f64, f64),
    /// What the blocks were first, and its variance.
    first: (f64, f64),
    samples: usize,
}

impl Sums {
    fn add(&mut self, block: &Block) {
        self.bytes.0 += block.size as f64;
        self.objects.0 += 1.0;
        let Some(sample) = &block.sample else {
            return;
        };
        let weight = sample.weight();
        let (size, variance) = (sample.size as f64, f64::from(weight.variance));
        assert_eq!(weight.bytes, sample.weighted_bytes);
        self.bytes.1 += weight.bytes as f64;
        self.objects.1 += weight.objects_fx as f64 / ONE_OBJECT as f64;
        self.variance.0 += size * size * variance;
        self.variance.1 += variance;
        let first = sample.first_bytes() as f64;
        self.first = (self.first.0 + first, self.first.1 + first * first);
        self.samples += 1;
    }

    fn check(&self, what: &str) {
        let sigmas = |(truth, found): (f64, f64), variance: f64, rounding: f64| {
            let off = ((truth - found).abs() - rounding).max(0.0);
            if off == 0.0 {
                0.0
            } else {
                off / variance.sqrt()
            }
        };
        let samples = self.samples as f64;
        let bytes = sigmas(self.bytes, self.variance.0, samples);
        let objects = sigmas(self.objects, self.variance.1, samples / 256.0);
        assert!(bytes < 3.0, "{what}: bytes off by {bytes:.2} sigma");
        assert!(objects < 3.0, "{what}: objects off by {objects:.2} sigma");
    }
}

fn sums(blocks: usize, mut each: impl FnMut(usize) -> Block) -> Sums {
    let mut sums = Sums::default();
    (0..blocks).for_each(|at| sums.add(&each(at)));
    sums
}

#[test]
fn chains_that_double_from_16_bytes_to_a_gibibyte_are_unbiased() {
    for lg_period in [0, 13, 19] {
        let mut program = Program::new(1, lg_period);
        for steps in [1, 3, 9, 15, 26] {
            let sums = sums(BLOCKS / 4, |_| {
                let mut block = program.malloc(16);
                for step in 1..=steps {
                    block = program.realloc(block, 16 << step);
                }
                block
            });
            sums.check(&format!("2^{lg_period}, {steps} doublings"));
        }
    }
}

#[test]
fn appending_a_little_is_unbiased() {
    let mut program = Program::new(2, 13);
    for step in [1, 7, 40, 3000] {
        let sums = sums(BLOCKS / 10, |_| {
            let mut block = program.malloc(24);
            for _ in 0..100 {
                block = program.realloc(block, block.size + step);
            }
            block
        });
        sums.check(&format!("100 times {step} bytes more"));
    }
}

#[test]
fn shrinking_is_unbiased_and_keeps_a_period() {
    let mut program = Program::new(3, 15);
    for (from, to) in [
        (1 << 20, 16),
        (1 << 20, 1 << 15),
        (40_000, 39_000),
        (1 << 30, 100),
    ] {
        let sums = sums(BLOCKS, |_| {
            let block = program.malloc(from);
            let block = program.realloc(block, to);
            let weight = block.sample.map_or(1 << 15, |s| s.weighted_bytes);
            assert!(weight >= 1 << 15, "{weight}");
            block
        });
        sums.check(&format!("{from} to {to}"));
    }
}

/// Distance of a mean from 0 in its own standard deviations.
fn off(errors: &[f64]) -> f64 {
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean.abs() / (variance / count).sqrt()
}

/// The period jumps by a thousand at any step, up and down. Few samples then stand for most blocks, so
/// what samples tell of their error is no measure of it; how batches differ is.
#[test]
fn periods_that_jump_leave_sums_unbiased() {
    let mut program = Program::new(4, 4);
    let (mut bytes, mut objects) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let sums = sums(BLOCKS / 40, |_| {
            let size = 256 << program.rng.random_range(0..20);
            let mut block = program.malloc(size);
            for _ in 0..6 {
                program.lg_period = if program.rng.random::<bool>() { 4 } else { 14 };
                let change = program.rng.random_range(-3..4);
                let wanted = (block.size as f64 * 2f64.powi(change)) as usize;
                block = program.realloc(block, wanted.clamp(256, 1 << 30));
            }
            block
        });
        bytes.push(sums.bytes.1 - sums.bytes.0);
        objects.push(sums.objects.1 - sums.objects.0);
    }
    if !cfg!(miri) {
        let (bytes, objects) = (off(&bytes), off(&objects));
        assert!(
            bytes < 3.0 && objects < 3.0,
            "{bytes:.2} and {objects:.2} sigma"
        );
    }
}

/// A planted fault: a fresh draw on top of what was there counts a block twice, and is found.
#[test]
fn a_part_counted_twice_is_found() {
    let mut program = Program::new(5, 15);
    let sums = sums(BLOCKS, |_| {
        let block = program.malloc(8192);
        let mut block = program.realloc(block, 16_384);
        if let Some(sample) = &mut block.sample {
            sample.weighted_bytes += sample.weighted_bytes / 10;
        }
        block
    });
    let off = (sums.bytes.0 - sums.bytes.1).abs() / sums.variance.0.sqrt();
    assert!(off > 3.0, "{off}");
}

/// The error that the samples tell is the one there is.
#[test]
fn the_variance_is_what_it_says() {
    let mut program = Program::new(6, 15);
    let (mut told, mut seen) = (0.0, 0.0);
    let runs = 400;
    for _ in 0..runs {
        let sums = sums(BLOCKS / 200, |_| {
            let block = program.malloc(5000);
            let block = program.realloc(block, 20_000);
            let block = program.realloc(block, 30_000);
            program.realloc(block, 12_000)
        });
        told += sums.variance.0 / f64::from(runs);
        seen += (sums.bytes.0 - sums.bytes.1).powi(2) / f64::from(runs);
    }
    if !cfg!(miri) {
        assert!((0.85..1.15).contains(&(told / seen)), "{}", told / seen);
    }
}

/// Whatever a block grows to, it is one sample as old and as heavy as at first.
#[test]
fn a_block_that_grows_is_old_and_one_sample() {
    let mut program = Program::new(7, 13);
    let mut block = program.malloc(1 << 16);
    let first = block.sample.expect("eight periods long");
    for _ in 0..8 {
        block = program.realloc(block, block.size * 2);
    }
    let last = block.sample.expect("what was sampled for certain stays");
    assert_eq!((last.birth_ms, last.first_size()), (5, 1 << 16));
    assert_eq!(last.first_bytes(), first.weighted_bytes);
    assert_eq!((last.size, last.resized_ms), (1 << 24, 13));
    assert!(last.weighted_bytes >= (1 << 24) - 100);
}

/// Births by first weights are unbiased where the period holds: each block as it was when drawn.
#[test]
fn first_weights_stand_for_first_sizes() {
    let mut program = Program::new(8, 15);
    let sums = sums(BLOCKS, |_| {
        let block = program.malloc(50_000);
        program.realloc(block, 50_100)
    });
    let truth = 50_000.0 * BLOCKS as f64;
    let off = (sums.first.0 - truth).abs() / sums.first.1.sqrt();
    // A block that was none may have been drawn with the hundred bytes more.
    assert!(off < 3.0, "{off}");
}

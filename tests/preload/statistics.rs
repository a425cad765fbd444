//! Estimates drawn by the built library are unbiased, for blocks of 16 bytes to 3 MB at once.
//!
//! A run within three standard deviations of the truth is what a user may expect, and fails one run
//! in 370 by design. Here the mean of several runs is held to four of *its* deviations, which is
//! stricter on a bias and fails one time in 16,000.

use crate::dump::Dump;
use crate::ground_truth::tracked_range;
use crate::harness::Preload;

const LG_PERIOD: u8 = 17;
const RUNS: usize = 12;
const DEVIATIONS: f64 = 4.0;

/// What the samples below the leaking code say: blocks, bytes, and bytes as other readers find them.
fn estimates(dump: &Dump, tracked: &std::ops::Range<u64>) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for stack in dump.stacks.iter().filter(|stack| stack.passes(tracked)) {
        let (_, objects_milli, bytes) = stack.live;
        let (objects, sampled) = stack.counts;
        sums[0] += objects_milli as f64 / 1000.0;
        sums[1] += bytes as f64;
        if objects > 0 {
            let mean = sampled as f64 / objects as f64;
            sums[2] += sampled as f64 / (1.0 - (-mean / dump.period as f64).exp());
        }
    }
    sums
}

#[test]
fn the_estimates_of_a_mixed_leak_are_unbiased() {
    let conf = format!("prof:true,lg_prof_sample:{LG_PERIOD},prof_final:true");
    let period = f64::from(1u32 << LG_PERIOD);
    let mut means = [0.0; 3];
    let (mut truth, mut variance) = ([0.0; 3], [0.0; 3]);
    for _ in 0..RUNS {
        let run = Preload::new("statistics.c").conf(&conf).run().succeeded();
        let (first, leaks) = run.stdout.split_once('\n').expect("lines");
        let found = estimates(&run.final_dump(), &tracked_range(first));
        for (mean, found) in means.iter_mut().zip(found) {
            *mean += found / RUNS as f64;
        }
        (truth, variance) = ([0.0; 3], [0.0; 3]);
        for line in leaks.lines() {
            let (size, blocks) = line.split_once(' ').expect("size and blocks");
            let (size, blocks): (f64, f64) =
                (size.parse().expect("size"), blocks.parse().expect("blocks"));
            let chance = 1.0 - (-size / period).exp();
            let of_count = blocks * (1.0 - chance) / chance;
            for (at, scale) in [1.0, size, size].into_iter().enumerate() {
                truth[at] += blocks * scale;
                variance[at] += of_count * scale * scale;
            }
        }
    }
    for (at, what) in ["blocks", "bytes", "bytes to other readers"]
        .into_iter()
        .enumerate()
    {
        let deviation = (variance[at] / RUNS as f64).sqrt();
        let off = (means[at] - truth[at]) / deviation;
        println!(
            "{what}: truth {}, mean {:.0}, off by {off:.2} deviations",
            truth[at], means[at]
        );
        assert!(
            off.abs() < DEVIATIONS,
            "{what}: off by {off:.2} deviations of the mean"
        );
    }
}

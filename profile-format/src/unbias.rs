//! From sampled counts to estimates, and back: the only place that scales.
//!
//! # What readers do
//! A block of s bytes is sampled with p = 1 - exp(-s/N). Readers of `heap_v2` know of a stack only the
//! number n of its counted blocks and their bytes b, take the average size for the size of each, and
//! multiply both by k = 1/(1 - exp(-b/(n N))). For a stack that mixes sizes that is wrong.
//!
//! # What we write
//! We know the unbiased sums S (bytes) and C (blocks), because each sample carries its own weight. So
//! the file gets n and b such that the reader's step gives S back. With y = b/(n N) the reader finds
//!
//! ```text
//! b/(1 - exp(-y)) = n N y/(1 - exp(-y)) = S      so      y/(1 - exp(-y)) = S/(n N) = r
//! n/(1 - exp(-y)) = C'
//! ```
//! g(y) = y/(1 - exp(-y)) rises from 1, so for every integer n with n N < S there is exactly one y, and
//! from it b = n N y. jemalloc rounds n and b each by itself and so loses bytes when n is small; here
//! n is rounded first and b is solved for it, so the bytes are right to half a byte (g' is between
//! 1/2 and 1) and all the rounding goes into C'. The ideal n is C (1 - exp(-S/(C N))), which never
//! exceeds S/N; of its two neighbours the one whose C' is nearer to C is taken. Every sample stands
//! for at least N bytes (s/p >= N), so n = 1 is possible wherever there is a sample.
//!
//! # What no rounding can do
//! A reader finds C' from n and S alone: y depends on S/(n N) only, so C' takes one value for each n. Of a
//! stack with one sample of 16 bytes and one of 100,000 (N = 512 KiB) C is 32,774 and S is 2.1 N, but n = 1 gives
//! C' = 1.2 and n = 2 gives 21.7: there is nothing between or beyond. So blocks of stacks that mix sizes are wrong
//! for such readers whatever is written in one block; the true sums stand in our own line for those who read it.
//!
//! # Solving for y
//! h(y) = y - r (1 - exp(-y)) is convex with h(0) = 0 and one positive root. Since g(y) >= 1 + y/2 and
//! g(y) >= y, both 2(r - 1) and r lie above the root, and Newton's steps from there fall to it.

/// How a file's counts were sampled, and so how they are scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Every block was counted, or somebody scaled already.
    None,
    /// Poisson with this mean number of bytes between samples.
    Poisson(u64),
    /// Old gperftools: counts of stacks whose average is below this many bytes are multiplied.
    Linear(f64),
}

impl Sampling {
    /// The estimates `(objects, bytes)` that the counts of one line stand for.
    pub fn scale(self, objects: u64, bytes: u64) -> (f64, f64) {
        let (count, sum) = (objects as f64, bytes as f64);
        if objects == 0 || bytes == 0 {
            return (count, sum);
        }
        let factor = match self {
            Sampling::None => 1.0,
            Sampling::Poisson(0) => 1.0,
            Sampling::Poisson(period) => 1.0 / one_minus_exp(sum / count / period as f64),
            Sampling::Linear(period) => (period / (sum / count)).max(1.0),
        };
        (count * factor, sum * factor)
    }
}

/// The `(objects, bytes)` to write so that a reader's [`Sampling::Poisson`] step finds `bytes`
/// again, and `objects_fx` (in 256ths of a block) as nearly as an integer count allows.
///
/// No bytes give `(0, 0)`: the real jeprof divides by zero on blocks without bytes.
pub fn distort(objects_fx: u64, bytes: u64, period: u64) -> (u64, u64) {
    if bytes == 0 || objects_fx == 0 {
        return (0, 0);
    }
    let objects = objects_fx as f64 / 256.0;
    let (sum, period) = (bytes as f64, period.max(1) as f64);
    let ideal = objects * one_minus_exp(sum / objects / period);
    let below = (ideal as u64).max(1);
    let above = below.saturating_add(1);
    let mut best = solve(below, sum, period);
    if above as f64 * period < sum {
        let other = solve(above, sum, period);
        if distance(other.2, objects) < distance(best.2, objects) {
            best = other;
        }
    }
    (best.0, best.1)
}

/// For `count` counted blocks: the count, the bytes to write, and the blocks that a reader finds.
fn solve(count: u64, sum: f64, period: f64) -> (u64, u64, f64) {
    let counted = count as f64 * period;
    let y = root(sum / counted);
    let bytes = ((counted * y + 0.5) as u64).max(1);
    let found = count as f64 / one_minus_exp(bytes as f64 / counted);
    (count, bytes, found)
}

/// How many times too large or too small `found` is.
fn distance(found: f64, wanted: f64) -> f64 {
    (found / wanted).max(wanted / found)
}

/// The y > 0 with y/(1 - exp(-y)) = `ratio`; 0 if there is none.
fn root(ratio: f64) -> f64 {
    if ratio.is_nan() || ratio <= 1.0 {
        return 0.0;
    }
    let mut y = (2.0 * (ratio - 1.0)).min(ratio);
    for _ in 0..64 {
        let slope = 1.0 - ratio * (1.0 - one_minus_exp(y));
        let next = y - (y - ratio * one_minus_exp(y)) / slope;
        // Falling steps only: the first that does not fall is rounding noise (or slope 0).
        if next.is_nan() || next <= 0.0 || next >= y {
            break;
        }
        y = next;
    }
    y
}

/// 1 - exp(-x) for x >= 0, to the last bits also where x is tiny.
///
/// exp(-x) = 2^-k exp(-r) with r = x - k ln 2 in [0, ln 2), by Taylor's series, whose 20th term is
/// below 2^-70 there. For k = 0 the series of 1 - exp(-r) itself is used, which cancels nothing.
pub fn one_minus_exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    if x > 60.0 || x.is_nan() {
        return 1.0;
    }
    let x = x.max(0.0);
    let k = (x * core::f64::consts::LOG2_E) as u64;
    let r = (x - k as f64 * LN_2_HIGH) - k as f64 * LN_2_LOW;
    // 1 - exp(-r) = r (1 - r/2 (1 - r/3 (1 - ...)))
    let mut series = 1.0;
    for term in (2..=20).rev() {
        series = 1.0 - r / term as f64 * series;
    }
    let part = r * series;
    if k == 0 {
        return part;
    }
    1.0 - (1.0 - part) / (1u64 << k.min(63)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Blocks and bytes of `n` samples of `size` bytes each, as the profiler sums them.
    fn estimates(n: u64, size: u64, period: u64) -> (u64, u64) {
        let p = -(-(size as f64) / period as f64).exp_m1();
        let objects_fx = (256.0 / p).round() as u64 * n;
        (objects_fx, (size as f64 / p).round() as u64 * n)
    }

    /// What the real jeprof computes.
    fn jeprof(objects: u64, bytes: u64, period: u64) -> (f64, f64) {
        let ratio = bytes as f64 / objects as f64 / period as f64;
        let factor = 1.0 / (1.0 - (-ratio).exp());
        (objects as f64 * factor, bytes as f64 * factor)
    }

    #[test]
    fn stacks_of_one_size_come_back_whole() {
        for (n, size) in [(1, 16), (3, 100), (1, 524_288), (7, 1 << 20), (2, 1 << 33)] {
            let (objects_fx, bytes) = estimates(n, size, 524_288);
            let (count, sum) = distort(objects_fx, bytes, 524_288);
            let (objects, found) = jeprof(count, sum, 524_288);
            assert_eq!(
                (count, sum.abs_diff(n * size) <= n),
                (n, true),
                "{n} x {size}: {sum}"
            );
            assert!((found - bytes as f64).abs() < 1.0);
            assert!(
                (objects / (objects_fx as f64 / 256.0) - 1.0).abs() < 0.07,
                "{objects}"
            );
        }
    }

    /// What jemalloc 5.3.0 writes for `n` samples of `size` bytes: `prof_do_unbias` and
    /// `prof_unbias_map_init` in prof_data.c and prof.c.
    fn jemalloc(n: u64, size: u64, period: u64) -> (u64, u64) {
        let p = 1.0 - (-(size as f64) / period as f64).exp();
        let objects = n as f64 * (8.0 / p).round() / 8.0;
        let bytes = n as f64 * (size as f64 / p).round();
        let shrink = 1.0 - (-(bytes / objects) / period as f64).exp();
        (
            (objects * shrink).round() as u64,
            (bytes * shrink).round() as u64,
        )
    }

    /// The counts of a real dump, sampled every 4 KiB: jemalloc rounds the weight of a sample to
    /// eighths and the count to an integer, so its readers find other bytes than it summed.
    #[test]
    fn jemallocs_counts_lose_bytes_and_ours_do_not() {
        let written = [jemalloc(99, 20_480, 4096), jemalloc(64, 40_960, 4096)];
        assert_eq!(written, [(98, 2_027_986), (64, 2_621_449)]);
        let (objects_fx, bytes) = estimates(99, 20_480, 4096);
        let lost = |(count, sum)| {
            let (_, found) = Sampling::Poisson(4096).scale(count, sum);
            (bytes as f64 - found).abs()
        };
        assert!(lost(written[0]) > 200.0);
        assert!(lost(distort(objects_fx, bytes, 4096)) <= 0.5);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(distort(256, 0, 524_288), (0, 0));
        assert_eq!(Sampling::Poisson(524_288).scale(0, 0), (0.0, 0.0));
        assert_eq!(Sampling::Poisson(1).scale(3, 0), (3.0, 0.0));
    }

    #[test]
    fn exact_counts_survive_the_readers_step() {
        let (count, sum) = distort(10 * 256, 10 * 16, 1);
        let (_, found) = jeprof(count, sum, 1);
        assert!((found - 160.0).abs() < 1.0);
    }

    #[test]
    fn old_profiles_scale_small_averages_only() {
        let sampling = Sampling::Linear(1000.0);
        assert_eq!(sampling.scale(10, 1000), (100.0, 10_000.0));
        assert_eq!(sampling.scale(1, 5000), (1.0, 5000.0));
    }

    proptest! {
        #[test]
        fn one_minus_exp_is_libms(x in prop_oneof![0.0..1e-9, 0.0..1.0, 0.0..80.0]) {
            let (ours, libm) = (one_minus_exp(x), -(-x).exp_m1());
            prop_assert!((ours - libm).abs() <= 4.0 * f64::EPSILON * libm, "{x}: {ours} {libm}");
        }

        #[test]
        fn mixed_stacks_give_their_bytes_back(
            sizes in proptest::collection::vec(prop_oneof![1u64..1000, 1u64..(1 << 34)], 1..50),
            lg in 0u32..31,
        ) {
            let period = 1u64 << lg;
            let (mut objects_fx, mut bytes) = (0, 0);
            for size in sizes {
                let (fx, weight) = estimates(1, size, period);
                objects_fx += fx;
                bytes += weight;
            }
            let (count, sum) = distort(objects_fx, bytes, period);
            let (_, found) = jeprof(count, sum, period);
            prop_assert!(count >= 1 && sum >= 1);
            let rounding = 1.0 + bytes as f64 * 1e-9;
            prop_assert!((found - bytes as f64).abs() <= rounding, "{found} for {bytes}");
        }

        /// To half a byte, and to the last digits of a float where those are coarser.
        #[test]
        fn scaling_undoes_distortion(
            sizes in proptest::collection::vec(prop_oneof![1u64..1000, 1u64..(1 << 34)], 1..50),
            lg in 1u32..31,
        ) {
            let period = 1u64 << lg;
            let weights = sizes.iter().map(|&size| estimates(1, size, period));
            let sum = weights.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let (count, bytes) = distort(sum.0, sum.1, period);
            let (_, found) = Sampling::Poisson(period).scale(count, bytes);
            let slack = 0.5 + sum.1 as f64 * 1e-14;
            prop_assert!((found - sum.1 as f64).abs() <= slack, "{found} for {}", sum.1);
        }

        /// Stacks of one size: what jemalloc writes differs by its own rounding only.
        #[test]
        fn about_what_jemalloc_writes(n in 1u64..10_000, size in 16u64..(1 << 24), lg in 12u32..22) {
            let period = 1u64 << lg;
            let (objects_fx, bytes) = estimates(n, size, period);
            let (ours, theirs) = (distort(objects_fx, bytes, period), jemalloc(n, size, period));
            // Half an eighth in the weight of each sample, half a block in the count.
            let near = |a: u64, b: u64| a.abs_diff(b) as f64 <= 0.5 + b as f64 * 0.07;
            prop_assert!(near(ours.0, theirs.0) && near(ours.1, theirs.1), "{ours:?} {theirs:?}");
            // Our weights are rounded to 256ths.
            prop_assert!(ours.0.abs_diff(n) <= 1 + n / 512, "{ours:?}");
        }

        #[test]
        fn no_input_panics(objects_fx: u64, bytes: u64, period: u64) {
            let (count, sum) = distort(objects_fx, bytes, period);
            prop_assert_eq!(count == 0, sum == 0);
            let _ = Sampling::Poisson(period).scale(count, sum);
        }
    }
}

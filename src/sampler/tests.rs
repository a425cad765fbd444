//! Statistics with fixed seeds: what the head of `sampler` claims holds within three sigma.
use super::*;

const PERIODS: [u8; 4] = [12, 17, 19, 21];

/// Miri interprets some thousand times slower; it looks for undefined behaviour, not for bias.
const ROUNDS: usize = if cfg!(miri) { 300 } else { 400_000 };

/// The hooks: subtract, and sample when nothing is left.
struct Thread {
    sampler: Sampler,
    countdown: u64,
}

impl Thread {
    fn new(seed: u64, lg_period: u8) -> Self {
        let mut sampler = Sampler::new(seed, lg_period);
        let countdown = sampler.next_gap();
        Self { sampler, countdown }
    }

    fn samples(&mut self, size: usize) -> bool {
        let left = self.countdown.checked_sub(size as u64);
        let left = left.filter(|&left| left > 0);
        self.countdown = left.unwrap_or_else(|| self.sampler.next_gap());
        left.is_none()
    }
}

/// True and estimated sums with the variance of the estimate (Horvitz and Thompson: the sum of
/// y^2 (1-p)/p, as blocks are sampled independently of each other).
#[derive(Default, Clone, Copy)]
struct Account {
    truth: f64,
    estimate: f64,
    variance: f64,
}

impl Account {
    fn add(&mut self, value: f64, p: f64) {
        self.truth += value;
        self.variance += value * value * (1.0 - p) / p;
    }

    /// Distance of the estimate in standard deviations, beyond what `rounding` explains.
    fn sigmas(&self, rounding: f64) -> f64 {
        let error = ((self.estimate - self.truth).abs() - rounding).max(0.0);
        if error == 0.0 {
            0.0
        } else {
            error / self.variance.sqrt()
        }
    }
}

/// Bytes and objects of one class of sizes.
#[derive(Default, Clone, Copy)]
struct Class {
    bytes: Account,
    objects: Account,
    samples: u32,
}

impl Class {
    fn record(&mut self, size: usize, lg_period: u8, sampled: bool) {
        let p = probability(size, lg_period);
        self.bytes.add(size as f64, p);
        self.objects.add(1.0, p);
        if sampled {
            let weight = weight(size, lg_period);
            self.bytes.estimate += weight.bytes as f64;
            self.objects.estimate += weight.objects_fx as f64 / ONE_OBJECT as f64;
            self.samples += 1;
        }
    }

    fn check(&self, what: &str) {
        // Each sample is rounded by half a byte and half of 1/256 object at most.
        let samples = f64::from(self.samples);
        let bytes = self.bytes.sigmas(samples / 2.0);
        let objects = self.objects.sigmas(samples / 2.0 / ONE_OBJECT as f64);
        assert!(bytes < 3.0, "{what}: bytes off by {bytes:.2} sigma");
        assert!(objects < 3.0, "{what}: objects off by {objects:.2} sigma");
    }
}

/// Sizes of even density on a logarithmic scale.
fn log_uniform(rng: &mut SmallRng, from: f64, to: f64) -> usize {
    let u = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (from * (to / from).powf(u)) as usize
}

/// Runs `sizes` through a thread, in classes by decimal digits.
fn run(seed: u64, lg_period: u8, sizes: impl Iterator<Item = usize>) -> [Class; 12] {
    let mut thread = Thread::new(seed, lg_period);
    let mut classes = [Class::default(); 12];
    for size in sizes {
        let sampled = thread.samples(size);
        classes[0].record(size, lg_period, sampled);
        classes[1 + size.ilog10() as usize].record(size, lg_period, sampled);
    }
    classes
}

#[test]
fn sums_are_unbiased_in_total_and_per_decade() {
    for lg_period in PERIODS {
        let mut rng = SmallRng::seed_from_u64(7);
        let sizes = (0..ROUNDS).map(|_| log_uniform(&mut rng, 16.0, (1_u64 << 30) as f64));
        for (digits, class) in run(1, lg_period, sizes).iter().enumerate() {
            class.check(&format!("period 2^{lg_period}, {digits} digits"));
        }
    }
}

#[test]
fn sums_are_unbiased_for_awkward_mixes() {
    for lg_period in PERIODS {
        let n = 1_usize << lg_period;
        let mixes: [(&str, &[usize]); 7] = [
            ("one size", &[16]),
            ("the smallest", &[1]),
            ("small among huge", &[16, 16, 16, 1 << 30]),
            ("just the mean", &[n]),
            ("around the mean", &[n / 2, n - 1, n, n + 1, 2 * n]),
            (
                "a pattern as long as the mean",
                &[n / 4, 64, n / 2, 64, n / 4 - 128],
            ),
            ("many means", &[7 * n, 24, 3 * n, 4096]),
        ];
        for (at, (what, sizes)) in mixes.into_iter().enumerate() {
            let sizes = sizes.iter().copied().cycle().take(ROUNDS);
            for class in run(100 + at as u64, lg_period, sizes) {
                class.check(&format!("period 2^{lg_period}, {what}"));
            }
        }
    }
}

/// Blocks as long as the mean show an error of one byte in the gap, which no mix above would.
#[test]
fn a_block_is_sampled_with_its_probability() {
    for (lg_period, size) in [(4, 16), (4, 1), (3, 2), (1, 1), (12, 4096), (20, 100_000)] {
        let mut sampler = Sampler::new(42, lg_period);
        let hits = (0..ROUNDS)
            .filter(|_| sampler.next_gap() <= size as u64)
            .count() as f64;
        let p = probability(size, lg_period);
        let sigma = (ROUNDS as f64 * p * (1.0 - p)).sqrt();
        let off = (hits - ROUNDS as f64 * p).abs() / sigma;
        assert!(
            off < 3.0,
            "period 2^{lg_period}, size {size}: {off:.2} sigma"
        );
    }
}

#[test]
fn gaps_are_exponential() {
    for lg_period in PERIODS {
        let mut sampler = Sampler::new(3, lg_period);
        let mut gaps: Vec<u64> = (0..ROUNDS).map(|_| sampler.next_gap()).collect();
        let count = gaps.len() as f64;
        // Rounding up adds half a byte.
        let n = (1_u64 << lg_period) as f64 + 0.5;
        let mean = gaps.iter().map(|&gap| gap as f64).sum::<f64>() / count;
        assert!(
            (mean - n).abs() < 3.0 * n / count.sqrt(),
            "mean {mean} of {n}"
        );
        let variance = gaps
            .iter()
            .map(|&gap| (gap as f64 - n).powi(2))
            .sum::<f64>()
            / count;
        // Var(X) = n^2, and the variance of (X - n)^2 is 8 n^4.
        assert!(
            (variance / n / n - 1.0).abs() < 3.0 * (8.0 / count).sqrt(),
            "variance {variance}"
        );
        gaps.sort_unstable();
        let distance = gaps.iter().enumerate().map(|(rank, &gap)| {
            let expected = 1.0 - (-(gap as f64 - 0.5) / n).exp();
            (expected - (rank as f64 + 0.5) / count).abs()
        });
        let distance = distance.fold(0.0, f64::max);
        // Kolmogorov and Smirnov at the level of three sigma (0.27 %).
        assert!(
            distance < 1.82 / count.sqrt(),
            "period 2^{lg_period}: D = {distance}"
        );
    }
}

#[test]
fn exact_mode_and_size_zero_weigh_one() {
    for size in [0, 1, 7, 4096, usize::MAX] {
        assert_eq!(
            weight(size, 0),
            Weight {
                objects_fx: ONE_OBJECT,
                bytes: size as u64,
                ..Weight::default()
            }
        );
    }
    assert_eq!(
        weight(0, 19),
        Weight {
            objects_fx: ONE_OBJECT,
            bytes: 0,
            ..Weight::default()
        }
    );
    assert_eq!(probability(0, 19), 0.0);
}

#[test]
fn weights_keep_their_digits_at_both_ends() {
    // For x = s/N far below 1, s/p = N (1 + x/2 + x^2/12 - ...).
    for (size, lg_period) in [(1, 40), (16, 30), (100, 50), (1, 63), (4096, 62)] {
        let n = (1_u64 << lg_period) as f64;
        let x = size as f64 / n;
        let expected = n * (1.0 + x / 2.0 + x * x / 12.0);
        let off = weight(size, lg_period).bytes as f64 / expected - 1.0;
        assert!(off.abs() < 1e-12, "{size} of 2^{lg_period}: {off}");
    }
    for (size, lg_period) in [
        (1 << 30, 19),
        (usize::MAX, 12),
        (64 << 21, 21),
        (usize::MAX, 1),
    ] {
        let certain = Weight {
            objects_fx: ONE_OBJECT,
            bytes: size as u64,
            ..Weight::default()
        };
        assert_eq!(weight(size, lg_period), certain);
    }
    assert_eq!(weight(1, 63).objects_fx, i64::MAX as u64, "saturates");
    let half = weight(1 << 19, 19);
    assert_eq!((half.objects_fx, half.bytes), (405, 829_411), "p = 1 - 1/e");
}

#[test]
fn seeds_make_the_difference() {
    let gaps = |seed| {
        let mut sampler = Sampler::new(seed, 19);
        (0..8).map(|_| sampler.next_gap()).collect::<Vec<_>>()
    };
    assert_eq!(gaps(5), gaps(5));
    assert_ne!(gaps(5), gaps(6));
}

#[test]
fn extreme_periods_stay_in_bounds() {
    let mut far = Sampler::new(1, 200);
    assert_eq!(far.lg_period(), 63);
    assert!((0..1000).all(|_| far.next_gap() <= LONGEST_GAP + 1));
    far.set_lg_period(0);
    assert!((0..1000).all(|_| far.next_gap() <= 64));
}

//! Simulated processes with fixed seeds: the band holds what it says, and is as narrow as may be.

use profile_format::epochs;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::profile::model::{Sample, StackFacts, Values, Weighed};

const PERIOD: f64 = 524_288.0;
const RUNS: u64 = 600;

/// When a block is born, how large it is, when it is freed; times in seconds.
type Block = (f64, f64, f64);

struct Dice(SmallRng);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    fn life(&mut self, mean: f64) -> f64 {
        -(1.0 - self.uniform()).ln() * mean
    }
}

/// The stack in a dump after so many seconds: the samples among the blocks, as the library writes
/// them.
fn holding(sampled: &[Block], at: f64) -> Holding {
    let now = (at * 1000.0) as u64;
    let width = epochs::width_ms(now);
    let mut sample = Sample::default();
    let mut facts = StackFacts::default();
    let mut lives = Vec::new();
    let mut births = [Weighed::default(); epochs::MOST as usize];
    for &(birth, size, death) in sampled.iter().filter(|block| block.0 <= at) {
        if death <= at {
            let p = -(-size / PERIOD).exp_m1();
            lives.push((0, Weighed::alike(1, size / p)));
            continue;
        }
        let p = -(-size / PERIOD).exp_m1();
        let weight = size / p;
        facts.samples += 1;
        facts.variance += weight * weight * (1.0 - p);
        sample.values.inuse_space += weight;
        births[((birth * 1000.0) as u64 / width) as usize].add(&Weighed::alike(1, weight));
    }
    let born = births.iter().enumerate().filter(|b| b.1.samples > 0);
    facts.births = born.map(|(e, b)| (e as u32, *b)).collect();
    facts.lives = lives.into();
    sample.facts = Some(facts);
    let mut holding = Holding::default();
    holding.add(&sample, PERIOD);
    holding
}

fn sampled(blocks: &[Block], dice: &mut Dice) -> Vec<Block> {
    let is_sampled = |block: &&Block| dice.uniform() < -(-block.1 / PERIOD).exp_m1();
    blocks.iter().filter(is_sampled).copied().collect()
}

fn live(blocks: &[Block], at: f64) -> f64 {
    let is_live = |b: &&Block| b.0 <= at && at < b.2;
    blocks.iter().filter(is_live).map(|b| b.1).sum()
}

fn cut(first: f64, second: f64) -> Option<Cut> {
    let width = |at: f64| epochs::width_ms((at * 1000.0) as u64);
    Some(Cut {
        at: (first * 1000.0) as u64,
        widths: (width(first), width(second)),
        is_thinned: false,
    })
}

/// A program's blocks: so many of each size, born evenly, each with this mean life.
fn program(sizes: &[(f64, usize)], life: f64, length: f64) -> Vec<Block> {
    let mut dice = Dice(SmallRng::seed_from_u64(7));
    let mut blocks = Vec::new();
    for &(size, count) in sizes {
        for _ in 0..count {
            let birth = dice.uniform() * length;
            blocks.push((birth, size, birth + dice.life(life)));
        }
    }
    blocks
}

/// The share of runs in which the band holds the truth, and its mean width in bytes.
fn coverage(
    blocks: &[Block],
    times: (f64, f64),
    change: impl Fn(&Holding, &Holding) -> Change,
) -> (f64, f64) {
    let truth = live(blocks, times.1) - live(blocks, times.0);
    let (mut holds, mut width) = (0, 0.0);
    for seed in 0..RUNS {
        let seen = sampled(blocks, &mut Dice(SmallRng::seed_from_u64(seed)));
        let (low, high) = change(&holding(&seen, times.0), &holding(&seen, times.1)).band();
        holds += u64::from(low <= truth && truth <= high);
        width += (high - low) / RUNS as f64;
    }
    (holds as f64 / RUNS as f64, width)
}

const SMALL: [(f64, usize); 1] = [(8192.0, 20_000)];
const MIXED: [(f64, usize); 4] = [(2048.0, 8000), (8192.0, 8000), (400_000.0, 60), (3e6, 6)];

fn is_what_it_says(share: f64) -> bool {
    (0.93..=0.97).contains(&share)
}

#[test]
fn the_band_of_one_process_holds_95_of_100() {
    for sizes in [&SMALL[..], &MIXED[..]] {
        for life in [f64::INFINITY, 900.0, 400.0] {
            let blocks = program(sizes, life, 7200.0);
            let times = (3000.0, 7000.0);
            let (share, width) = coverage(&blocks, times, |a, b| {
                Change::of_process(a, b, cut(times.0, times.1))
            });
            println!(
                "{sizes:?} life {life}: {share} {:.1} MB",
                width / 1_048_576.0
            );
            assert!(is_what_it_says(share), "{sizes:?} life {life}: {share}");
        }
    }
}

/// What lives in both dumps is most of the heap here: to count it twice makes the band five times
/// as wide as it need be.
#[test]
fn survivors_bring_no_error() {
    let blocks = program(&SMALL, f64::INFINITY, 7200.0);
    let times = (6800.0, 7100.0);
    let of_process = |a: &Holding, b: &Holding| Change::of_process(a, b, cut(times.0, times.1));
    let (share, width) = coverage(&blocks, times, of_process);
    assert!(is_what_it_says(share), "{share}");
    let (share, of_runs) = coverage(&blocks, times, Change::of_runs);
    assert!(
        share > 0.999 && of_runs > 5.0 * width,
        "{share} {width} {of_runs}"
    );
}

#[test]
fn the_band_of_two_runs_holds_95_of_100() {
    for (sizes, more) in [(&SMALL[..], 1.0), (&MIXED[..], 1.5), (&SMALL[..], 0.0)] {
        let before = program(sizes, f64::INFINITY, 100.0);
        let after: Vec<(f64, usize)> = sizes
            .iter()
            .map(|s| (s.0, (s.1 as f64 * more) as usize))
            .collect();
        let after = program(&after, f64::INFINITY, 100.0);
        let truth = live(&after, 200.0) - live(&before, 200.0);
        let holds = (0..RUNS).filter(|&seed| {
            let mut dice = Dice(SmallRng::seed_from_u64(seed));
            let (a, b) = (sampled(&before, &mut dice), sampled(&after, &mut dice));
            let change = Change::of_runs(&holding(&a, 200.0), &holding(&b, 200.0));
            let (low, high) = change.band();
            low <= truth && truth <= high
        });
        let share = holds.count() as f64 / RUNS as f64;
        assert!(is_what_it_says(share), "{sizes:?} times {more}: {share}");
    }
}

/// Of runs that are the same 5 of 100 are called changed, at most.
#[test]
fn what_did_not_change_is_seldom_called_changed() {
    let blocks = program(&SMALL, f64::INFINITY, 100.0);
    let changed = (0..RUNS).filter(|&seed| {
        let mut dice = Dice(SmallRng::seed_from_u64(seed));
        let (a, b) = (sampled(&blocks, &mut dice), sampled(&blocks, &mut dice));
        Change::of_runs(&holding(&a, 200.0), &holding(&b, 200.0)).p() < 0.05
    });
    let share = changed.count() as f64 / RUNS as f64;
    assert!((0.03..=0.065).contains(&share), "{share}");
}

fn of(births: &[(u32, u64, u64)], freed: u64) -> Holding {
    let samples: u64 = births.iter().map(|b| b.1).sum();
    let bytes: u64 = births.iter().map(|b| b.2).sum();
    let mut holding = Holding::default();
    let sample = Sample {
        values: Values {
            inuse_space: bytes as f64,
            ..Values::default()
        },
        facts: Some(StackFacts {
            samples,
            variance: samples as f64,
            births: births
                .iter()
                .map(|&(epoch, samples, bytes)| (epoch, Weighed::alike(samples, bytes as f64)))
                .collect(),
            lives: vec![(3, Weighed::alike(freed, 10.0 * freed as f64))].into(),
            ..StackFacts::default()
        }),
        ..Sample::default()
    };
    holding.add(&sample, PERIOD);
    holding
}

/// Epochs of 1 and of 2 s, the first dump at 4.5 s: its epoch 4 and half of 5 are the second's 2.
#[test]
fn births_and_deaths_are_told_apart_by_epoch() {
    let cut = Some(Cut {
        at: 4500,
        widths: (1000, 2000),
        is_thinned: false,
    });
    let before = of(&[(0, 5, 50), (1, 1, 10), (3, 2, 20), (4, 3, 30)], 7);
    let flows = |after: &Holding| {
        let change = Change::of_process(&before, after, cut);
        (change.died.samples, change.born.samples, change.variance())
    };
    // One old sample was freed, so the three of the middle stayed.
    assert_eq!(
        flows(&of(&[(0, 5, 50), (1, 2, 20), (2, 4, 40), (4, 9, 90)], 8)),
        (1.0, 10.0, 11.0)
    );
    // Two more frees may have been theirs.
    assert_eq!(
        flows(&of(&[(0, 5, 50), (1, 2, 20), (2, 4, 40), (4, 9, 90)], 10)),
        (3.0, 12.0, 15.0)
    );
    // All that is left of it are new ones.
    assert_eq!(flows(&of(&[(3, 4, 40)], 18)), (11.0, 4.0, 15.0));
    assert_eq!(flows(&Holding::default()), (11.0, 0.0, 11.0));
    // One old one more than there were: realloc moved it here.
    assert_eq!(flows(&of(&[(0, 7, 70)], 8)), (5.0, 1.0, 6.0));
    // Fewer frees: the samples were forgotten meanwhile.
    assert_eq!(flows(&of(&[(0, 5, 50)], 1)), (11.0, 5.0, 16.0));
}

/// Half of the samples are thinned out between the dumps, and the band still holds the truth.
#[test]
fn the_band_of_thinned_samples_holds_95_of_100() {
    let blocks = program(&SMALL, 4000.0, 7200.0);
    let times = (3000.0, 7000.0);
    let truth = live(&blocks, times.1) - live(&blocks, times.0);
    let holds = (0..RUNS).filter(|&seed| {
        let mut dice = Dice(SmallRng::seed_from_u64(seed));
        let seen = sampled(&blocks, &mut dice);
        let stays: Vec<bool> = seen.iter().map(|_| dice.uniform() < 0.5).collect();
        let (born_then, later): (Vec<_>, Vec<_>) = seen
            .iter()
            .zip(stays)
            .partition(|(block, _)| block.0 <= times.0);
        let kept = born_then
            .iter()
            .filter(|(_, stays)| *stays)
            .map(|(b, _)| **b);
        let before = holding(&seen, times.0);
        let mut after = holding(&kept.collect::<Vec<_>>(), times.1);
        after.weigh_twice();
        after.join(&holding(
            &later.iter().map(|(b, _)| **b).collect::<Vec<_>>(),
            times.1,
        ));
        after.freed = before.freed;
        after.freed.add(&Weighed::alike(20_000, 1e12));
        let mut cut = cut(times.0, times.1).unwrap();
        cut.is_thinned = Change::is_thinned([(&before, &after)].into_iter(), cut);
        let (low, high) = Change::of_process(&before, &after, Some(cut)).band();
        low <= truth && truth <= high
    });
    let share = holds.count() as f64 / RUNS as f64;
    assert!((0.92..=0.98).contains(&share), "{share}");
}

impl Holding {
    fn weigh_twice(&mut self) {
        self.bytes *= 2.0;
        // Small blocks: the variance is the sum of the squares of the weights.
        self.variance *= 4.0;
        for (_, born) in &mut self.births {
            born.bytes *= 2.0;
            born.squares *= 4.0;
        }
    }

    fn join(&mut self, more: &Holding) {
        self.samples += more.samples;
        self.bytes += more.bytes;
        self.variance += more.variance;
        self.births.extend(&more.births);
    }
}

#[test]
fn what_is_certain_has_no_band() {
    let exact = |bytes: f64| Holding {
        samples: bytes / 100.0,
        bytes,
        ..Holding::default()
    };
    let change = Change::of_runs(&exact(300.0), &exact(500.0));
    assert_eq!((change.value(), change.band()), (200.0, (200.0, 200.0)));
    assert_eq!((change.p(), change.worth()), (0.0, f64::INFINITY));
    assert_eq!(Change::of_runs(&exact(300.0), &exact(300.0)).p(), 1.0);
    let back = change.reversed();
    assert_eq!((back.value(), back.before), (-200.0, 500.0));
}

/// jemalloc's dumps: 10 blocks of the period's size have 6.3 samples behind them.
#[test]
fn samples_of_other_profilers_are_reckoned() {
    let mut holding = Holding::default();
    let sample = Sample {
        values: Values {
            inuse_objects: 10.0,
            inuse_space: 10.0 * PERIOD,
            ..Values::default()
        },
        ..Sample::default()
    };
    holding.add(&sample, PERIOD);
    let p = 1.0 - (-1f64).exp();
    assert!((holding.samples - 10.0 * p).abs() < 1e-9);
    let each = PERIOD / p;
    let wanted = 10.0 * p * each * each * (1.0 - p);
    assert!((holding.variance / wanted - 1.0).abs() < 1e-9);
    let change = Change::of_process(&Holding::default(), &holding, None);
    assert!(change.band().0 > 0.0);
}

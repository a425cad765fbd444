//! How densely a simulated process is sampled, as time goes on.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// What decides the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The same all the time.
    Steady(u8),
    /// Doubles at equal distances from the first to the second; what is live stays as it is.
    Doubling(u8, u8),
    /// As [`Rate::Doubling`], and each time half of the live samples is thinned out.
    Thinning(u8, u8),
    /// One of the two, for a while of a sixteenth of the run on average, again and again.
    Swinging(u8, u8),
    /// As one per mille ten of the processor time allows, at 4 us a sample beside 50 MB a second of
    /// short-lived allocation: the program has now a whole processor, now only an eighth of one.
    Auto,
}

/// The periods of one run.
#[derive(Clone, Debug)]
pub struct Periods {
    /// `(from, period)`, the first from 0 on.
    steps: Vec<(f64, f64)>,
    thins: bool,
}

fn bytes(lg: u8) -> f64 {
    2f64.powi(lg.into())
}

impl Rate {
    /// Drawn for a run of this length.
    pub fn periods(self, length: f64, seed: u64) -> Periods {
        let mut dice = SmallRng::seed_from_u64(!seed);
        let steps = match self {
            Rate::Steady(lg) => vec![(0.0, bytes(lg))],
            Rate::Doubling(from, to) | Rate::Thinning(from, to) => {
                let step = length / f64::from(to - from + 1);
                let all = (from..=to).enumerate();
                all.map(|(at, lg)| (at as f64 * step, bytes(lg))).collect()
            }
            Rate::Swinging(low, high) => phases(length / 16.0, length, &mut dice, |dice| {
                bytes(if dice.random::<bool>() { high } else { low })
            }),
            Rate::Auto => phases(length / 20.0, length, &mut dice, |dice| {
                let share = 2f64.powi(-dice.random_range(0..4));
                let wanted = 50.0 * 1_048_576.0 * 4e-6 / (0.010 * share);
                2f64.powf(wanted.log2().ceil()).clamp(bytes(13), bytes(19))
            }),
        };
        let thins = matches!(self, Rate::Thinning(..));
        Periods { steps, thins }
    }
}

fn phases(
    mean: f64,
    length: f64,
    dice: &mut SmallRng,
    each: impl Fn(&mut SmallRng) -> f64,
) -> Vec<(f64, f64)> {
    let (mut steps, mut at) = (Vec::new(), 0.0);
    while at < length {
        steps.push((at, each(dice)));
        at += -(1.0 - dice.random::<f64>()).ln() * mean;
    }
    steps
}

impl Periods {
    /// The period in force.
    pub fn at(&self, time: f64) -> f64 {
        let behind = self.steps.partition_point(|step| step.0 <= time);
        self.steps[behind.saturating_sub(1)].1
    }

    /// The densest of all.
    pub fn least(&self) -> f64 {
        let periods = self.steps.iter().map(|step| step.1);
        periods.fold(f64::INFINITY, f64::min)
    }

    /// `(from, to, period)` up to `end`.
    pub fn until(&self, end: f64) -> impl Iterator<Item = (f64, f64, f64)> {
        let ends = self.steps.iter().skip(1).map(|step| step.0).chain([end]);
        let steps = self.steps.iter().zip(ends);
        steps.map(move |(&(from, period), to)| (from, to.min(end), period))
    }

    /// How often a sample born at `birth` was thinned by `time`.
    pub fn thinned(&self, birth: f64, time: f64) -> i32 {
        let between = |step: &&(f64, f64)| birth < step.0 && step.0 <= time;
        match self.thins {
            true => self.steps.iter().skip(1).filter(between).count() as i32,
            false => 0,
        }
    }
}

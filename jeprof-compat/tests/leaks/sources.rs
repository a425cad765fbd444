//! What simulated paths allocate: sources of blocks, drawn sample by sample.
//!
//! Churn is drawn sample by sample where it grows old. The brief lives, which are nearly all of it,
//! are drawn by their numbers.

use rand::RngExt;
use rand::rngs::SmallRng;

use super::rate::Periods;

pub const MB: f64 = 1_048_576.0;
pub const HOUR: f64 = 3600.0;
pub const MINUTE: f64 = 60.0;

/// Lives of churn below this share of the run are drawn by their numbers: no age that is looked at is
/// as young.
const BRIEF: f64 = 0.04;

/// What a path allocates. Sizes in MB, times in seconds.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// MB an hour, for ever.
    Leak(f64),
    /// So many MB live, each block for an exponential life of this mean.
    Churn(f64, f64),
    /// So many MB allocated a second, each block for a life of this mean.
    Stream(f64, f64),
    /// A cache that fills up to so many MB with this time constant.
    Cache(f64, f64),
    /// So many MB, each block for exactly this long.
    Lru(f64, f64),
    /// So many MB in the first minute.
    Startup(f64),
    /// Grows to so many MB, all given back each so many seconds.
    Sawtooth(f64, f64),
    /// So many MB each in a second, each so many seconds.
    Steps(f64, f64),
    /// So many MB twice: at a third and at two thirds of the run.
    TwoSteps(f64),
    /// So many MB, evenly until this time, for ever.
    Fill(f64, f64),
    /// So many containers with that many MB in all at this time, when they stop to grow: each is freed for
    /// one twice as large when it is full.
    Doubling(u32, f64, f64),
    /// So many buffers with that many MB in all at this time, when they stop to grow: by realloc, in place.
    Realloc(u32, f64, f64),
    /// So many MB in a second, each so many seconds, freed after so many.
    Bursts(f64, f64, f64),
    /// So many MB at most, each block for an exponential life of the second mean, by traffic that ebbs to
    /// nothing once in the first time.
    Daily(f64, f64, f64),
    /// MB an hour on average, for ever, by such traffic.
    DailyLeak(f64, f64),
}

/// A sample that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub birth: f64,
    pub end: f64,
    /// What it stood for when it was taken.
    pub weight: f64,
    /// Bytes of the block.
    pub size: f64,
    /// Uniform: below 2^-k it outlasts k thinnings.
    pub luck: f64,
}

/// Churn of so many bytes a second whose lives are below the bound.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    pub rate: f64,
    pub life: f64,
    pub bound: f64,
}

/// A buffer that realloc makes bigger.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// When a byte of it was drawn: each stands for a period.
    pub drawn: Vec<(f64, f64)>,
    /// Bytes a second, until when.
    pub growth: (f64, f64),
}

/// Bytes of a small block.
pub const SMALL: f64 = 1024.0;

/// What a path did.
#[derive(Default)]
pub struct Past {
    pub lives: Vec<Life>,
    pub buffers: Vec<Buffer>,
    pub brief: Vec<Brief>,
}

pub struct Dice<'a> {
    pub rng: SmallRng,
    pub periods: &'a Periods,
}

const FOREVER: f64 = f64::INFINITY;

impl Dice<'_> {
    fn uniform(&mut self) -> f64 {
        self.rng.random::<f64>()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.uniform()).ln() * mean
    }

    /// A Poisson count: by its gaps where it is small, else nearly normal.
    pub fn count(&mut self, mean: f64) -> u64 {
        if mean > 200.0 {
            let normal: f64 = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
            return (mean + normal * mean.sqrt()).round().max(0.0) as u64;
        }
        let (mut count, mut at) = (0, self.exponential(1.0));
        while at < mean {
            count += 1;
            at += self.exponential(1.0);
        }
        count
    }

    /// Samples of a Poisson process with so many bytes a second on `[begin, end)`; `end_of` says when
    /// one that was born then is freed.
    fn arrivals(
        &mut self,
        out: &mut Vec<Life>,
        rate: f64,
        (begin, end): (f64, f64),
        mut end_of: impl FnMut(&mut Self, f64) -> f64,
    ) {
        let least = self.periods.least();
        let mut birth = begin + self.exponential(least / rate);
        while birth < end {
            let weight = self.periods.at(birth);
            if self.uniform() * weight < least {
                let end = end_of(self, birth);
                let luck = self.uniform();
                out.push(Life {
                    birth,
                    end,
                    weight,
                    size: SMALL,
                    luck,
                });
            }
            birth += self.exponential(least / rate);
        }
    }

    /// One block, which is a sample by chance.
    fn block(&mut self, out: &mut Vec<Life>, size: f64, birth: f64, end: f64) {
        let p = -(-size / self.periods.at(birth)).exp_m1();
        let luck = self.uniform();
        if self.uniform() < p {
            let weight = size / p;
            out.push(Life {
                birth,
                end,
                weight,
                size,
                luck,
            });
        }
    }

    /// A container that holds `size` bytes at `until`.
    fn doubling(&mut self, out: &mut Vec<Life>, size: f64, until: f64) {
        let mut capacity = size / 1024.0 * (1.0 + self.uniform());
        let full = |capacity: f64| match capacity < size {
            true => capacity / size * until,
            false => FOREVER,
        };
        let mut birth = 0.0;
        loop {
            let end = full(capacity);
            self.block(out, capacity, birth, end);
            if end == FOREVER {
                return;
            }
            (birth, capacity) = (end, capacity * 2.0);
        }
    }

    /// A buffer that realloc makes bigger, to `size` bytes at `until`.
    fn realloc(&mut self, size: f64, until: f64) -> Buffer {
        let rate = size / until;
        let mut drawn = Vec::new();
        let mut at = 0.0;
        loop {
            let period = self.periods.at(at);
            at += self.exponential(period) / rate;
            if at >= until {
                let growth = (rate, until);
                return Buffer { drawn, growth };
            }
            drawn.push((at, period));
        }
    }

    fn churn(&mut self, past: &mut Past, rate: f64, life: f64, length: f64) {
        let bound = BRIEF * length;
        let old = rate * (-bound / life).exp();
        past.brief.push(Brief { rate, life, bound });
        if old > 1e-9 {
            let end_of = |dice: &mut Self, at: f64| at + bound + dice.exponential(life);
            self.arrivals(&mut past.lives, old, (0.0, length), end_of);
        }
    }
}

/// Traffic that ebbs once a day, of one at most.
fn tide(at: f64, day: f64) -> f64 {
    (1.0 - (at / day * std::f64::consts::TAU).cos()) / 2.0
}

impl Source {
    pub fn lives(self, length: f64, dice: &mut Dice<'_>, past: &mut Past) {
        let all = (0.0, length);
        let out = &mut past.lives;
        match self {
            Source::Leak(rate) => dice.arrivals(out, rate * MB / HOUR, all, |_, _| FOREVER),
            Source::Churn(live, life) => dice.churn(past, live * MB / life, life, length),
            Source::Stream(rate, life) => dice.churn(past, rate * MB, life, length),
            // The rate falls as what is missing does.
            Source::Cache(size, tau) => {
                let mut all_of = Vec::new();
                dice.arrivals(&mut all_of, size * MB / tau, all, |_, _| FOREVER);
                let keep = |life: &Life| dice.uniform() < (-life.birth / tau).exp();
                out.extend(all_of.into_iter().filter(keep));
            }
            Source::Lru(size, age) => dice.arrivals(out, size * MB / age, all, |_, at| at + age),
            Source::Startup(size) => {
                dice.arrivals(out, size * MB / MINUTE, (0.0, MINUTE), |_, _| FOREVER);
            }
            Source::Sawtooth(size, period) => {
                dice.arrivals(out, size * MB / period, all, |_, at| {
                    ((at / period).floor() + 1.0) * period
                })
            }
            Source::Steps(size, each) => {
                let steps = (length / each) as u32;
                for step in (0..steps).map(f64::from) {
                    let begin = (step + 0.5) * each;
                    dice.arrivals(out, size * MB, (begin, begin + 1.0), |_, _| FOREVER);
                }
            }
            Source::Fill(size, until) => {
                dice.arrivals(out, size * MB / until, (0.0, until), |_, _| FOREVER);
            }
            Source::Doubling(count, size, until) => {
                let each = size * MB / f64::from(count);
                (0..count).for_each(|_| dice.doubling(out, each, until));
            }
            Source::Realloc(count, size, until) => {
                let each = size * MB / f64::from(count);
                let buffers = (0..count).map(|_| dice.realloc(each, until));
                past.buffers.extend(buffers);
            }
            Source::Bursts(size, each, life) => {
                let mut begin = each / 2.0;
                while begin < length {
                    dice.arrivals(out, size * MB, (begin, begin + 1.0), |_, at| at + life);
                    begin += each;
                }
            }
            Source::Daily(live, day, life) => {
                let mut all_of = Vec::new();
                let end_of = |dice: &mut Dice<'_>, at: f64| at + dice.exponential(life);
                dice.arrivals(&mut all_of, live * MB / life, all, end_of);
                out.extend(
                    all_of
                        .into_iter()
                        .filter(|one| dice.uniform() < tide(one.birth, day)),
                );
            }
            Source::DailyLeak(rate, day) => {
                let mut all_of = Vec::new();
                dice.arrivals(&mut all_of, 2.0 * rate * MB / HOUR, all, |_, _| FOREVER);
                out.extend(
                    all_of
                        .into_iter()
                        .filter(|one| dice.uniform() < tide(one.birth, day)),
                );
            }
            Source::TwoSteps(size) => {
                for begin in [length / 3.0, length * 2.0 / 3.0] {
                    dice.arrivals(out, size * MB, (begin, begin + 1.0), |_, _| FOREVER);
                }
            }
        }
    }
}

//! Processes simulated sample by sample, as dumps: what the statistics of leaks are tried on. The
//! births, lives and epochs are cut exactly as the library cuts them.
//!
//! Churn is drawn sample by sample where it grows old. The brief lives, which are nearly all of it,
//! are drawn by their numbers.

use std::path::PathBuf;

use jeprof_compat::analysis::series::{Dump, Exit, Process};
use jeprof_compat::profile::model::{
    Line, Location, LocationId, ProcessFacts, Profile, Sample, StackFacts, Values, Weighed,
};
use profile_format::{epochs, lifetimes};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::rate::{Periods, Rate};

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

/// A run of this length with dumps at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    #[allow(dead_code, reason = "only the table prints it")]
    pub name: &'static str,
    pub length: f64,
    pub dumps: usize,
}

pub const RUNS: [Run; 4] = [
    Run {
        name: "10 min, 10 dumps",
        length: 10.0 * MINUTE,
        dumps: 10,
    },
    Run {
        name: "0.5 h, 10 dumps",
        length: 0.5 * HOUR,
        dumps: 10,
    },
    Run {
        name: "2 h, 24 dumps",
        length: 2.0 * HOUR,
        dumps: 24,
    },
    Run {
        name: "12 h, 72 dumps",
        length: 12.0 * HOUR,
        dumps: 72,
    },
];

/// A sample that was taken.
#[derive(Clone, Copy, Debug)]
struct Life {
    birth: f64,
    end: f64,
    /// What it stood for when it was taken.
    weight: f64,
    /// Bytes of the block.
    size: f64,
    /// Uniform: below 2^-k it outlasts k thinnings.
    luck: f64,
}

/// Churn of so many bytes a second whose lives are below the bound.
#[derive(Clone, Copy, Debug)]
struct Brief {
    rate: f64,
    life: f64,
    bound: f64,
}

/// A buffer that realloc makes bigger.
#[derive(Clone, Debug)]
struct Buffer {
    /// When a byte of it was drawn: each stands for a period.
    drawn: Vec<(f64, f64)>,
    /// Bytes a second, until when.
    growth: (f64, f64),
}

/// Bytes of a small block.
const SMALL: f64 = 1024.0;

/// What a path did.
#[derive(Default)]
struct Past {
    lives: Vec<Life>,
    buffers: Vec<Buffer>,
    brief: Vec<Brief>,
}

struct Dice<'a> {
    rng: SmallRng,
    periods: &'a Periods,
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
    fn count(&mut self, mean: f64) -> u64 {
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
    fn lives(self, length: f64, dice: &mut Dice<'_>, past: &mut Past) {
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

/// A process with paths of one function each, `path0` and so on, called by `main`.
pub fn process(paths: &[&[Source]], run: &Run, rate: Rate, seed: u64) -> Process {
    let periods = rate.periods(run.length, seed);
    let rng = SmallRng::seed_from_u64(seed);
    let mut dice = Dice {
        rng,
        periods: &periods,
    };
    let mut pasts = Vec::new();
    for sources in paths {
        // Containers have a stack of their own: nodes and tables of a map are allocated by two functions of it.
        let is_container = |s: &&Source| matches!(s, Source::Doubling(..) | Source::Realloc(..));
        let (own, others): (Vec<&Source>, Vec<&Source>) = sources.iter().partition(is_container);
        pasts.push([own, others].map(|sources| {
            let mut past = Past::default();
            for source in sources {
                source.lives(run.length, &mut dice, &mut past);
            }
            past
        }));
    }
    let step = run.length / run.dumps as f64;
    let mut dump = |index: usize| {
        let at = step * (index + 1) as f64;
        let path = PathBuf::from(format!("simulated.1.{index}.t{index}.heap"));
        Dump {
            path,
            at,
            profile: profile(&pasts, at, &mut dice),
        }
    };
    let dumps = (0..run.dumps).map(&mut dump).collect();
    Process {
        name: "pid 1".to_owned(),
        dumps,
        exit: Exit::Whole,
    }
}

/// Adds the dump at exit of a process whose destructors freed all it held.
#[allow(dead_code, reason = "only the table has it")]
pub fn torn_down(mut process: Process) -> Process {
    if let Some(last) = process.dumps.last().cloned() {
        let mut last = last;
        last.profile.samples.clear();
        let fact = ("trigger".to_owned(), "final".to_owned());
        last.profile.process.entries.push(fact);
        process.dumps.push(last);
    }
    process.leave_torn_down();
    process
}

fn profile(pasts: &[[Past; 2]], now: f64, dice: &mut Dice<'_>) -> Profile {
    let now_ms = (now * 1000.0) as u64;
    let width = epochs::width_ms(now_ms);
    let mut profile = Profile {
        period: dice.periods.least() as u64,
        locations: vec![location("main"), location("insert")],
        process: ProcessFacts {
            entries: Vec::new(),
            epochs: Some((width, epochs::count(now_ms))),
        },
        ..Profile::default()
    };
    for (number, stacks) in pasts.iter().enumerate() {
        profile.locations.push(location(&format!("path{number}")));
        let leaf = LocationId(number as u32 + 2);
        for (at, past) in stacks.iter().enumerate() {
            let seen = Seen::of(past, width, now, dice);
            let facts = seen.facts((number * 2 + at) as u64);
            if facts.samples == 0 && facts.lives.is_empty() {
                continue;
            }
            let mut stack = vec![leaf, LocationId(1), LocationId(0)];
            stack.drain(1..1 + at);
            profile.samples.push(Sample {
                stack,
                values: Values {
                    inuse_space: seen.bytes(),
                    inuse_objects: seen.blocks,
                    ..Values::default()
                },
                threads: Vec::new(),
                facts: Some(facts),
            });
        }
    }
    profile
}

fn location(name: &str) -> Location {
    let line = Line {
        function: name.to_owned(),
        ..Line::default()
    };
    Location {
        lines: vec![line],
        ..Location::default()
    }
}

/// What a dump says of a path.
struct Seen {
    width: u64,
    births: Vec<Weighed>,
    lives: Vec<Weighed>,
    blocks: f64,
    /// What realloc added, and its variance.
    grown: (f64, f64),
    /// What large blocks have less of variance than small ones.
    certain: f64,
}

fn alike(count: u64, weight: f64) -> Weighed {
    Weighed::alike(count, count as f64 * weight)
}

impl Seen {
    fn of(past: &Past, width: u64, now: f64, dice: &mut Dice<'_>) -> Seen {
        let mut seen = Seen::new(width);
        let lives = past.lives.iter();
        lives.for_each(|life| seen.life(life, now, dice.periods));
        past.brief
            .iter()
            .for_each(|brief| seen.brief(brief, now, dice));
        past.buffers
            .iter()
            .for_each(|buffer| seen.buffer(buffer, now));
        seen
    }

    fn new(width: u64) -> Seen {
        Seen {
            width,
            births: vec![Weighed::default(); epochs::MOST as usize],
            lives: vec![Weighed::default(); lifetimes::BUCKETS],
            blocks: 0.0,
            grown: (0.0, 0.0),
            certain: 0.0,
        }
    }

    fn bytes(&self) -> f64 {
        self.births.iter().map(|b| b.bytes).sum::<f64>() + self.grown.0
    }

    fn buffer(&mut self, buffer: &Buffer, now: f64) {
        let drawn = buffer.drawn.iter().filter(|drawn| drawn.0 <= now);
        for (number, &(at, period)) in drawn.enumerate() {
            let (rate, until) = buffer.growth;
            self.blocks += period / (rate * now.min(until));
            if number == 0 {
                self.born(at, period, 1);
            } else {
                self.grown.0 += period;
                self.grown.1 += period * period;
            }
        }
    }

    fn born(&mut self, birth: f64, weight: f64, count: u64) {
        let epoch = (birth * 1000.0) as u64 / self.width;
        self.births[epoch as usize].add(&alike(count, weight));
    }

    fn freed(&mut self, lived: f64, weight: f64, count: u64) {
        let bucket = lifetimes::bucket((lived * 1000.0) as u64);
        self.lives[bucket].add(&alike(count, weight));
    }

    fn life(&mut self, life: &Life, now: f64, periods: &Periods) {
        if life.birth > now {
            return;
        }
        let thinned = periods.thinned(life.birth, life.end.min(now));
        let scale = 2f64.powi(thinned);
        if life.luck * scale >= 1.0 {
            return;
        }
        if life.end > now {
            self.born(life.birth, life.weight * scale, 1);
            self.blocks += life.weight * scale / life.size;
            // s^2 (1 - p)/p^2, with the weight s/p.
            self.certain += life.weight * scale * life.size;
        } else {
            self.freed(life.end - life.birth, life.weight * scale, 1);
        }
    }

    fn brief(&mut self, brief: &Brief, now: f64, dice: &mut Dice<'_>) {
        let Brief { rate, life, bound } = *brief;
        let older = |age: f64| (-age / life).exp();
        // Coarser steps with age: no age below the bound is looked at.
        let mut young = 0.0;
        let mut step = 0.01;
        while young < bound {
            let next = (young + step).min(bound);
            for (from, to, period) in dice.periods.until(now) {
                let share = older(young) - older(next);
                let count = dice.count(rate * share * (to - from).max(0.0) / period);
                self.freed((young + next) / 2.0, period, count);
            }
            (young, step) = (next, step * 1.5);
        }
        // The live ones by slices of their birth.
        let slice = bound / 16.0;
        for at in 0..16 {
            let (end, begin) = (now - slice * f64::from(at), now - slice * f64::from(at + 1));
            if begin < 0.0 {
                break;
            }
            let period = dice.periods.at((begin + end) / 2.0);
            let alive = life / slice * (older(now - end) - older(now - begin)) - older(bound);
            let count = dice.count(rate * slice * alive.max(0.0) / period);
            self.born((begin + end) / 2.0, period, count);
            self.blocks += count as f64 * period / SMALL;
        }
    }

    fn facts(&self, id: u64) -> StackFacts {
        let some = |all: &[Weighed]| -> Vec<(u32, Weighed)> {
            let all = (0..).zip(all.iter().copied());
            all.filter(|part| part.1.samples > 0).collect()
        };
        StackFacts {
            id,
            samples: self.births.iter().map(|b| b.samples).sum(),
            variance: self.births.iter().map(|b| b.squares).sum::<f64>() + self.grown.1
                - self.certain,
            births: some(&self.births),
            lives: some(&self.lives),
            ..StackFacts::default()
        }
    }
}

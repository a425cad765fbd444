//! Processes simulated sample by sample, as dumps: what the statistics of leaks are tried on. The
//! births, lives and epochs are cut exactly as the library cuts them.

use std::path::PathBuf;

use jeprof_compat::analysis::series::{Dump, Process};
use jeprof_compat::profile::model::{
    Line, Location, LocationId, ProcessFacts, Profile, Sample, StackFacts, Values,
};
use profile_format::epochs;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub const MB: f64 = 1_048_576.0;
pub const HOUR: f64 = 3600.0;
pub const MINUTE: f64 = 60.0;

/// Mean bytes between samples: the default.
pub const PERIOD: f64 = 524_288.0;

/// What a path allocates. Sizes in MB, times in seconds.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// MB an hour, for ever.
    Leak(f64),
    /// So many MB live, each block for an exponential life of this mean.
    Churn(f64, f64),
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
}

/// A run of this length with dumps at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    #[allow(dead_code, reason = "only the table prints it")]
    pub name: &'static str,
    pub length: f64,
    pub dumps: usize,
}

pub const RUNS: [Run; 3] = [
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

/// A sample: when it was born and when it is freed.
type Life = (f64, f64);

struct Dice(SmallRng);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.uniform()).ln() * mean
    }

    /// Times of a Poisson process with so many MB a second on `[begin, end)`.
    fn arrivals(&mut self, rate: f64, begin: f64, end: f64, mut each: impl FnMut(&mut Self, f64)) {
        let gap = PERIOD / (rate * MB);
        let mut at = begin + self.exponential(gap);
        while at < end {
            each(self, at);
            at += self.exponential(gap);
        }
    }
}

impl Source {
    fn lives(self, length: f64, dice: &mut Dice, out: &mut Vec<Life>) {
        const FOREVER: f64 = f64::INFINITY;
        match self {
            Source::Leak(rate) => {
                dice.arrivals(rate / HOUR, 0.0, length, |_, at| out.push((at, FOREVER)));
            }
            Source::Churn(live, life) => dice.arrivals(live / life, 0.0, length, |dice, at| {
                let end = at + dice.exponential(life);
                out.push((at, end));
            }),
            // Arrivals of the unit exponential's distribution function, stretched.
            Source::Cache(size, tau) => dice.arrivals(size, 0.0, 1.0, |_, share| {
                let at = -(1.0 - share).ln() * tau;
                if at < length {
                    out.push((at, FOREVER));
                }
            }),
            Source::Lru(size, age) => {
                dice.arrivals(size / age, 0.0, length, |_, at| out.push((at, at + age)));
            }
            Source::Startup(size) => {
                dice.arrivals(size / MINUTE, 0.0, MINUTE, |_, at| out.push((at, FOREVER)));
            }
            Source::Sawtooth(size, period) => {
                dice.arrivals(size / period, 0.0, length, |_, at| {
                    out.push((at, ((at / period).floor() + 1.0) * period));
                });
            }
            Source::Steps(size, each) => {
                let steps = (length / each) as u32;
                for step in (0..steps).map(f64::from) {
                    let begin = (step + 0.5) * each;
                    dice.arrivals(size, begin, begin + 1.0, |_, at| out.push((at, FOREVER)));
                }
            }
            Source::TwoSteps(size) => {
                for begin in [length / 3.0, length * 2.0 / 3.0] {
                    dice.arrivals(size, begin, begin + 1.0, |_, at| out.push((at, FOREVER)));
                }
            }
        }
    }
}

/// A process with paths of one function each, `path0` and so on, called by `main`.
pub fn process(paths: &[&[Source]], run: &Run, seed: u64) -> Process {
    let mut dice = Dice(SmallRng::seed_from_u64(seed));
    let mut lives = Vec::new();
    for sources in paths {
        let mut path = Vec::new();
        for source in *sources {
            source.lives(run.length, &mut dice, &mut path);
        }
        lives.push(path);
    }
    let step = run.length / run.dumps as f64;
    let dump = |index: usize| {
        let at = step * (index + 1) as f64;
        let path = PathBuf::from(format!("simulated.1.{index}.t{index}.heap"));
        Dump {
            path,
            at,
            profile: profile(&lives, at),
        }
    };
    let dumps = (0..run.dumps).map(dump).collect();
    Process {
        name: "pid 1".to_owned(),
        dumps,
    }
}

fn profile(lives: &[Vec<Life>], now: f64) -> Profile {
    let now_ms = (now * 1000.0) as u64;
    let width = epochs::width_ms(now_ms);
    let mut profile = Profile {
        period: PERIOD as u64,
        locations: vec![location("main")],
        process: ProcessFacts {
            entries: Vec::new(),
            epochs: Some((width, epochs::count(now_ms))),
        },
        ..Profile::default()
    };
    for (number, path) in lives.iter().enumerate() {
        profile.locations.push(location(&format!("path{number}")));
        let facts = facts(number as u64, path, now, width);
        let bytes = facts.samples as f64 * PERIOD;
        profile.samples.push(Sample {
            stack: vec![LocationId(number as u32 + 1), LocationId(0)],
            values: Values {
                inuse_space: bytes,
                ..Values::default()
            },
            threads: Vec::new(),
            facts: Some(facts),
        });
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

fn facts(id: u64, path: &[Life], now: f64, width: u64) -> StackFacts {
    let mut births = [0u64; epochs::MOST as usize];
    let mut lives = [0u64; 32];
    let mut facts = StackFacts {
        id,
        ..StackFacts::default()
    };
    for &(birth, end) in path.iter().filter(|life| life.0 <= now) {
        facts.alloc_samples += 1;
        if end > now {
            births[((birth * 1000.0) as u64 / width) as usize] += 1;
            facts.samples += 1;
        } else {
            let ms = ((end - birth) * 1000.0) as u64;
            lives[((u64::BITS - ms.leading_zeros()) as usize).min(31)] += 1;
        }
    }
    facts.variance = facts.samples as f64 * PERIOD * PERIOD;
    let born = births.iter().enumerate().filter(|b| *b.1 > 0);
    facts.births = born
        .map(|(e, &n)| (e as u32, n, n * PERIOD as u64))
        .collect();
    facts.lives = (0..).zip(lives).filter(|l| l.1 > 0).collect();
    facts
}

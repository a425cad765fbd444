//! Processes simulated sample by sample, as dumps: what the statistics of leaks are tried on. The
//! births, lives and epochs are cut exactly as the library cuts them.

use std::path::PathBuf;

use jeprof_compat::analysis::series::{Dump, Exit, Process};
use jeprof_compat::profile::model::{
    Line, Location, LocationId, ProcessFacts, Profile, Sample, StackFacts, Values, Weighed,
};
use profile_format::{epochs, lifetimes};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::rate::{Periods, Rate};
use super::sources::{Brief, Buffer, Dice, HOUR, Life, MINUTE, Past, SMALL, Source};

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
            if facts.samples == 0 && facts.lives.iter().next().is_none() {
                continue;
            }
            let mut stack = vec![leaf, LocationId(1), LocationId(0)];
            stack.drain(1..1 + at);
            profile.samples.push(Sample {
                stack: stack.into(),
                values: Values {
                    inuse_space: seen.bytes(),
                    inuse_objects: seen.blocks,
                    ..Values::default()
                },
                threads: Box::default(),
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
        lines: vec![line].into(),
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
            births: some(&self.births).into(),
            lives: some(&self.lives).into(),
            ..StackFacts::default()
        }
    }
}

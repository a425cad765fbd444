//! Workers of one program, pooled: a leak that is below the floor of each may be above that of all. Pure.
//!
//! Processes are workers of one program when they have its name and host and either its command line or its
//! address space (they were forked from one), and when they lived at the same time for as long, about: births
//! of all are then cut into the epochs of the one that ran longest, reckoned back from the last dumps. What
//! holds next to nothing is a helper.
//!
//! The pool is a process like any other: its dumps are those of the longest, each with what the others had
//! live at that time, and a stack of a worker stays a stack of its own. So nothing else needs to know of it.

use super::series::{Dump, Exit, Process, Series};
use crate::profile::model::{LocationId, Profile, Sample, StackFacts, ValueKind, Weighed};

/// Share of the longest run that a worker must have run, and by which the last dumps may lie apart.
const ALIKE: f64 = 0.2;

/// What a process holds less of, compared with the one that holds most, it is not counted for.
const HELPER: f64 = 0.01;

/// Dumps of a pool, about: each is a copy of what the workers hold.
const MOST_DUMPS: usize = 40;

/// Workers of a pool, for the same reason.
const MOST_WORKERS: usize = 32;

/// The bits of a stack's number in a pool that are the worker's.
const SHIFT: u32 = 48;

/// Workers of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The program's name.
    pub name: String,
    /// Indexes into [`Series::processes`], at least two.
    pub workers: Vec<usize>,
}

/// All that are there.
pub fn services(series: &Series) -> Vec<Service> {
    let processes = &series.processes;
    let mut taken = vec![false; processes.len()];
    let mut services = Vec::new();
    let mut order: Vec<usize> = (0..processes.len()).collect();
    order.sort_by(|a, b| run(&processes[*b]).total_cmp(&run(&processes[*a])));
    for &first in &order {
        let is_worker = |at: &usize| !taken[*at] && are_workers(&processes[first], &processes[*at]);
        let workers: Vec<usize> = (0..processes.len()).filter(is_worker).collect();
        let most = workers
            .iter()
            .map(|at| live(&processes[*at]))
            .fold(0.0, f64::max);
        let tells = |at: &usize| live(&processes[*at]) >= HELPER * most && most > 0.0;
        let workers: Vec<usize> = workers
            .into_iter()
            .filter(tells)
            .take(MOST_WORKERS)
            .collect();
        if workers.len() > 1 && workers.contains(&first) {
            workers.iter().for_each(|at| taken[*at] = true);
            services.push(Service {
                name: processes[first].last().process.program().to_owned(),
                workers,
            });
        }
    }
    services
}

/// The worker that a stack of a pool is of.
pub fn worker(number: u64) -> usize {
    (number >> SHIFT) as usize
}

fn run(process: &Process) -> f64 {
    process.dumps.last().map_or(0.0, |dump| dump.at)
}

fn live(process: &Process) -> f64 {
    process.last().total(ValueKind::InuseSpace)
}

/// When it was seen last, in seconds since 1970.
fn end(process: &Process) -> Option<f64> {
    let start = process.last().process.get("start_unix_ms")?;
    Some(start.parse::<f64>().ok()? / 1000.0 + run(process))
}

fn are_workers(longest: &Process, other: &Process) -> bool {
    let fact = |process: &Process, key: &str| process.last().process.get(key).map(str::to_owned);
    let same = |key: &str| fact(longest, key).is_some() && fact(longest, key) == fact(other, key);
    let home = |process: &Process| {
        let mut mappings = process.last().mappings.iter();
        mappings.find(|m| m.path == "[vdso]").map(|m| m.start)
    };
    let is_forked = home(longest).is_some() && home(longest) == home(other);
    let programs = [longest, other].map(|process| process.last().process.program().to_owned());
    let ends = end(longest).zip(end(other));
    let apart = ends.map_or(f64::INFINITY, |(a, b)| (a - b).abs());
    let most = ALIKE * run(longest);
    programs[0] == programs[1]
        && !programs[0].is_empty()
        && same("host")
        && (same("command") || is_forked)
        && run(other) >= run(longest) - most
        && apart <= most.max(1.0)
}

/// One process that holds what all of a service do.
pub fn pool(series: &Series, service: &Service) -> Process {
    let workers: Vec<&Process> = service
        .workers
        .iter()
        .map(|at| &series.processes[*at])
        .collect();
    let by_run = |a: &&&Process, b: &&&Process| run(a).total_cmp(&run(b));
    // Of equals the first.
    let Some(longest) = workers.iter().rev().max_by(by_run) else {
        unreachable!("a service has workers");
    };
    let step = longest.dumps.len().div_ceil(MOST_DUMPS).max(1);
    let last = longest.dumps.len() - 1;
    let shown = (0..=last).filter(|at| (last - at) % step == 0);
    let dumps = shown.map(|at| together(&workers, longest, at)).collect();
    Process {
        name: format!("{} processes", workers.len()),
        dumps,
        exit: workers
            .iter()
            .map(|w| w.exit)
            .find(|e| *e != Exit::Whole)
            .unwrap_or_default(),
    }
}

/// What all held at a dump of the longest.
fn together(workers: &[&Process], longest: &Process, at: usize) -> Dump {
    let dump = &longest.dumps[at];
    let is_last = at + 1 == longest.dumps.len();
    let mut profile = Profile {
        process: dump.profile.process.clone(),
        leaf_is_hook: dump.profile.leaf_is_hook,
        ..Profile::default()
    };
    let mut memory = [0.0; 2];
    for (number, worker) in workers.iter().enumerate() {
        // Reckoned from the last dumps, which are of the same time.
        let shift = run(longest) - run(worker);
        let earlier = |d: &&Dump| d.at + shift <= dump.at;
        let state = match is_last {
            true => worker.dumps.last(),
            false => worker.dumps.iter().rfind(earlier),
        };
        if let Some(state) = state {
            add(&mut profile, &state.profile, number as u64, shift);
            for (sum, key) in memory.iter_mut().zip(MEMORY) {
                let fact = state.profile.process.get(key);
                *sum += fact
                    .and_then(|text| text.parse::<f64>().ok())
                    .unwrap_or(0.0);
            }
        }
    }
    let entries = &mut profile.process.entries;
    entries.retain(|(key, _)| !key.starts_with("rss_") && key != "pid");
    for (key, sum) in MEMORY.iter().zip(memory) {
        entries.push(((*key).to_owned(), format!("{sum:.0}")));
    }
    Dump {
        path: dump.path.clone(),
        at: dump.at,
        profile,
    }
}

/// What is said of the memory of all.
const MEMORY: [&str; 2] = ["rss_bytes", "rss_anonymous_bytes"];

/// Adds what one worker holds; its births are `shift` seconds later on the clock of the pool.
fn add(pool: &mut Profile, state: &Profile, worker: u64, shift: f64) {
    let (locations, mappings) = (pool.locations.len() as u32, pool.mappings.len());
    pool.period = match pool.period {
        0 => state.period,
        period => period.min(state.period),
    };
    pool.mappings.extend(state.mappings.iter().cloned());
    pool.locations
        .extend(state.locations.iter().cloned().map(|mut location| {
            location.mapping = location.mapping.map(|at| at + mappings);
            location
        }));
    let width = |profile: &Profile| {
        profile
            .process
            .epochs
            .map_or(1000.0, |(width, _)| width as f64)
    };
    let (from, to) = (width(state), width(pool));
    let most = pool
        .process
        .epochs
        .map_or(0, |(_, count)| count.saturating_sub(1)) as u32;
    let epoch = |epoch: u32| {
        let middle = (f64::from(epoch) + 0.5) * from + shift * 1000.0;
        ((middle / to) as u32).min(most)
    };
    for sample in &state.samples {
        let Some(facts) = &sample.facts else { continue };
        let births = facts.births.iter().map(|(at, born)| (epoch(at), born));
        pool.samples.push(Sample {
            stack: sample
                .stack
                .iter()
                .map(|id| LocationId(id.0 + locations))
                .collect(),
            values: sample.values,
            threads: Box::default(),
            facts: Some(StackFacts {
                id: (facts.id & ((1 << SHIFT) - 1)) | (worker << SHIFT),
                births: joined(births).into(),
                ..facts.clone()
            }),
        });
    }
}

/// Births in the order of their epochs, one of each.
fn joined(births: impl Iterator<Item = (u32, Weighed)>) -> Vec<(u32, Weighed)> {
    let mut out: Vec<(u32, Weighed)> = Vec::new();
    for (epoch, born) in births {
        match out.last_mut() {
            Some((last, sum)) if *last == epoch => sum.add(&born),
            _ => out.push((epoch, born)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Location, Mapping, Values};

    /// A process of `program` that began at 1000 s and has two dumps, at 50 and 100 s.
    fn process(pid: u64, program: &str, command: &str, bytes: f64) -> Process {
        let dump = |at: f64, share: f64| {
            let mut profile = Profile::default();
            let facts = [
                ("pid", pid.to_string()),
                ("host", "web-1".to_owned()),
                ("command", format!("{program} {command}")),
                ("start_unix_ms", "1000000".to_owned()),
                ("rss_bytes", "1000".to_owned()),
            ];
            let facts = facts.into_iter().map(|(k, v)| (k.to_owned(), v));
            profile.process.entries = facts.collect();
            profile.process.epochs = Some((10_000, 10));
            profile.locations.push(Location {
                mapping: Some(0),
                ..Location::default()
            });
            profile.mappings.push(Mapping::default());
            profile.samples.push(Sample {
                stack: vec![LocationId(0)].into(),
                values: Values {
                    inuse_space: bytes * share,
                    ..Values::default()
                },
                facts: Some(StackFacts {
                    id: 5,
                    samples: 4,
                    births: vec![(2, Weighed::alike(2, 10.0)), (3, Weighed::alike(2, 10.0))].into(),
                    ..StackFacts::default()
                }),
                ..Sample::default()
            });
            Dump {
                path: format!("m.{pid}.{at}.t0.heap").into(),
                at,
                profile,
            }
        };
        Process {
            name: format!("pid {pid}"),
            dumps: vec![dump(50.0, 0.5), dump(100.0, 1.0)],
            exit: Exit::Whole,
        }
    }

    fn series(processes: Vec<Process>) -> Series {
        Series {
            processes,
            notes: Vec::new(),
        }
    }

    #[test]
    fn workers_are_pooled_and_others_are_not() {
        let series = series(vec![
            process(1, "mcache", "--port 1", 400.0),
            process(2, "mcache", "--port 1", 300.0),
            process(3, "mcache", "--port 1", 1.0),
            process(4, "sh", "-c x", 300.0),
        ]);
        let services = services(&series);
        assert_eq!(services.len(), 1);
        assert_eq!(
            (services[0].name.as_str(), &services[0].workers[..]),
            ("mcache", &[0, 1][..])
        );
        let pool = pool(&series, &services[0]);
        let live: Vec<f64> = pool
            .dumps
            .iter()
            .map(|d| d.profile.total(ValueKind::InuseSpace))
            .collect();
        assert_eq!(live, [350.0, 700.0]);
        let last = pool.last();
        assert_eq!(last.process.get("rss_bytes"), Some("2000"));
        let of: Vec<usize> = last
            .samples
            .iter()
            .flat_map(|s| &s.facts)
            .map(|f| worker(f.id))
            .collect();
        assert_eq!(of, [0, 1]);
        assert_eq!(last.samples[1].stack[..], [LocationId(1)]);
        assert_eq!(last.location(LocationId(1)).mapping, Some(1));
        assert_eq!(pool.tracks(None)[1].before, [(0, 1)]);
    }

    #[test]
    fn one_after_the_other_are_no_workers() {
        let mut later = process(2, "mcache", "", 300.0);
        for dump in &mut later.dumps {
            let start = dump
                .profile
                .process
                .entries
                .iter_mut()
                .find(|e| e.0 == "start_unix_ms");
            start.expect("a start").1 = "1110000".to_owned();
        }
        let series = series(vec![process(1, "mcache", "", 400.0), later]);
        assert!(services(&series).is_empty());
    }

    #[test]
    fn epochs_of_another_width_are_cut_anew() {
        let mut longest = process(1, "mcache", "", 400.0);
        for dump in &mut longest.dumps {
            dump.profile.process.epochs = Some((20_000, 6));
        }
        let series = series(vec![longest, process(2, "mcache", "", 400.0)]);
        let pool = pool(&series, &services(&series)[0]);
        let births = &pool.last().samples[1].facts.as_ref().expect("facts").births;
        assert_eq!(
            births.iter().collect::<Vec<_>>(),
            [(
                1,
                Weighed {
                    samples: 4,
                    bytes: 20.0,
                    squares: 100.0
                }
            )]
        );
    }
}

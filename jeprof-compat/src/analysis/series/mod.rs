//! Many dumps as series: those of one process in the order of time. Reads files, and names only what
//! stands in the last dump of each process: the same stack has the same number, and the same addresses,
//! in all dumps of its process.
//!
//! Whatever is in a directory is taken as it is: files that are no dumps are told and passed over,
//! a spoiled dump gives what can be read unless whole ones are beside it, jemalloc's dumps lack ages
//! and give less.

mod common;
mod exit;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use regex::Regex;

use crate::figures::date;
use crate::profile::identity::Identity;
use crate::profile::model::{JAVA_HEAP, JS_HEAP, Location, Profile, Sample, Seen, ValueKind};
use crate::profile::read;
use crate::symbolize::{Locator, symbolize};

use common::ByProcess;
pub use exit::Exit;

/// One state of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump {
    /// Where it was read from.
    pub path: PathBuf,
    /// Seconds since the process started; since its first dump where that is not known.
    pub at: f64,
    /// What it holds.
    pub profile: Profile,
}

/// The dumps of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// What tells it apart, in words: `pid 123`.
    pub name: String,
    /// Dumps by time; never empty.
    pub dumps: Vec<Dump>,
    /// What its end did to the evidence.
    pub exit: Exit,
}

/// What a directory holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The one with the most live bytes in its last dump first.
    pub processes: Vec<Process>,
    /// What the user should know, one line each.
    pub notes: Vec<String>,
}

/// A stack of the last dump, and where it stood before: `(dump, sample)` indexes, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Index of the sample in the last dump.
    pub last: usize,
    /// Its earlier states.
    pub before: Vec<(usize, usize)>,
}

impl Series {
    /// Shows the frames of one language alone.
    pub fn see(&mut self, seen: Seen) {
        let dumps = self.processes.iter_mut().flat_map(|p| &mut p.dumps);
        dumps.for_each(|dump| dump.profile.seen = seen);
    }

    /// Leaves what threads hold of which the name matches.
    pub fn keep_threads(&mut self, wanted: &Regex) {
        let dumps = self.processes.iter_mut().flat_map(|p| &mut p.dumps);
        dumps.for_each(|dump| dump.profile.keep_threads(wanted));
    }

    /// Reads dumps, and all dumps of directories among `paths`.
    pub fn read(paths: &[PathBuf]) -> Result<Series> {
        let mut files = Vec::new();
        for path in paths {
            collect(path, &mut files)?;
        }
        let mut series = Series::default();
        let mut found: Vec<(Identity, Dump)> = Vec::new();
        let mut common = ByProcess::default();
        for files in batches(&files) {
            let read: Vec<_> = files.par_iter().map(|path| read::read(path)).collect();
            for (path, result) in files.iter().zip(read) {
                match result {
                    Ok((mut profile, warnings)) => {
                        series.notes.extend(warnings);
                        let identity = Identity::of(path, &profile);
                        common.join(&identity, &mut profile);
                        let (path, at) = (path.clone(), identity.at);
                        found.push((identity, Dump { path, at, profile }));
                    }
                    Err(error) => series.notes.push(format!("{error:#}: passed over")),
                }
            }
        }
        if found.is_empty() {
            let shown: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            if files.is_empty() {
                bail!(
                    "there is no dump in {}: the names of dumps end in .heap",
                    shown.join(", ")
                );
            }
            let why: String = series.notes.iter().map(|n| format!("\n  {n}")).collect();
            bail!("no dump can be read in {}{why}", shown.join(", "));
        }
        series.group(found);
        Ok(series)
    }

    /// The dumps of the process in a directory that has the most live bytes, by time, or of a file.
    /// With them goes what the user should know.
    pub fn largest(path: &Path) -> Result<(Vec<Dump>, Vec<String>)> {
        let mut series = Series::read(&[path.to_owned()])?;
        let others = series.processes.len().saturating_sub(1);
        let Some(process) = series.processes.into_iter().next() else {
            bail!("no dump can be read in {}", path.display());
        };
        if others > 0 {
            series.notes.push(format!(
                "{}: dumps of other processes, {others}, are here too; taken is {}, which holds the most",
                path.display(),
                process.name
            ));
        }
        Ok((process.dumps, series.notes))
    }

    /// Series of dumps that are in memory already: those of one process, by time.
    pub fn of(name: &str, dumps: Vec<Dump>) -> Series {
        Series {
            processes: vec![Process {
                name: name.to_owned(),
                dumps,
                exit: Exit::Whole,
            }],
            notes: Vec::new(),
        }
    }

    fn group(&mut self, mut found: Vec<(Identity, Dump)>) {
        found.sort_by(|a, b| a.0.order(&b.0));
        let mut before: Option<Identity> = None;
        let mut first_at = 0.0;
        let mut started = Vec::new();
        for (identity, mut dump) in found {
            let is_new = !before
                .as_ref()
                .is_some_and(|b| b.is_same_process(&identity));
            if is_new {
                first_at = if identity.knows_start { 0.0 } else { dump.at };
                started.push(identity.started().map(date::date));
                self.processes.push(Process {
                    name: identity.name(),
                    dumps: Vec::new(),
                    exit: Exit::Whole,
                });
            }
            dump.at -= first_at;
            if let Some(process) = self.processes.last_mut() {
                process.dumps.push(dump);
            }
            before = Some(identity);
        }
        self.tell_apart(&started);
        for process in &mut self.processes {
            process.dumps.sort_by(|a, b| a.at.total_cmp(&b.at));
            self.notes.extend(process.leave_cut_off());
            self.notes.extend(process.leave_torn_down());
        }
        let live = |p: &Process| live(p.last());
        self.processes.sort_by(|a, b| live(b).total_cmp(&live(a)));
    }

    /// The first process of a container always has the same number: what was started again is named by when.
    fn tell_apart(&mut self, started: &[Option<String>]) {
        let mut count: HashMap<String, usize> = HashMap::new();
        for process in &self.processes {
            *count.entry(process.name.clone()).or_default() += 1;
        }
        for (process, started) in self.processes.iter_mut().zip(started) {
            if let (Some(started), 2..) = (started, count[&process.name]) {
                process.name += &format!(", started {started}");
            }
        }
    }

    /// Names the frames of the last dump of every process.
    pub fn symbolize(&mut self, locator: &Locator) {
        let take = |p: &mut Process| p.dumps.last_mut().map(|d| std::mem::take(&mut d.profile));
        let mut last: Vec<Profile> = self.processes.iter_mut().filter_map(take).collect();
        self.notes.extend(symbolize(&mut last, locator));
        for (process, profile) in self.processes.iter_mut().zip(last) {
            if let Some(dump) = process.dumps.last_mut() {
                dump.profile = profile;
            }
        }
    }
}

/// Estimated live bytes of malloc's blocks and of the objects of V8 and the JVM: what is there as long as the
/// runtime.
fn live(profile: &Profile) -> f64 {
    held(profile) + bytes(profile, JAVA_HEAP)
}

/// The same without what comes and goes whatever the program does at its end: the JVM frees no object then, but its
/// compilers have stopped.
fn held(profile: &Profile) -> f64 {
    let is_compiler = |location: &Location| {
        let line = location.lines.first().filter(|_| location.managed);
        line.is_some_and(|line| line.function == COMPILER)
    };
    let compilers: Vec<bool> = profile.locations.iter().map(is_compiler).collect();
    let is_of_compiler = |sample: &&Sample| sample.stack.iter().any(|id| compilers[id.0 as usize]);
    let of_compilers = profile.samples.iter().filter(is_of_compiler);
    let of_compilers: f64 = of_compilers.map(|s| s.values.inuse_space).sum();
    profile.total(ValueKind::InuseSpace) - of_compilers + bytes(profile, JS_HEAP)
}

/// What stands for a thread of the JVM that compiles.
const COMPILER: &str = "[jit compiler thread]";

fn bytes(profile: &Profile, kind: &str) -> f64 {
    let samples = profile.samples_of(Some(kind)).iter();
    samples.map(|s| s.values.get(ValueKind::InuseSpace)).sum()
}

/// Files of so many bytes are read at once: each is in memory as a whole while it is.
const AT_ONCE: u64 = 64 << 20;

/// A compressed file unpacks to about so many times its size.
const PACKED: u64 = 8;

/// Files that are read at once, in their order.
fn batches(mut files: &[PathBuf]) -> Vec<&[PathBuf]> {
    let size = |path: &PathBuf| {
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        let is_packed = path.extension().is_some_and(|ending| ending == "gz");
        if is_packed { bytes * PACKED } else { bytes }
    };
    let mut batches = Vec::new();
    while !files.is_empty() {
        let mut sum = 0;
        let fits = |path: &&PathBuf| {
            sum += size(path);
            sum <= AT_ONCE
        };
        let count = files.iter().take_while(fits).count();
        let (batch, rest) = files.split_at(count.max(1));
        batches.push(batch);
        files = rest;
    }
    batches
}

/// A directory's dumps, or a file whatever its name.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let shown = || path.display().to_string();
    if !fs::metadata(path).with_context(shown)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(shown)? {
        let entry = entry.with_context(shown)?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if (name.ends_with(".heap") || name.ends_with(".heap.gz")) && entry.is_file() {
            files.push(entry);
        }
    }
    files.sort();
    Ok(())
}

/// What makes a stack the same stack in another dump of its process.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Number(u64),
    Addresses(Vec<u64>),
}

fn key(profile: &Profile, sample: &Sample) -> Key {
    match &sample.facts {
        Some(facts) => Key::Number(facts.id),
        None => Key::Addresses(
            sample
                .stack
                .iter()
                .map(|id| profile.location(*id).address)
                .collect(),
        ),
    }
}

impl Process {
    /// Leaves out dumps that were cut off where there are whole ones: stacks that are missing in one
    /// would look freed there and born again after it. Returns a note for each.
    fn leave_cut_off(&mut self) -> Vec<String> {
        if self.dumps.iter().all(|dump| dump.profile.cut_off) {
            return Vec::new();
        }
        let cut_off = self.dumps.extract_if(.., |dump| dump.profile.cut_off);
        let note = |dump: Dump| format!("{}: left out, it is not whole", dump.path.display());
        cut_off.map(note).collect()
    }

    /// The profile of its last dump.
    pub fn last(&self) -> &Profile {
        let Some(last) = self.dumps.last() else {
            unreachable!("a process has a dump");
        };
        &last.profile
    }

    /// The stacks of its last dump with their earlier states, for one kind of samples.
    pub fn tracks(&self, kind: Option<&str>) -> Vec<Track> {
        let last = self.last();
        let samples = last.samples_of(kind).iter().enumerate();
        let mut by_key = HashMap::new();
        let mut tracks = Vec::new();
        for (at, sample) in samples {
            by_key.insert(key(last, sample), at);
            tracks.push(Track {
                last: at,
                before: Vec::new(),
            });
        }
        let earlier = self.dumps.len().saturating_sub(1);
        for (dump, state) in self.dumps.iter().take(earlier).enumerate() {
            for (at, sample) in state.profile.samples_of(kind).iter().enumerate() {
                if let Some(&track) = by_key.get(&key(&state.profile, sample)) {
                    tracks[track].before.push((dump, at));
                }
            }
        }
        tracks
    }

    /// The kinds of samples in its last dump, malloc's first as `None`.
    pub fn kinds(&self) -> Vec<Option<String>> {
        let others = self.last().other_kinds.keys().cloned().map(Some);
        std::iter::once(None).chain(others).collect()
    }
}

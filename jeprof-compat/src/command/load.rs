//! From file names to symbolized profiles: what both binaries do before they draw. Reads files,
//! warns about sums that mislead, and asks `symbolize` for names.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use regex::Regex;

use crate::analysis::series::Series;
use crate::command::console::MALLOSCOPE;
use crate::figures::words;
use crate::profile::identity::DumpName;
use crate::profile::model::{MALLOC, Measure, Profile, Seen, ValueKind};
use crate::profile::read;
use crate::profile::threads;
use crate::stacks::by_address::{self, FilePlaces};
use crate::stacks::{NamedProfile, Part, Selection};
use crate::symbolize::{Locator, fits_nothing, symbolize};
use crate::view::format::raw;

/// Profiles with names, ready to be selected from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The profiles to add, then those of the base.
    profiles: Vec<Profile>,
    /// How many of them are to be added.
    added: usize,
    /// What the user should know, one line each.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Reads and symbolizes `files`, and `base` to be subtracted from them.
    pub fn load(files: &[PathBuf], base: Option<&Path>, locator: &Locator) -> Result<Loaded> {
        Loaded::load_named(files, base, locator, &|_| Ok(()))
    }

    /// The same; `name` gives each profile the names that are to be had elsewhere, before files are asked.
    pub fn load_named(
        files: &[PathBuf],
        base: Option<&Path>,
        locator: &Locator,
        name: &dyn Fn(&mut Profile) -> Result<()>,
    ) -> Result<Loaded> {
        let mut loaded = Loaded {
            added: files.len(),
            ..Loaded::default()
        };
        if let Some(program) = &locator.program {
            be_program(program)?;
        }
        for file in files.iter().map(PathBuf::as_path).chain(base) {
            let (mut profile, warnings) = read::read(file)?;
            name(&mut profile)?;
            loaded.profiles.push(profile);
            loaded.warnings.extend(warnings);
        }
        let program = locator.program.as_deref();
        let first = loaded.profiles.first();
        let misfit = program.zip(first).and_then(|(program, profile)| {
            fits_nothing(program, &profile.mappings, profile.process.program())
        });
        // It goes before what follows from it.
        loaded.warnings.splice(0..0, misfit);
        loaded
            .warnings
            .extend(summed_twice(files, &loaded.profiles));
        loaded
            .warnings
            .extend(symbolize(&mut loaded.profiles, locator));
        Ok(loaded)
    }

    /// Shows the frames of one language alone.
    pub(super) fn see(&mut self, seen: Seen) {
        for profile in &mut self.profiles {
            profile.seen = seen;
        }
    }

    /// Leaves what threads hold of which the name matches.
    pub(super) fn keep_threads(&mut self, wanted: Option<&Regex>) -> Result<()> {
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let all = threads(self.profiles());
        self.profiles
            .iter_mut()
            .for_each(|p| p.keep_threads(wanted));
        demand_threads(wanted, self.profiles(), &all)
    }

    /// The kind of samples that `name` asks for, `None` for malloc's; an error when none of the
    /// profiles has it.
    pub fn kind(&self, name: &str) -> Result<Option<String>> {
        let has = |profile: &Profile| profile.other_kinds.contains_key(name);
        if name == MALLOC {
            Ok(None)
        } else if self.profiles().iter().any(has) {
            Ok(Some(name.to_owned()))
        } else {
            Err(no_such_kind(name, self.profiles()))
        }
    }

    /// Sums what is to be added and subtracts the base.
    pub fn select(&self, selection: &Selection) -> NamedProfile {
        let named = NamedProfile::build(&self.parts(), selection);
        MALLOSCOPE.warn(&Vec::from_iter(selection.filter.given_up()));
        named
    }

    /// The same by address.
    pub fn places(&self, selection: &Selection) -> Vec<FilePlaces> {
        by_address::by_address(&self.parts(), selection)
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let parts = self.profiles.iter().enumerate().map(|(index, profile)| {
            let sign = if index < self.added { 1.0 } else { -1.0 };
            Part { profile, sign }
        });
        parts.collect()
    }

    /// What was measured.
    pub fn measure(&self) -> Measure {
        self.profiles
            .first()
            .map_or_else(Measure::default, |profile| profile.measure)
    }

    /// The threads that the profiles tell apart, by number.
    pub fn thread_numbers(&self) -> BTreeSet<u64> {
        let samples = self.profiles().iter().flat_map(|profile| &profile.samples);
        samples
            .flat_map(|sample| &sample.threads)
            .map(|thread| thread.0)
            .collect()
    }

    /// What holds more than malloc, one line for each kind: a reader may not know of it.
    pub fn bigger_kinds(&self) -> Vec<String> {
        bigger_kinds(self.profiles())
    }

    /// Are stacks in it of which nothing is live (`prof_accum`)?
    pub fn has_all_stacks(&self) -> bool {
        let mut samples = self.profiles().iter().flat_map(|profile| &profile.samples);
        samples.any(|sample| sample.values.inuse_space == 0.0)
    }

    /// The short name of the program that ran.
    pub fn program(&self) -> &str {
        self.profiles()
            .first()
            .map_or("", |profile| profile.process.program())
    }

    /// The profiles to add, without those of the base.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles[..self.added]
    }
}

/// What holds more than malloc, one line for each kind.
pub(super) fn bigger_kinds(profiles: &[Profile]) -> Vec<String> {
    let bigger = profiles.iter().flat_map(|profile| {
        let malloc = profile.total(ValueKind::InuseSpace);
        let kinds = profile.other_kinds.keys();
        let all = kinds.map(|kind| (kind, profile.total_of(Some(kind))));
        all.filter(move |(_, bytes)| *bytes > malloc)
    });
    bigger
        .map(|(kind, bytes)| {
            let bytes = words::bytes(bytes);
            format!("{kind} holds {bytes}, more than malloc does: --kind {kind} shows it")
        })
        .collect()
}

/// Leaves what threads hold of which the name matches, in all dumps.
pub(super) fn keep_threads(series: &mut Series, wanted: Option<&Regex>) -> Result<()> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let dumps = || {
        series
            .processes
            .iter()
            .flat_map(|p| &p.dumps)
            .map(|d| &d.profile)
    };
    let all = threads(dumps());
    series.keep_threads(wanted);
    let dumps = series.processes.iter().flat_map(|p| &p.dumps);
    demand_threads(wanted, dumps.map(|d| &d.profile), &all)
}

/// The threads that profiles name.
pub(super) fn threads<'a>(profiles: impl IntoIterator<Item = &'a Profile>) -> BTreeSet<String> {
    let all = profiles.into_iter().flat_map(|profile| &profile.threads);
    all.map(|(number, name)| threads::title(*number, name))
        .collect()
}

/// An error that tells of `all` threads where nothing is left of malloc's samples.
pub(super) fn demand_threads<'a>(
    wanted: &Regex,
    left: impl IntoIterator<Item = &'a Profile>,
    all: &BTreeSet<String>,
) -> Result<()> {
    if left.into_iter().any(|profile| !profile.samples.is_empty()) {
        return Ok(());
    }
    let some: Vec<&str> = all.iter().take(20).map(String::as_str).collect();
    Err(match some.is_empty() {
        true => anyhow!(
            "no thread matches {wanted}, and none has a name here: MALLOSCOPE_CONF=prof_sys_thread_name:true \
             records them"
        ),
        false => anyhow!(
            "no thread that matches {wanted} holds anything; there are {}",
            some.join(", ")
        ),
    })
}

/// None of the profiles has samples of that kind: these are the ones that they have.
pub(super) fn no_such_kind<'a>(
    name: &str,
    profiles: impl IntoIterator<Item = &'a Profile>,
) -> anyhow::Error {
    let profiles = profiles.into_iter();
    let others = profiles.flat_map(|profile| profile.other_kinds.keys());
    let others: BTreeSet<&str> = others.map(String::as_str).collect();
    let all: Vec<&str> = [MALLOC].into_iter().chain(others).collect();
    anyhow!(
        "there are no samples of the kind {name}, only of: {}",
        all.join(", ")
    )
}

/// A program that is none is an error: its place on the command line was meant for another file.
fn be_program(program: &Path) -> Result<()> {
    let shown = program.display();
    if let Err(error) = fs::metadata(program) {
        bail!("{shown}: {error}");
    }
    if read::is_profile(program) == Some(true) {
        bail!("{shown} is a profile, not a program");
    }
    Ok(())
}

/// A dump as it came in, with the names of its frames, and what the user should know.
pub fn symbolized(
    file: &Path,
    locator: &Locator,
    name: &dyn Fn(&mut Profile) -> Result<()>,
) -> Result<(Vec<u8>, Vec<String>)> {
    let whole = read::read_whole(file)?;
    let Some(dump) = whole.text else {
        bail!("{}: jeprof has no format for what is in it", file.display());
    };
    let mut warnings = whole.warnings;
    let mut profiles = [whole.profile];
    name(&mut profiles[0])?;
    warnings.extend(symbolize(&mut profiles, locator));
    let program = locator.program.as_ref().map(|p| p.display().to_string());
    let mut out = Vec::new();
    raw::write(&profiles[0], &dump, &program.unwrap_or_default(), &mut out)?;
    Ok((out, warnings))
}

/// Dumps of one process are states of the same heap: their sum counts what lived through both
/// twice. `jeprof` adds them in silence.
fn summed_twice(files: &[PathBuf], profiles: &[Profile]) -> Option<String> {
    let mut dumps: HashMap<String, usize> = HashMap::new();
    for (file, profile) in files.iter().zip(profiles) {
        if let Some(process) = process(file, profile) {
            *dumps.entry(process).or_default() += 1;
        }
    }
    let (process, count) = dumps.into_iter().filter(|d| d.1 > 1).max()?;
    Some(format!(
        "{count} of these profiles are dumps of one process ({process}): their sum counts what \
         is live in several of them several times; give the last one alone, or --base"
    ))
}

/// What tells processes apart: the recorded facts, else the name of the dump.
fn process(file: &Path, profile: &Profile) -> Option<String> {
    let fact = |key| profile.process.get(key);
    if let Some(pid) = fact("pid") {
        let parts = [fact("host"), fact("start_unix_ms")].into_iter().flatten();
        return Some(parts.fold(format!("pid {pid}"), |all, part| format!("{all}, {part}")));
    }
    let name = DumpName::of(file)?;
    Some(format!("{}.{}", name.prefix, name.pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::ProcessFacts;

    fn named(names: &[&str]) -> Option<String> {
        let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        summed_twice(&files, &vec![Profile::default(); files.len()])
    }

    #[test]
    fn dumps_of_one_process_are_known_by_their_names() {
        let warning = named(&["d/jeprof.12.0.i0.heap", "d/jeprof.12.10.f.heap.gz"]).unwrap();
        assert!(warning.starts_with("2 of these profiles are dumps of one process (jeprof.12)"));
        assert_eq!(named(&["jeprof.12.0.f.heap", "jeprof.13.0.f.heap"]), None);
        assert_eq!(named(&["a.heap", "a.heap"]), None);
        assert_eq!(named(&["x.1.2.backup.heap", "x.1.3.backup.heap"]), None);
    }

    #[test]
    fn facts_go_before_names() {
        let profile = |start: &str| Profile {
            process: ProcessFacts {
                entries: vec![
                    ("pid".into(), "1".into()),
                    ("start_unix_ms".into(), start.into()),
                ],
                epochs: None,
            },
            ..Profile::default()
        };
        let files = [PathBuf::from("x.1.0.f.heap"), PathBuf::from("x.1.1.f.heap")];
        assert!(summed_twice(&files, &[profile("5"), profile("5")]).is_some());
        assert_eq!(summed_twice(&files, &[profile("5"), profile("6")]), None);
    }
}

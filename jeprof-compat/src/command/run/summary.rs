//! What is said when the program has ended, beside the answer: the dumps, and the biggest call sites.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Plan, printable, say, shown, write};
use crate::command::load::Loaded;
use crate::figures::amount::{amount, percent};
use crate::figures::units::Unit;
use crate::profile::identity::DumpName;
use crate::profile::model::{Profile, ValueKind};
use crate::profile::read;
use crate::stacks::Selection;
use crate::stacks::call_sites::{self, CallSite};
use crate::symbolize::Locator;

/// How many call sites are named.
const SITES: usize = 5;

/// What a process holds less of, compared with the one that holds most, it is not counted for.
const HELPER: f64 = 0.01;

/// Seconds between the last dump and the end that are worth a word.
const STALE: u64 = 3;

/// Dumps of a prefix that are there now, by name.
pub(super) fn dumps(prefix: &Path) -> BTreeSet<PathBuf> {
    let (Some(directory), Some(stem)) = (prefix.parent(), prefix.file_name()) else {
        return BTreeSet::new();
    };
    let stem = format!("{}.", stem.to_string_lossy());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_dump = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&stem) && name.ends_with(".heap")
    };
    entries.map(|entry| entry.path()).filter(is_dump).collect()
}

/// What the newest dump holds of those that were not there `before`.
pub(super) fn last(prefix: &Path, before: &BTreeSet<PathBuf>) -> Option<Profile> {
    let written = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let new = dumps(prefix)
        .into_iter()
        .filter(|path| !before.contains(path));
    let newest = new.max_by_key(|path| written(path))?;
    Some(read::read(&newest).ok()?.0)
}

/// Tells about the dumps that were not there `before`, of a program that ended at `end`; the answer is the one
/// that holds most.
pub(super) fn print(plan: &Plan, before: &BTreeSet<PathBuf>, end: SystemTime) -> Option<Held> {
    let prefix = &plan.configuration.prefix;
    let new: Vec<PathBuf> = dumps(prefix).difference(before).cloned().collect();
    let mut states: Vec<Held> = new.iter().filter_map(|path| Held::read(path)).collect();
    states.sort_by(|a, b| a.order.cmp(&b.order));
    // Of equals the last one: it has seen more.
    let most = |(_, a): &(usize, &Held), (_, b): &(usize, &Held)| a.live.total_cmp(&b.live);
    let Some((at, fullest)) = states.iter().enumerate().max_by(most) else {
        say(&format_args!(
            "{} dumps, none of which can be read",
            new.len()
        ));
        return None;
    };
    say(&headline(&new, &states, fullest));
    let last = states.iter().rfind(|s| s.process == fullest.process);
    if let Some(line) = last.and_then(|last| staleness(last.age(end)?)) {
        say(&line);
    }
    Some(states.swap_remove(at))
}

/// `12 dumps; the most is live in malloscope.8.11.f.heap: 393.4 MB`.
fn headline(new: &[PathBuf], states: &[Held], fullest: &Held) -> String {
    let dumps = match new.len() {
        1 => "1 dump".to_owned(),
        count => format!("{count} dumps"),
    };
    // Shells and other short helpers hold next to nothing, and are many.
    let tells = |s: &&Held| s.live >= HELPER * fullest.live;
    let processes: BTreeSet<&str> = states
        .iter()
        .filter(tells)
        .map(|s| s.process.as_str())
        .collect();
    let of = match processes.len() {
        0 | 1 => String::new(),
        count => format!(" of {count} processes"),
    };
    let live = amount(fullest.live, Unit::Megabytes);
    let mut line = format!(
        "{dumps}{of}; the most is live in {}: {live}",
        shown(&fullest.path).display()
    );
    let last = states.iter().rfind(|s| s.process == fullest.process);
    if let Some(last) = last
        && last.path != fullest.path
    {
        let live = amount(last.live, Unit::Megabytes);
        let name = last.path.file_name().unwrap_or_default();
        line += &format!(" (in the last one, {}: {live})", name.display());
    }
    line
}

/// What a program that was killed did after its last dump, nobody knows.
fn staleness(age: Duration) -> Option<String> {
    let seconds = age.as_secs();
    (seconds >= STALE).then(|| {
        format!(
            "the last dump is {seconds} s older than the end of the program: what came after it is not \
             known; --every makes that less"
        )
    })
}

/// The biggest call sites of a kind of samples, malloc's without one.
pub(super) fn print_sites(dump: &Held, kind: Option<&str>, locator: &Locator) {
    let loaded = match Loaded::load(std::slice::from_ref(&dump.path), None, locator) {
        Ok(loaded) => loaded,
        Err(error) => return say(&format_args!("{error:#}")),
    };
    // The dump that holds most of malloc may be older than the first sample of another kind.
    let kind = kind.filter(|kind| loaded.kind(kind).is_ok());
    let profile = loaded.select(&Selection {
        kind: kind.map(str::to_owned),
        ..Selection::default()
    });
    let sites = call_sites::biggest(&profile, SITES);
    if sites.is_empty() {
        say(&"nothing was live");
        return;
    }
    match kind {
        Some(kind) => say(&format_args!("biggest call sites of {kind}:")),
        None => say(&"biggest call sites:"),
    }
    for site in &sites {
        write(&format_args!("  {}", row(site, profile.total)));
    }
    let hints = loaded
        .profiles()
        .iter()
        .filter_map(|p| p.process.get("hint"));
    hints.for_each(|hint| say(&printable(hint)));
    let picture = dump.path.with_extension("svg");
    let of_kind = kind.map_or_else(String::new, |kind| format!(" --kind {kind}"));
    say(&format_args!(
        "call graph: malloscope graph {}{of_kind} -o {}",
        quoted(shown(&dump.path)),
        quoted(shown(&picture)),
    ));
}

/// `  384.3 MB  97.7%  deflateInit2_ (libz.so.1.2.13), called by Java_java_util_zip_Deflater_init`.
fn row(site: &CallSite, total: f64) -> String {
    let mut text = format!(
        "{:>9} {:>6}  {}",
        amount(site.value, Unit::Megabytes),
        percent(site.value, total),
        printable(&site.frame.name)
    );
    let place = match (&site.frame.file, site.frame.line) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (Some(file), None) => Some(file.clone()),
        (None, _) => site.frame.module.clone(),
    };
    if let Some(place) = place {
        text += &format!(" ({})", printable(&place));
    }
    if let Some(caller) = &site.caller {
        text += &format!(", called by {}", printable(&caller.name));
    }
    text
}

/// For a POSIX shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a dump holds.
pub(super) struct Held {
    path: PathBuf,
    /// The part of its name that tells processes apart.
    pub(super) process: String,
    /// Sorts the dumps of a process by time.
    pub(super) order: (String, u64),
    pub(super) live: f64,
}

impl Held {
    /// How long before `end` it was written.
    fn age(&self, end: SystemTime) -> Option<Duration> {
        let written = fs::metadata(&self.path).and_then(|data| data.modified());
        end.duration_since(written.ok()?).ok()
    }

    /// Nothing when it cannot be read: the next one may do.
    pub(super) fn read(path: &Path) -> Option<Held> {
        let (profile, _) = read::read(path).ok()?;
        let live = profile.total(ValueKind::InuseSpace);
        let (process, sequence) = identity(path);
        Some(Held {
            path: path.to_owned(),
            order: (process.clone(), sequence),
            process,
            live,
        })
    }
}

/// The process that wrote it, as its dumps are named, and the running number.
fn identity(path: &Path) -> (String, u64) {
    DumpName::of(path).map_or_else(Default::default, |name| {
        (format!("{}.{}", name.prefix, name.pid), name.sequence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::naming::Frame;

    fn state(name: &str, live: f64) -> Held {
        let (process, sequence) = identity(Path::new(name));
        Held {
            path: name.into(),
            order: (process.clone(), sequence),
            process,
            live,
        }
    }

    #[test]
    fn dumps_are_known_by_process_and_number() {
        let of = |name: &str| identity(Path::new(name));
        assert_eq!(
            of("/d/malloscope.12.10.i7.heap"),
            ("malloscope.12".into(), 10)
        );
        assert_eq!(
            of("malloscope.4026.12.3.f.heap"),
            ("malloscope.4026.12".into(), 3)
        );
    }

    #[test]
    fn the_headline_says_when_the_last_dump_is_not_the_fullest() {
        let mb = 1_048_576.0;
        let states = [state("m.1.2.i2.heap", 5.0 * mb), state("m.1.10.f.heap", mb)];
        let paths: Vec<PathBuf> = states.iter().map(|s| s.path.clone()).collect();
        assert_eq!(
            headline(&paths, &states, &states[0]),
            "2 dumps; the most is live in m.1.2.i2.heap: 5.0 MB \
             (in the last one, m.1.10.f.heap: 1.0 MB)"
        );
        assert_eq!(
            headline(&paths[1..], &states[1..], &states[1]),
            "1 dump; the most is live in m.1.10.f.heap: 1.0 MB"
        );
    }

    #[test]
    fn a_dump_that_is_old_is_said_to_be() {
        assert_eq!(staleness(Duration::from_millis(2900)), None);
        let line = staleness(Duration::from_secs(37)).expect("a line");
        assert!(line.starts_with("the last dump is 37 s older than the end"));
    }

    #[test]
    fn a_row_names_place_and_caller() {
        let frame = |name: &str| Frame {
            name: name.to_owned(),
            ..Frame::default()
        };
        let mut site = CallSite {
            frame: Frame {
                module: Some("libz.so.1".into()),
                ..frame("deflateInit2_\u{1b}[31m")
            },
            caller: Some(frame("Deflater.init")),
            value: 2.0 * 1_048_576.0,
        };
        let row_of = |site: &CallSite| row(site, 4.0 * 1_048_576.0);
        assert_eq!(
            row_of(&site),
            "   2.0 MB  50.0%  deflateInit2_\u{fffd}[31m (libz.so.1), called by Deflater.init"
        );
        site.frame.file = Some("deflate.c".into());
        site.frame.line = Some(12);
        site.caller = None;
        assert!(row_of(&site).ends_with("(deflate.c:12)"));
    }

    #[test]
    fn what_is_to_be_typed_survives_the_shell() {
        assert_eq!(quoted(Path::new("/usr/bin/java")), "/usr/bin/java");
        assert_eq!(quoted(Path::new("a b")), "'a b'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }
}

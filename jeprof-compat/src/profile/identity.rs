//! To which process a dump belongs, and when it was written.
//!
//! Our own dumps say so. For others the name says it, `<prefix>.<pid>.<seq>.<letter><n>.heap`,
//! and the time is that of the file. A process that forked and its children share the start; a
//! restarted container shares the pid, and what tells it from the one before is where the kernel put the
//! vdso: every start of a program has it elsewhere. The start tells that less well, as it is reckoned back
//! from the clock of the wall, which may be set while the process runs.

use std::cmp::Ordering;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::figures::date;
use crate::profile::model::Profile;

/// The start is reckoned back from two clocks at each dump, and the wall clock may be corrected.
const SAME_START: f64 = 5.0;

/// What two reckonings of one start differ by where nobody sets the clock.
const EXACT: f64 = 0.5;

/// The process that wrote a dump, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Host and prefix, where known.
    place: String,
    pid: u64,
    /// Seconds since 1970, 0 when not known.
    start: f64,
    /// Running number in the name.
    sequence: u64,
    /// Where the vdso is, 0 when not known.
    home: u64,
    /// Seconds since the start, or since 1970 without one.
    pub at: f64,
    /// Whether the start is known.
    pub knows_start: bool,
}

impl Identity {
    /// From what the dump says, else from its name.
    pub fn of(path: &Path, profile: &Profile) -> Identity {
        let fact = |key: &str| profile.process.get(key);
        let number = |key: &str| fact(key).and_then(|text| text.parse::<f64>().ok());
        let name = DumpName::of(path);
        let sequence = name.as_ref().map_or(0, |name| name.sequence);
        if let (Some(pid), Some(uptime)) = (number("pid"), number("uptime_ms")) {
            return Identity {
                place: fact("host").unwrap_or_default().to_owned(),
                pid: pid as u64,
                start: number("start_unix_ms").unwrap_or(0.0) / 1000.0,
                sequence,
                home: home(profile),
                at: uptime / 1000.0,
                knows_start: true,
            };
        }
        let whole = || {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let written = path.metadata().and_then(|m| m.modified()).ok();
        let since = written.and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Identity {
            pid: name.as_ref().map_or(0, |name| name.pid),
            place: name.map_or_else(whole, |name| name.prefix),
            start: 0.0,
            sequence,
            home: 0,
            at: since.map_or(0.0, |d| d.as_secs_f64()),
            knows_start: false,
        }
    }

    /// Dumps of one process stand together; those without a start are in the order of time.
    pub fn order(&self, other: &Identity) -> Ordering {
        let process = self.place.cmp(&other.place).then(self.pid.cmp(&other.pid));
        process
            .then(self.home.cmp(&other.home))
            .then(self.start.total_cmp(&other.start))
            .then(self.at.total_cmp(&other.at))
            .then(self.sequence.cmp(&other.sequence))
    }

    /// True for two dumps of one process.
    pub fn is_same_process(&self, other: &Identity) -> bool {
        if self.place != other.place || self.pid != other.pid || self.home != other.home {
            return false;
        }
        let apart = (self.start - other.start).abs();
        // Where the kernel puts nothing anywhere else, a process that was started again begins anew to count
        // its seconds, and goes on to count its dumps.
        match self.sequence.cmp(&other.sequence) {
            Ordering::Equal => apart < SAME_START,
            order if order != self.at.total_cmp(&other.at) => apart < EXACT,
            _ => self.home != 0 || apart < SAME_START,
        }
    }

    /// True for dumps of a process and its fork child, or of two of its children, if they also have
    /// one address space: they share the start.
    pub fn is_relative(&self, other: &Identity) -> bool {
        let known = self.knows_start && other.knows_start && self.start > 0.0;
        known
            && self.place == other.place
            && self.pid != other.pid
            && (self.start - other.start).abs() < SAME_START
    }

    /// When it was started, as people write it; nothing where that is not known.
    pub fn started(&self) -> Option<String> {
        (self.start > 0.0).then(|| date::date(self.start as i64))
    }

    /// In words, without the host where that is nobody's business.
    pub fn called(&self, redact: bool) -> String {
        match redact && self.pid != 0 {
            true => format!("pid {}", self.pid),
            false => self.name(),
        }
    }

    /// In words.
    pub fn name(&self) -> String {
        match (self.pid, self.place.is_empty()) {
            (0, _) => self.place.clone(),
            (pid, true) => format!("pid {pid}"),
            (pid, false) => format!("pid {pid} ({})", self.place),
        }
    }
}

/// Where the kernel put the vdso.
fn home(profile: &Profile) -> u64 {
    let mut mappings = profile.mappings.iter();
    let vdso = mappings.find(|mapping| mapping.path == "[vdso]");
    vdso.map_or(0, |vdso| vdso.start)
}

/// What the name of a dump says, `<prefix>.<pid>.<seq>.<letter><n>.heap`, as jemalloc has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpName {
    /// The directory is left out.
    pub prefix: String,
    /// Of the process.
    pub pid: u64,
    /// Running number.
    pub sequence: u64,
}

impl DumpName {
    /// Of a dump's path, packed or not; nothing when it has another name.
    pub fn of(path: &Path) -> Option<DumpName> {
        let name = path.file_name()?.to_string_lossy();
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let mut parts = stem.strip_suffix(".heap")?.rsplitn(4, '.');
        let trigger = parts.next()?.strip_prefix(char::is_alphabetic)?;
        let is_counted = trigger.bytes().all(|b| b.is_ascii_digit());
        let (sequence, pid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let prefix = parts.next()?.to_owned();
        is_counted.then_some(DumpName {
            prefix,
            pid,
            sequence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::ProcessFacts;

    fn of(name: &str, facts: &[(&str, &str)]) -> Identity {
        let entries = facts
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let process = ProcessFacts {
            entries,
            epochs: None,
        };
        Identity::of(
            Path::new(name),
            &Profile {
                process,
                ..Profile::default()
            },
        )
    }

    #[test]
    fn names_tell_where_facts_do_not() {
        let (a, b) = (
            of("d/jeprof.12.3.i3.heap", &[]),
            of("jeprof.12.10.f.heap.gz", &[]),
        );
        assert!(a.is_same_process(&b) && a.order(&b) == Ordering::Less);
        assert_eq!(a.name(), "pid 12 (jeprof)");
        assert!(!a.is_same_process(&of("jeprof.13.3.i3.heap", &[])));
        for other in ["saved.heap", "x.1.2.backup.heap", "x.1.2.i3.heap.old"] {
            assert_eq!(of(other, &[]).name(), other);
        }
    }

    /// Three dumps a second apart of a process that was started at `start`; the first has this number.
    fn life(start: u64, home: u64, first: u64) -> Vec<Identity> {
        let dump = |n: u64| {
            let facts = [
                ("pid", "1".to_owned()),
                ("start_unix_ms", start.to_string()),
                ("uptime_ms", (1000 * (n + 1)).to_string()),
            ];
            let facts = facts.iter().map(|(k, v)| (*k, v.as_str()));
            let facts: Vec<(&str, &str)> = facts.collect();
            let name = format!("m.1.{}.t0.heap", first + n);
            Identity {
                home,
                ..of(&name, &facts)
            }
        };
        (0..3).map(dump).collect()
    }

    #[test]
    fn a_crash_loop_is_many_processes() {
        let (first, second) = (life(1_000_000, 7, 0), life(1_003_200, 9, 3));
        let is_one = |a: &[Identity], b: &[Identity]| {
            a.iter().any(|a| b.iter().any(|b| a.is_same_process(b)))
        };
        assert!(is_one(&first[..1], &first[1..]));
        assert!(!is_one(&first, &second), "each start has its own vdso");
        let unmoved = life(1_003_200, 7, 3);
        assert!(!is_one(&first, &unmoved), "but where that is switched off");
    }

    #[test]
    fn a_clock_that_is_set_does_not_split_a_process() {
        let before = life(1_000_000, 7, 0);
        let after: Vec<Identity> = life(9_000_000, 7, 3)
            .into_iter()
            .map(|dump| Identity {
                at: dump.at + 3.0,
                ..dump
            })
            .collect();
        assert!(before[2].is_same_process(&after[0]) && before[0].is_same_process(&after[2]));
    }

    #[test]
    fn a_restart_is_another_process_and_a_corrected_clock_is_not() {
        let dump = |start: &str, uptime: &str| {
            of(
                "m.1.0.i0.heap",
                &[
                    ("pid", "1"),
                    ("start_unix_ms", start),
                    ("uptime_ms", uptime),
                ],
            )
        };
        let first = dump("1000000", "5000");
        assert!(first.is_same_process(&dump("1000900", "4000")));
        assert!(!first.is_same_process(&dump("2000000", "5000")));
        assert_eq!((first.at, first.name().as_str()), (5.0, "pid 1"));
    }
}

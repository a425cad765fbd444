//! How the program is doing while it runs: for how long, what is live in its dumps, how much memory it
//! has. Reads `/proc` and the dumps, writes to stderr.
//!
//! On a terminal of ours it is one line that is written over each second, elsewhere a line a dump
//! interval. It never waits for the program and never fails: what cannot be read is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::family;
use super::summary::{self, Held};
use crate::figures::amount::amount;
use crate::figures::units::Unit;
use crate::figures::words;

/// How often the line on a terminal is written.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// What is known of a program that runs.
pub(super) struct Progress<'a> {
    prefix: &'a Path,
    pid: u32,
    start: Instant,
    /// Between two plain lines.
    interval: Duration,
    last: Instant,
    /// Dumps that were read or are of an earlier run.
    seen: BTreeSet<PathBuf>,
    dumps: usize,
    /// What is live in the last dump of each process.
    live: BTreeMap<String, f64>,
    shown: bool,
}

impl<'a> Progress<'a> {
    /// Of process `pid`; its dumps begin with `prefix` and are not in `before`.
    pub(super) fn new(
        prefix: &'a Path,
        before: &BTreeSet<PathBuf>,
        pid: u32,
        interval: Duration,
    ) -> Progress<'a> {
        Progress {
            prefix,
            pid,
            start: Instant::now(),
            interval,
            last: Instant::now(),
            seen: before.clone(),
            dumps: 0,
            live: BTreeMap::new(),
            shown: false,
        }
    }

    /// Says how things are, when it is time to.
    pub(super) fn beat(&mut self) {
        let on_terminal = io::stderr().is_terminal() && in_foreground();
        let due = self.last.elapsed() >= self.interval;
        if !on_terminal && !due {
            return;
        }
        self.last = Instant::now();
        self.read_dumps();
        let line = self.line(resident(self.pid));
        if on_terminal {
            self.shown = true;
            let dim = anstyle::Style::new().dimmed();
            to_stderr(&format!("\r\x1b[K{dim}{line}{dim:#}"));
        } else {
            super::write(&line);
        }
    }

    /// Takes the line off the terminal.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            to_stderr("\r\x1b[K");
        }
    }

    fn read_dumps(&mut self) {
        let now = summary::dumps(self.prefix);
        let new: Vec<PathBuf> = now.difference(&self.seen).cloned().collect();
        let mut states: Vec<Held> = new.iter().filter_map(|path| Held::read(path)).collect();
        states.sort_by(|a, b| a.order.cmp(&b.order));
        for state in states {
            self.live.insert(state.process, state.live);
        }
        self.dumps += new.len();
        self.seen.extend(new);
    }

    /// What is live in the processes that still run, and their number; in all, where none of them
    /// can be seen from here.
    fn live_now(&self) -> (f64, usize) {
        let runs = |process: &str| {
            let pid = process.rsplit('.').next().unwrap_or_default();
            Path::new("/proc").join(pid).join("statm").exists()
        };
        let alive = self.live.iter().filter(|(process, _)| runs(process));
        let alive: Vec<f64> = alive.map(|(_, live)| *live).collect();
        if alive.is_empty() {
            return (self.live.values().sum(), self.live.len());
        }
        (alive.iter().sum(), alive.len())
    }

    /// `malloscope: 2m05s; live 12.3 MB in the last dump of 5; RSS 45.1 MB`.
    fn line(&self, resident: Option<u64>) -> String {
        let mut line = format!(
            "malloscope: {}",
            words::stopwatch(self.start.elapsed().as_secs())
        );
        let (live, processes) = self.live_now();
        let live = amount(live, Unit::Megabytes);
        line += &match (self.dumps, processes) {
            (0, _) => "; no dump yet".to_owned(),
            (1, _) => format!("; live {live} in the first dump"),
            (dumps, 1) => format!("; live {live} in the last dump of {dumps}"),
            (dumps, of) => format!("; live {live} in the last of {dumps} dumps of {of} processes"),
        };
        if let Some(bytes) = resident {
            line += &format!("; RSS {}", amount(bytes as f64, Unit::Megabytes));
        }
        line
    }
}

/// Takes the line of a run off the terminal before another is written.
pub(super) fn clear() {
    if io::stderr().is_terminal() {
        to_stderr("\r\x1b[K");
    }
}

/// True when a terminal sends its signals to us and so to the program too.
pub(super) fn in_foreground() -> bool {
    let group = rustix::termios::tcgetpgrp(io::stderr())
        .or_else(|_| rustix::termios::tcgetpgrp(io::stdin()));
    group.is_ok_and(|group| group == rustix::process::getpgrp())
}

/// As in `super::write`, nobody has to be there to read it.
fn to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Bytes in memory of a process and of those that it started.
fn resident(pid: u32) -> Option<u64> {
    let all = family::of(pid).into_iter().filter_map(resident_alone);
    all.reduce(|sum, bytes| sum + bytes)
}

fn resident_alone(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    // A process that has ended has none.
    (pages != 0).then(|| pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        let mut progress = Progress::new(
            Path::new("/nowhere/malloscope"),
            &BTreeSet::new(),
            std::process::id(),
            BEAT,
        );
        assert_eq!(progress.line(None), "malloscope: 0s; no dump yet");
        // No process has such a number.
        progress
            .live
            .insert("malloscope.99999991".into(), 2_097_152.0);
        progress.dumps = 3;
        assert_eq!(
            progress.line(Some(1_048_576)),
            "malloscope: 0s; live 2.0 MB in the last dump of 3; RSS 1.0 MB"
        );
        let other = "malloscope.99999992".to_owned();
        progress.live.insert(other, 1_048_576.0);
        let both = "; live 3.0 MB in the last of 3 dumps of 2 processes";
        assert!(progress.line(None).ends_with(both));
        let own = format!("malloscope.{}", std::process::id());
        progress.live.insert(own, 3_145_728.0);
        let alone = "; live 3.0 MB in the last dump of 3";
        assert!(progress.line(None).ends_with(alone));
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [5, 65, 7265].map(words::stopwatch),
            ["5s".to_owned(), "1m05s".to_owned(), "2h01m".to_owned()]
        );
    }

    #[test]
    fn memory_is_that_of_the_whole_family() {
        let own = resident_alone(std::process::id()).expect("our own");
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep starts");
        assert!(family::of(std::process::id()).contains(&child.id()));
        assert!(resident(std::process::id()).is_some_and(|all| all > own / 2));
        child.kill().expect("it is there");
        child.wait().expect("it ends");
        assert_eq!(resident(u32::MAX), None);
    }
}

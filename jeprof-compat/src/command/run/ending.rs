//! How the program ended, in a sentence: what a person asks first. Reads the cgroup's own counters, and the
//! last dump.
//!
//! A program that the kernel kills for its memory says nothing itself. The kernel counts such kills for each
//! cgroup (`oom_kill` in `memory.events`, of the first version in `memory.oom_control`); where nothing is
//! counted a SIGKILL of a program whose last dump shows it at its limit is most likely one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::figures::{quantity, words};
use crate::profile::model::Profile;
use crate::report::End;

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// Share of a limit from which on a program is at it.
const AT_LIMIT: f64 = 0.9;

/// SIGKILL.
const KILL: i32 = 9;

/// Kills in the cgroups of a program, by directory: as many as there were when it was first seen there. The
/// first version of cgroups forgets where a process was that has ended.
#[derive(Default)]
pub(super) struct Kills(BTreeMap<PathBuf, u64>);

impl Kills {
    /// Looks where a process is now.
    pub(super) fn look(&mut self, pid: u32) {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        for directory in groups.lines().filter_map(directory) {
            if let Some(kills) = kills(&directory) {
                self.0.entry(directory).or_insert(kills);
            }
        }
    }

    /// The cgroup in which there were more meanwhile; of several the innermost.
    pub(super) fn more(&self) -> Option<PathBuf> {
        let has_more =
            |(dir, before): &(&PathBuf, &u64)| kills(dir).is_some_and(|now| now > **before);
        let groups = self.0.iter().filter(has_more).map(|(dir, _)| dir);
        groups.max_by_key(|dir| dir.components().count()).cloned()
    }
}

/// The directory of a line of `/proc/PID/cgroup`, of the controller of memory or of the second version.
fn directory(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.trim_start_matches('/').trim_end_matches(" (deleted)");
    let root = Path::new(ROOT);
    let mount = match controllers {
        "" => root.to_owned(),
        "memory" => root.join("memory"),
        _ => return None,
    };
    // In a container the path may be that of the host, and the mount its own.
    [mount.join(path), mount]
        .into_iter()
        .find(|dir| kills(dir).is_some())
}

fn kills(directory: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    let text = read("memory.events").or_else(|| read("memory.oom_control"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

fn bytes(directory: &Path, names: [&str; 2]) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    let text = names.into_iter().find_map(read)?;
    text.trim().parse().ok()
}

/// What is known of an end.
pub(super) struct Ending<'a> {
    pub(super) status: ExitStatus,
    pub(super) after: Duration,
    /// The cgroup in which the kernel killed for memory.
    pub(super) out_of_memory: Option<&'a Path>,
    /// The command, the program first.
    pub(super) command: &'a [String],
    /// The last dump.
    pub(super) last: Option<&'a Profile>,
}

impl Ending<'_> {
    /// In a sentence and in a word; nothing where it ended well.
    pub(super) fn told(&self) -> Option<End> {
        let sentence = self.sentence()?;
        let of_memory =
            sentence.contains("the OOM killer") || sentence.contains("OutOfMemoryError");
        let label = match (of_memory, self.signal(), self.status.code()) {
            (true, ..) => "OOM".to_owned(),
            (_, Some(signal), _) => name(signal),
            (.., Some(code)) => format!("exit {code}"),
            _ => "end".to_owned(),
        };
        Some(End {
            sentence,
            label,
            of_memory,
        })
    }

    /// In a sentence; nothing where it ended well.
    fn sentence(&self) -> Option<String> {
        let signal = self.signal();
        if signal == Some(KILL) {
            return Some(self.killed());
        }
        let after = words::duration(self.after.as_secs_f64());
        if let Some(full) = self.full_java_heap() {
            return Some(full);
        }
        match (signal, self.status.code()) {
            (Some(signal), _) => Some(format!("It was ended by {} after {after}.", name(signal))),
            (None, Some(code @ 1..)) => {
                Some(format!("It ended with exit code {code} after {after}."))
            }
            _ => None,
        }
    }

    /// The signal that ended it, by a shell's account too.
    fn signal(&self) -> Option<i32> {
        let of_shell = self.status.code().filter(|code| (129..160).contains(code));
        self.status.signal().or(of_shell.map(|code| code - 128))
    }

    fn killed(&self) -> String {
        let after = words::duration(self.after.as_secs_f64());
        if let Some(group) = self.out_of_memory {
            let limit = bytes(group, ["memory.max", "memory.limit_in_bytes"]);
            let used = bytes(group, ["memory.peak", "memory.max_usage_in_bytes"]);
            let at = match (used, limit) {
                // A limit of the first version that is none is as large as a number can be.
                (Some(used), Some(limit)) if limit < 1e15 => {
                    format!(", at {} of {}", words::bytes(used), words::bytes(limit))
                }
                _ => String::new(),
            };
            return format!("It was killed by the OOM killer after {after}{at}.");
        }
        let fact = |key: &str| self.last?.process.get(key)?.parse::<f64>().ok();
        match (fact("rss_bytes"), fact("cgroup_limit_bytes")) {
            (Some(rss), Some(limit)) if rss >= AT_LIMIT * limit => format!(
                "It was killed by SIGKILL after {after}, most likely by the OOM killer: {} of {} were resident \
                 in the last dump.",
                words::bytes(rss),
                words::bytes(limit)
            ),
            _ => format!("It was killed by SIGKILL after {after}."),
        }
    }

    /// A JVM that failed with its heap full.
    fn full_java_heap(&self) -> Option<String> {
        let is_java = Path::new(self.command.first()?).file_name()? == "java";
        if self.status.success() || !is_java {
            return None;
        }
        let option = self
            .command
            .iter()
            .rev()
            .find_map(|arg| arg.strip_prefix("-Xmx"))?;
        let most = quantity::bytes(option).ok()? as f64;
        let fact = |key: &str| self.last?.process.get(key)?.parse::<f64>().ok();
        let used = fact("rss_java_heap_bytes")? + fact("rss_java_heap_shared_bytes").unwrap_or(0.0);
        (used >= AT_LIMIT * most).then(|| {
            format!(
                "It failed after {} with its Java heap full, {} of {} (-Xmx): java.lang.OutOfMemoryError, most \
                 likely.",
                words::duration(self.after.as_secs_f64()),
                words::bytes(used),
                words::bytes(most)
            )
        })
    }
}

/// `SIGSEGV`.
fn name(signal: i32) -> String {
    let known = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(raw: i32, command: &[&str], facts: &[(&str, f64)]) -> Option<String> {
        let mut last = Profile::default();
        let facts = facts.iter().map(|(k, v)| ((*k).to_owned(), v.to_string()));
        last.process.entries = facts.collect();
        let command: Vec<String> = command.iter().map(|s| (*s).to_owned()).collect();
        let ending = Ending {
            status: ExitStatus::from_raw(raw),
            after: Duration::from_millis(1000),
            out_of_memory: None,
            command: &command,
            last: Some(&last),
        };
        ending.sentence()
    }

    #[test]
    fn each_end_has_its_sentence() {
        let said = |raw: i32| ending(raw, &["app"], &[]).unwrap_or_default();
        assert_eq!(said(0), "");
        assert_eq!(said(1 << 8), "It ended with exit code 1 after 1 s.");
        assert_eq!(said(11), "It was ended by SIGSEGV after 1 s.");
        assert_eq!(said(143 << 8), "It was ended by SIGTERM after 1 s.");
        assert_eq!(said(9), "It was killed by SIGKILL after 1 s.");
    }

    #[test]
    fn a_kill_at_the_limit_is_most_likely_the_oom_killers() {
        let mb = 1_048_576.0;
        let facts = [
            ("rss_bytes", 690.0 * mb),
            ("cgroup_limit_bytes", 700.0 * mb),
        ];
        let said = ending(9, &["app"], &facts).expect("a sentence");
        assert!(
            said.contains("most likely by the OOM killer: 690 MB of 700 MB"),
            "{said}"
        );
    }

    #[test]
    fn a_full_java_heap_is_told() {
        let mb = 1_048_576.0;
        let facts = [("rss_java_heap_bytes", 63.0 * mb)];
        let java = ["/usr/bin/java", "-Xmx64m", "App"];
        let said = ending(1 << 8, &java, &facts).expect("a sentence");
        assert!(
            said.contains("63.0 MB of 64.0 MB (-Xmx): java.lang.OutOfMemoryError"),
            "{said}"
        );
        let roomy = ending(1 << 8, &["java", "-Xmx640m"], &facts).expect("a sentence");
        assert_eq!(roomy, "It ended with exit code 1 after 1 s.");
    }

    #[test]
    fn lines_of_other_controllers_are_passed_over() {
        assert_eq!(directory("7:pids:/x"), None);
        assert_eq!(directory("nonsense"), None);
    }
}

//! Whether dumps can be written: directory, space, limits, kernel. Pure but for `Place::of` and
//! `Limits::of_this_process`.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use rustix::process::{Resource, getrlimit, getuid};

use crate::command::doctor::finding::Finding;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Room for the dumps of a long run.
const ENOUGH: u64 = 64 * MIB;
/// Not room for one.
const TOO_LITTLE: u64 = MIB;

/// Where the dumps go.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    is_directory: bool,
    writable: bool,
    read_only: bool,
    free: Option<u64>,
}

impl Place {
    /// The directory of `prefix`, or, when it is not there yet, the one it will be made in.
    pub(crate) fn of(prefix: &Path) -> Place {
        let there = prefix.ancestors().skip(1).find(|path| path.exists());
        let directory = there.unwrap_or(Path::new(".")).to_owned();
        let fs = statvfs(&directory).ok();
        Place {
            writable: access(&directory, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
            read_only: fs
                .as_ref()
                .is_some_and(|fs| fs.f_flag.contains(StatVfsMountFlags::RDONLY)),
            // Some file systems do not count.
            free: fs
                .filter(|fs| fs.f_blocks > 0)
                .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)),
            is_directory: directory.is_dir(),
            directory,
        }
    }

    pub(crate) fn finding(&self) -> Finding {
        const ABOUT: &str = "dumps";
        let shown = self.directory.display();
        let why = match self {
            Place {
                is_directory: false,
                ..
            } => Some("is no directory"),
            Place {
                read_only: true, ..
            } => Some("is mounted read-only"),
            Place {
                writable: false, ..
            } => Some("cannot be written to"),
            _ => None,
        };
        if let Some(why) = why {
            return Finding::problem(ABOUT, format!("{shown} {why}: there would be no dump"))
                .instead("-o names another directory");
        }
        let Some(free) = self.free else {
            return Finding::ok(ABOUT, format!("dumps can be written in {shown}"));
        };
        let free_text = match free {
            ..GIB => format!("{} MiB free", free / MIB),
            _ => format!("{} GiB free", free / GIB),
        };
        if free < TOO_LITTLE {
            return Finding::problem(ABOUT, format!("{shown} has no room left: {free_text}"))
                .instead("-o names another directory");
        }
        if free < ENOUGH {
            return Finding::note(ABOUT, format!("{shown} has little room: {free_text}"))
                .instead("MALLOSCOPE_CONF=prof_keep:4 keeps only the last dumps");
        }
        Finding::ok(
            ABOUT,
            format!("dumps can be written in {shown}, {free_text}"),
        )
    }
}

/// What the program inherits; nothing means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    file_size: Option<u64>,
    files: Option<u64>,
    address_space: Option<u64>,
}

impl Limits {
    pub(crate) fn of_this_process() -> Limits {
        let soft = |resource| getrlimit(resource).current;
        Limits {
            file_size: soft(Resource::Fsize),
            files: soft(Resource::Nofile),
            address_space: soft(Resource::As),
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        const ABOUT: &str = "limits";
        /// Ours is one, and one to read what the process is.
        const FILES: u64 = 8;
        /// The default of prof_mem_max, and the program needs some too.
        const MEMORY: u64 = 512 * MIB;
        let mut findings = Vec::new();
        if let Some(size) = self.file_size.filter(|size| *size < ENOUGH) {
            let text = format!("files may not grow above {} KiB (ulimit -f)", size / 1024);
            findings.push(match size < TOO_LITTLE {
                true => Finding::problem(ABOUT, format!("{text}: no dump fits")),
                false => Finding::note(ABOUT, format!("{text}: a large dump would not fit")),
            });
        }
        if let Some(files) = self.files.filter(|files| *files < FILES) {
            let text = format!("only {files} files may be open at once (ulimit -n): no dump opens");
            findings.push(Finding::problem(ABOUT, text));
        }
        if let Some(size) = self.address_space.filter(|size| *size < MEMORY) {
            let text = format!("memory is limited to {} MiB (ulimit -v)", size / MIB);
            let advice = "MALLOSCOPE_CONF=prof_mem_max:16777216 lets us take less of it";
            findings.push(Finding::note(ABOUT, text).instead(advice));
        }
        findings
    }
}

/// Daemons that give up root: what was writable before is not any more.
pub(crate) fn daemon(program: &str) -> Option<Finding> {
    const DAEMONS: [&str; 12] = [
        "nginx",
        "apache2",
        "httpd",
        "haproxy",
        "named",
        "unbound",
        "dnsmasq",
        "squid",
        "varnishd",
        "dovecot",
        "sshd",
        "memcached",
    ];
    if !getuid().is_root() || !DAEMONS.contains(&program) {
        return None;
    }
    let text = format!("{program} gives up root: its workers write their dumps as another user");
    let advice = "let the directory of the dumps belong to that user";
    Some(Finding::note("dumps", text).instead(advice))
}

/// What an old kernel lacks. `release` is what uname(2) says.
pub(crate) fn kernel(release: &str) -> Option<Finding> {
    /// MADV_WIPEONFORK.
    const NEEDED: (u32, u32) = (4, 14);
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    if (major, minor) >= NEEDED {
        return None;
    }
    let text = format!("the kernel is {release}, older than 4.14");
    let advice = "a child made by a bare clone or _Fork is not told from its parent there";
    Some(Finding::note("kernel", text).instead(advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;

    fn place(writable: bool, read_only: bool, free: Option<u64>) -> Severity {
        let place = Place {
            directory: "/d".into(),
            is_directory: true,
            writable,
            read_only,
            free,
        };
        place.finding().verdict
    }

    #[test]
    fn a_dump_needs_a_place() {
        assert_eq!(place(true, false, Some(1 << 40)), Severity::Ok);
        assert_eq!(place(true, false, None), Severity::Ok);
        assert_eq!(place(false, false, Some(1 << 40)), Severity::Problem);
        assert_eq!(place(true, true, Some(1 << 40)), Severity::Problem);
        assert_eq!(place(true, false, Some(10 * MIB)), Severity::Note);
        assert_eq!(place(true, false, Some(4096)), Severity::Problem);
    }

    #[test]
    fn a_directory_that_will_be_made_is_its_parents_matter() {
        let place = Place::of(Path::new("/proc/self/no/such/malloscope"));
        assert_eq!(place.directory, Path::new("/proc/self"));
        let place = Place::of(Path::new("malloscope"));
        assert_eq!(place.directory, Path::new("."));
        let file = Place::of(Path::new("/proc/self/maps/malloscope"));
        assert_eq!(file.finding().verdict, Severity::Problem);
    }

    #[test]
    fn limits_matter_when_they_are_low() {
        let verdicts = |limits: Limits| -> Vec<Severity> {
            limits.findings().iter().map(|f| f.verdict).collect()
        };
        assert_eq!(verdicts(Limits::default()), []);
        let low = Limits {
            file_size: Some(1024),
            files: Some(4),
            address_space: Some(256 * MIB),
        };
        let expected = [Severity::Problem, Severity::Problem, Severity::Note];
        assert_eq!(verdicts(low), expected);
        let usual = Limits {
            files: Some(1024),
            file_size: Some(10 * MIB),
            address_space: Some(1 << 46),
        };
        assert_eq!(verdicts(usual), [Severity::Note]);
    }

    #[test]
    fn kernels_have_two_numbers() {
        assert!(kernel("4.9.0-13-amd64").is_some());
        assert!(kernel("4.14.1").is_none());
        assert!(kernel("6.18.44").is_none());
        assert!(kernel("unknown").is_none());
    }
}

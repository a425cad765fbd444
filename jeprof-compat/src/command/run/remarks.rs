//! What the profiler had to remark in the program and in all that it started: that something else is
//! their allocator, that a thread could not be started. It is silent in them, for their stderr is
//! theirs; a process that cannot sample writes no dump either. So it appends to a file beside the dumps
//! (`prof_remarks`), which is read here and taken away.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{printable, say};

/// How many are shown.
const MOST: usize = 8;

/// The file, and how much of it was there before the program was started.
pub(super) struct Remarks {
    path: PathBuf,
    before: usize,
}

impl Remarks {
    /// Those to come beside the dumps of `prefix`.
    pub(super) fn begin(prefix: &Path) -> Remarks {
        let mut path = prefix.as_os_str().to_owned();
        path.push(".remarks");
        let before = fs::metadata(&path).map_or(0, |data| data.len());
        Remarks {
            path: path.into(),
            before: usize::try_from(before).unwrap_or(usize::MAX),
        }
    }

    /// Says what came.
    pub(super) fn print(&self) {
        let Ok(bytes) = fs::read(&self.path) else {
            return;
        };
        let new = bytes.get(self.before..).unwrap_or_default();
        let lines = lines(&String::from_utf8_lossy(new));
        for line in lines.iter().take(MOST) {
            say(line);
        }
        if let Some(more @ 1..) = lines.len().checked_sub(MOST) {
            say(&format_args!("and {more} more such remarks"));
        }
        if self.before == 0 {
            // It was said, and what goes on running makes a new one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `chromium (3 processes): malloc is defined before this library`, for each program and remark, in the
/// order in which they came. A line of the file is `<pid> <program>\t<remark>`.
fn lines(text: &str) -> Vec<String> {
    let mut order = Vec::new();
    let mut count: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in text.lines() {
        let Some((process, remark)) = line.split_once('\t') else {
            continue;
        };
        let program = process.split_once(' ').map_or(process, |(_, name)| name);
        let times = count.entry((program, remark)).or_default();
        if *times == 0 {
            order.push((program, remark));
        }
        *times += 1;
    }
    let line = |key: (&str, &str)| {
        let of = match count[&key] {
            1 => String::new(),
            times => format!(" ({times} processes)"),
        };
        printable(&format!("{}{of}: {}", key.0, key.1))
    };
    order.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn each_is_said_once_for_a_program() {
        let text = "7 rustc\tone\n8 cc\ttwo\n9 rustc\tone\n9 rustc\tthree\x1b\nbroken\n";
        assert_eq!(
            lines(text),
            [
                "rustc (2 processes): one",
                "cc: two",
                "rustc: three\u{fffd}"
            ]
        );
    }
}

//! `--program`, `--sysroot`: where the files lie that a profile names.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use crate::symbolize::Locator;
use crate::view::terminal::printable;

/// Where files lie on this machine.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Places {
    /// Where the program lies now, if not where it ran
    #[arg(long, value_name = "PROGRAM")]
    pub(super) program: Option<PathBuf>,
    /// Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`;
    /// may be given several times
    #[arg(long, value_name = "DIR", alias = "lib-prefix", value_delimiter = ',')]
    sysroot: Vec<PathBuf>,
}

impl Places {
    pub(super) fn locator(&self) -> Locator {
        Locator {
            program: self.program.clone(),
            roots: self.sysroot.clone(),
            watch: watch(),
            ..Locator::default()
        }
    }
}

/// Whoever waits at a terminal sees which file is being read.
pub(super) fn watch() -> Option<fn(&str, usize, usize)> {
    io::stderr().is_terminal().then_some(show)
}

fn show(path: &str, done: usize, all: usize) {
    if path.is_empty() {
        let _ = io::stderr().write_all(b"\r\x1b[K");
        return;
    }
    let name = printable(path.rsplit('/').next().unwrap_or(path));
    let name: String = name.chars().take(60).collect();
    // The next line of anybody begins at its left edge and leaves nothing of this one.
    let line = format!("\rnames: {done} of {all} files, {name}\x1b[K\r");
    let _ = io::stderr().write_all(line.as_bytes());
}

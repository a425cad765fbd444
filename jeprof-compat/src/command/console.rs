//! Talk to the person who typed a command: on stderr, as data goes to stdout. Names of files are hostile
//! input, and a terminal obeys control characters: none of them gets there.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use parking_lot::Mutex;

use crate::view::terminal::printable;

/// The gist of each warning that was printed.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What a warning says, without the figures and without the file's place: the names of a process's dumps differ
/// in numbers.
fn gist(warning: &str) -> String {
    warning.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// `malloscope`.
pub const MALLOSCOPE: Console = Console("malloscope");
/// `jeprof-compat`.
pub const JEPROF: Console = Console("jeprof-compat");

/// The program that talks: each of its lines begins with its name.
#[derive(Clone, Copy, Debug)]
pub struct Console(&'static str);

impl Console {
    /// A line for each warning. Of those that differ only in their figures, as the dumps of one process give
    /// them, the last one speaks for all; what was said already is not said again.
    pub(crate) fn warn(self, warnings: &[String]) {
        let mut said = SAID.lock();
        for (at, warning) in warnings.iter().enumerate() {
            let gist = gist(warning);
            let is_last = warnings[at + 1..]
                .iter()
                .all(|later| self::gist(later) != gist);
            if is_last && said.insert(gist) {
                say(&format!("{}: {}", self.0, printable(warning)));
            }
        }
    }

    /// The exit code of a command. A reader that went away (`| head`) has seen enough: no error.
    pub fn finish(self, result: Result<u8>) -> ExitCode {
        let error = match result {
            Ok(code) => return ExitCode::from(code),
            Err(error) => error,
        };
        let io_error = error.downcast_ref::<io::Error>();
        if io_error.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        // A usage has several lines.
        let lines = format!("{}: {error:#}", self.0);
        let lines: Vec<String> = lines.lines().map(printable).collect();
        say(&lines.join("\n"));
        ExitCode::FAILURE
    }
}

/// A line as it is. The reader may have gone (`2>&1 | head`), or its disk may be full: that is no reason
/// to lose the answer and the exit code, as a panic of `eprintln` would.
pub fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Lines for the standard output. Whoever closed the pipe has read enough.
pub fn print(lines: &str) {
    let _ = io::stdout().write_all(format!("{lines}\n").as_bytes());
}

//! Talk to the person who typed the command: on stderr, as data goes to stdout.

use std::io::{self, Write};

/// A line for each warning. Names of files are anybody's: they do not get to talk to the terminal.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        let line = warning.replace(char::is_control, "\u{fffd}");
        // The reader may have gone: no reason to lose the answer.
        let _ = writeln!(io::stderr(), "malloscope: {line}");
    }
}

//! `malloscope doctor`: says, without starting it, whether a program's allocations will be seen,
//! and what to do instead. `run` asks for `problems` before the start.
//!
//! ```text
//! what was typed -> examine: trail (scripts) -> image (facts of an ELF file) -> format, privilege,
//!     allocator, linked, runtime, sandbox, own_library, variables, dumps, remarks -> findings -> lines or
//!     JSON
//! ```
//! Nothing is executed and nothing is written. A file that cannot be read gives no finding of its
//! own where another will: the first thing that is wrong is the one that is said.

mod check;
mod examine;
mod finding;
mod running;
mod target;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::command::launch::library;
use crate::command::launch::program::Program;
use crate::command::machine;
use finding::{Finding, Severity, printable, worst};

/// Say whether a program's allocations will be seen, without starting it
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where the dumps would go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// The program and its arguments, or the number of a process that runs
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
}

/// Prints what was found; the answer is the exit code: 1 when there is a problem.
pub fn doctor(args: &Args) -> u8 {
    // The parser demands one.
    let name = args.command.first().cloned().unwrap_or_default();
    let library = library::find();
    let (path, findings) = match Program::find(&name) {
        Ok(program) => {
            let mut findings = examine::program(&program.path, &library, true);
            findings.extend(examine::dumps(&program, &args.output));
            (program.path, findings)
        }
        Err(missing) => running(&name, &library).unwrap_or_else(|| {
            let problem = Finding::problem("program", missing.to_string());
            (PathBuf::from(&name), vec![problem])
        }),
    };
    let text = match args.json {
        true => json(&path, &findings).unwrap_or_default(),
        false => lines(&path, &findings),
    };
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    u8::from(worst(&findings) == Severity::Problem)
}

/// A number that is no program is that of a process.
fn running(name: &OsStr, library: &Result<PathBuf>) -> Option<(PathBuf, Vec<Finding>)> {
    let pid = name.to_str()?.parse().ok()?;
    running::process(pid, library)
}

/// What is wrong, and what the dumps will not show, for somebody who starts the program all the same.
pub(crate) fn problems(program: &Path, library: &Path) -> Vec<String> {
    let findings = examine::program(program, &Ok(library.to_owned()), false);
    let is_shown = |f: &&Finding| f.verdict == Severity::Problem || f.about == "sandbox";
    findings
        .iter()
        .filter(is_shown)
        .map(Finding::sentence)
        .collect()
}

/// One for each finding, and what they come to.
fn lines(path: &Path, findings: &[Finding]) -> String {
    let is_problem = |finding: &&Finding| finding.verdict == Severity::Problem;
    let conclusion = match findings.iter().filter(is_problem).count() {
        0 => "malloscope run will see what it takes from malloc".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let conclusion = printable(&format!("{}: {conclusion}", path.display()));
    let lines = findings.iter().map(Finding::line).chain([conclusion]);
    lines.map(|line| line + "\n").collect()
}

fn json(path: &Path, findings: &[Finding]) -> serde_json::Result<String> {
    let list: Vec<Value> = findings.iter().map(Finding::json).collect();
    let report = json!({
        "program": path.to_string_lossy(),
        "verdict": worst(findings).word(),
        "findings": list,
    });
    machine::answer("doctor", report)
}

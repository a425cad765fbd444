//! `malloscope doctor`: says, without starting it, whether a program's allocations will be seen,
//! and what to do instead. Called by `bin/malloscope`; `run` calls `problems` before the start.
//!
//! ```text
//! what was typed -> trail (scripts) -> image (facts of an ELF file) -> format, privilege,
//!     allocator, linked, runtime, own_library, variables, dumps -> findings -> lines or JSON
//! ```
//! Nothing is executed and nothing is written. A file that cannot be read gives no finding of its
//! own where another will: the first thing that is wrong is the one that is said.

mod allocator;
mod brand;
mod dumps;
mod finding;
mod format;
mod image;
mod launcher;
mod ld_cache;
mod linked;
mod own_library;
mod privilege;
mod runtime;
mod script;
mod search;
mod trail;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::preload::environment::{Configuration, Inherited};
use crate::preload::library;
use crate::preload::program::Program;
use dumps::{Limits, Place};
use finding::{Finding, Verdict, worst};
use image::Image;
use privilege::Rights;
use search::{Object, Search};
use variables::Variables;

/// Say whether a program's allocations will be seen, without starting it
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where the dumps would go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// The program and its arguments
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
    let name = args
        .command
        .first()
        .map_or(OsStr::new(""), OsString::as_os_str);
    let library = library::find();
    let (path, findings) = match Program::find(name) {
        Ok(program) => {
            let mut findings = of_program(&program.path, &library, true);
            findings.extend(of_dumps(&program, &args.output));
            (program.path, findings)
        }
        Err(missing) => (
            PathBuf::from(name),
            vec![Finding::problem("program", missing.to_string())],
        ),
    };
    if args.json {
        print_json(&path, &findings);
    } else {
        print_lines(&path, &findings);
    }
    u8::from(worst(&findings) == Verdict::Problem)
}

/// What is wrong, for somebody who starts the program all the same.
pub(crate) fn problems(program: &Path, library: &Path) -> Vec<String> {
    let findings = of_program(program, &Ok(library.to_owned()), false);
    let problems = findings.iter().filter(|f| f.verdict == Verdict::Problem);
    problems.map(Finding::sentence).collect()
}

/// `by_hand`: the order of the preloads is not known to be right.
fn of_program(path: &Path, library: &Result<PathBuf>, by_hand: bool) -> Vec<Finding> {
    let trail = trail::follow(path);
    let mut findings = trail.findings;
    let ours = match library {
        Ok(path) => Image::open(path).map(|image| Object {
            path: path.clone(),
            image,
        }),
        Err(_) => None,
    };
    if let Some(program) = &trail.program {
        findings.extend(of_image(program, ours.as_ref(), by_hand));
    }
    if let Err(error) = library {
        findings.push(Finding::problem("library", format!("{error:#}")));
    } else if ours.is_none() {
        findings.push(Finding::problem(
            "library",
            "libmalloscope.so is no ELF library",
        ));
    }
    findings
}

fn of_image(program: &Object, ours: Option<&Object>, by_hand: bool) -> Vec<Finding> {
    let format = format::finding(program, ours.map(|ours| &ours.image));
    let rights = Rights::of(&program.path);
    let rights = rights.and_then(|rights| privilege::finding(&program.path, &rights));
    let loads = format.verdict == Verdict::Ok;
    let mut findings = vec![format];
    findings.extend(privilege::startable(&program.path));
    findings.extend(rights);
    if !loads {
        findings.extend(allocator::own_profiler(program));
    } else if worst(&findings) != Verdict::Problem {
        findings.extend(of_loaded(program, ours, by_hand));
    }
    findings
}

/// What a program means into which the loader does preload.
fn of_loaded(program: &Object, ours: Option<&Object>, by_hand: bool) -> Vec<Finding> {
    let interpreter = program.image.interpreter.as_deref();
    let library_path = std::env::var_os("LD_LIBRARY_PATH");
    let search = Search::new(library_path.as_deref(), interpreter);
    let libraries = search.libraries(program);
    let runtime = runtime::of(program, &libraries);
    let only_on_request = runtime.and_then(|runtime| runtime.only_on_request);
    let mut findings: Vec<Finding> = linked::sanitizer(program, &libraries).into_iter().collect();
    if worst(&findings) != Verdict::Problem {
        findings.extend(allocator::findings(program, only_on_request));
    }
    findings.extend(linked::findings(&libraries, only_on_request));
    let variable = |name: &str| std::env::var(name).ok();
    findings.extend(runtime.map(|runtime| runtime::finding(runtime, variable)));
    if by_hand {
        let variables = Variables {
            preload: std::env::var_os("LD_PRELOAD"),
            malloc_conf: std::env::var_os("MALLOC_CONF"),
        };
        let path = ours.map(|ours| ours.path.as_path());
        findings.extend(variables::findings(
            &variables, path, program, &libraries, &search,
        ));
    }
    if let Some(ours) = ours {
        findings.extend(own_library::findings(ours, program, &search));
    }
    findings
}

fn of_dumps(program: &Program, directory: &Path) -> Vec<Finding> {
    let directory = std::path::absolute(directory);
    let configured = directory
        .map_err(anyhow::Error::from)
        .and_then(|directory| Configuration::new(&directory, &Inherited::read()));
    let mut findings = vec![match configured {
        Ok(configuration) => Place::of(&configuration.prefix).finding(),
        Err(error) => Finding::problem("dumps", format!("{error:#}")),
    }];
    findings.extend(Limits::of_this_process().findings());
    findings.extend(dumps::daemon(&program.name()));
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    findings.extend(dumps::kernel(&release));
    findings
}

fn print_lines(path: &Path, findings: &[Finding]) {
    for finding in findings {
        println!("{}", finding.line());
    }
    let count = findings
        .iter()
        .filter(|f| f.verdict == Verdict::Problem)
        .count();
    let conclusion = match count {
        0 => "malloscope run will see what it takes from malloc".to_owned(),
        1 => "1 problem".to_owned(),
        _ => format!("{count} problems"),
    };
    println!("{}: {conclusion}", path.display());
}

fn print_json(path: &Path, findings: &[Finding]) {
    let findings_json: Vec<_> = findings.iter().map(Finding::json).collect();
    let report = json!({
        "program": path.to_string_lossy(),
        "verdict": worst(findings).word(),
        "findings": findings_json,
    });
    println!("{report:#}");
}

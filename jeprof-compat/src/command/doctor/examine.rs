//! Which questions are asked of a program, in which order, and when there is nothing left to ask.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::doctor::check::allocator;
use crate::command::doctor::check::dumps::{self, Limits, Place};
use crate::command::doctor::check::format;
use crate::command::doctor::check::linked;
use crate::command::doctor::check::own_library;
use crate::command::doctor::check::past;
use crate::command::doctor::check::privilege::{self, Rights};
use crate::command::doctor::check::remarks;
use crate::command::doctor::check::runtime;
use crate::command::doctor::check::sandbox;
use crate::command::doctor::check::variables::{self, Variables};
use crate::command::doctor::finding::{Finding, Severity, worst};
use crate::command::doctor::target::image::Image;
use crate::command::doctor::target::search::{Object, Search};
use crate::command::doctor::target::trail;

use crate::command::launch::environment::{Configuration, Inherited, Wishes};
use crate::command::launch::program::Program;

/// What becomes of a preload in the program at `path`. `by_hand`: the order of the preloads is not
/// known to be right.
pub(crate) fn program(path: &Path, library: &Result<PathBuf>, by_hand: bool) -> Vec<Finding> {
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
    let loads = format.verdict == Severity::Ok;
    let mut findings = vec![format];
    findings.extend(privilege::startable(&program.path));
    findings.extend(rights);
    if !loads {
        findings.extend(allocator::own_profiler(program));
    } else if worst(&findings) != Severity::Problem {
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
    if worst(&findings) != Severity::Problem {
        findings.extend(allocator::findings(program, only_on_request));
    }
    findings.extend(linked::findings(&libraries, only_on_request));
    findings.extend(past::findings(program, &libraries));
    findings.extend(sandbox::finding(program, &libraries));
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

/// What becomes of its dumps, if they go to `directory`.
pub(crate) fn dumps(program: &Program, directory: &Path) -> Vec<Finding> {
    let configured = std::path::absolute(directory)
        .map_err(anyhow::Error::from)
        .and_then(|directory| {
            Configuration::new(&directory, &Inherited::read(), &Wishes::default())
        });
    let mut findings = vec![match configured {
        Ok(configuration) => Place::of(&configuration.prefix).finding(),
        Err(error) => Finding::problem("dumps", format!("{error:#}")),
    }];
    findings.extend(remarks::of_dumps_in(directory));
    findings.extend(Limits::of_this_process().findings());
    findings.extend(dumps::daemon(&program.name()));
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    findings.extend(dumps::kernel(&release));
    findings
}

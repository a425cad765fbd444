//! From what was typed to the program that will run: scripts lead to their interpreters.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::command::doctor::finding::{Finding, Severity, worst};
use crate::command::doctor::target::image::Image;
use crate::command::doctor::target::launcher;
use crate::command::doctor::target::script::{self, Shebang};
use crate::command::doctor::target::search::Object;
use crate::command::launch::program::Program;

/// As many scripts of scripts as the kernel follows.
const DEPTH: usize = 5;

/// Bytes of a script in which its last command is looked for.
const SCRIPT: u64 = 1 << 20;

/// Where it led.
pub(crate) struct Trail {
    pub(crate) findings: Vec<Finding>,
    /// The program, unless a finding says why there is none.
    pub(crate) program: Option<Object>,
}

/// Follows `start`.
pub(crate) fn follow(start: &Path) -> Trail {
    let mut findings: Vec<Finding> = launcher::finding(start).into_iter().collect();
    if worst(&findings) == Severity::Problem {
        return Trail {
            findings,
            program: None,
        };
    }
    let mut path = start.to_owned();
    for _ in 0..=DEPTH {
        let head = head(&path, script::HEAD as u64);
        let Some(shebang) = Shebang::parse(&head) else {
            let program = Image::open(&path).map(|image| Object { path, image });
            if program.is_none() {
                findings.push(unknown(start, &head));
            }
            return Trail { findings, program };
        };
        match interpreter(&path, &shebang) {
            Ok(next) => {
                findings.push(through(&path, &next));
                path = next;
            }
            Err(problem) => {
                findings.push(problem);
                break;
            }
        }
    }
    Trail {
        findings,
        program: None,
    }
}

/// The program that will read the script.
fn interpreter(script: &Path, shebang: &Shebang) -> Result<PathBuf, Finding> {
    let wanted = match shebang.through_env() {
        Some(name) => OsStr::new(name),
        None => shebang.interpreter.as_os_str(),
    };
    Program::find(wanted)
        .map(|found| found.path)
        .map_err(|missing| {
            let text = format!(
                "{} is a script, and its interpreter: {missing}",
                script.display()
            );
            Finding::problem("script", text)
        })
}

fn through(script: &Path, interpreter: &Path) -> Finding {
    let text = format!(
        "{} is a script that {} runs",
        script.display(),
        interpreter.display()
    );
    if !script::is_shell(interpreter) {
        return Finding::ok("script", text);
    }
    let text = format!("{text}: a wrapper, what it starts inherits the preload");
    let advice = match script::hand_over(&head(script, SCRIPT)) {
        Some(command) => format!("it hands over to: {}", shortened(&command)),
        None => "ask doctor about the program that it starts".to_owned(),
    };
    Finding::note("script", text).instead(advice)
}

fn shortened(command: &str) -> String {
    const MOST: usize = 100;
    match command.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

fn unknown(path: &Path, head: &[u8]) -> Finding {
    let path = path.display();
    if head.is_empty() {
        return Finding::problem("format", format!("{path} cannot be read, or is empty"));
    }
    if head.starts_with(b"MZ") {
        let text = format!("{path} is a Windows program: nothing of it is seen");
        return Finding::problem("format", text);
    }
    let text = format!("{path} is neither an ELF program nor a script with #!");
    Finding::problem("format", text)
}

/// Empty when it cannot be read.
fn head(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What was read before an error serves as well.
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

//! The console blocks of the pages are run, and their commands must do what the blocks show.
//!
//! A line that begins with `$ ` is a command, what follows it is what it says (see `loose`; nothing shown
//! means that what it says does not matter). The blocks of a page are one session of bash: it begins in an
//! empty directory in which only `examples` leads to ours, with the built programs on its PATH and the
//! library in `$L`, and ends what it has started. A comment `<!-- needs: a b -->` above a block names programs or files without which it is
//! left out, which is said. Commands that cannot be run everywhere (docker, systemctl, kubectl) or whose names
//! are made up stand in `sh` blocks instead: these must be what a shell can read, and are few.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Block, blocks, loose, name, pages, read, root};

/// Most `sh` blocks of the pages for users: what can be run stands in a `console` block.
const MOST_UNRUN: usize = 7;

/// Seconds that a page's session may take.
const PATIENCE: &str = "300";

/// One command of a block, and what it is said to say.
#[derive(Debug, Default, PartialEq)]
struct Step<'a> {
    line: usize,
    command: String,
    shown: Vec<&'a str>,
}

fn steps<'a>(block: &Block<'a>) -> Vec<Step<'a>> {
    let mut found: Vec<Step<'a>> = Vec::new();
    let mut goes_on = false;
    for (at, line) in block.lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            found.push(Step {
                line: block.line + at,
                command: command.to_owned(),
                shown: Vec::new(),
            });
            goes_on = command.ends_with('\\');
        } else if let Some(step) = found.last_mut() {
            if goes_on {
                step.command.push('\n');
                step.command.push_str(line);
                goes_on = line.ends_with('\\');
            } else {
                step.shown.push(line);
            }
        }
    }
    found
}

/// The programs and files that a block wants and this machine has not.
fn missing(block: &Block<'_>) -> Vec<String> {
    let needs = block.above.strip_prefix("<!-- needs: ");
    let needs = needs.and_then(|rest| rest.strip_suffix(" -->"));
    let path = std::env::var("PATH").unwrap_or_default();
    let is_there = |program: &str| {
        path.split(':')
            .any(|dir| Path::new(dir).join(program).exists())
    };
    let words = needs.unwrap_or_default().split(' ');
    words
        .filter(|program| !program.is_empty() && !is_there(program))
        .map(str::to_owned)
        .collect()
}

/// A directory for the session of `page`, empty but for the examples.
fn scratch(page: &str) -> PathBuf {
    let made = page.replace(['/', '.'], "-");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("docs")
        .join(made);
    // It is not there the first time.
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).expect("a directory");
    symlink(root().join("examples"), scratch.join("examples")).expect("the examples");
    scratch
}

/// The release build, which stands beside the directory of the tests' build.
fn release() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let release = target.expect("the target directory").join("release");
    for file in ["libmalloscope.so", "malloscope", "jeprof-compat"] {
        let file = release.join(file);
        assert!(
            file.is_file(),
            "{} is missing: tests/run.sh builds it",
            file.display()
        );
    }
    release
}

/// Begins what a step said, and ends it, before its status.
const BEGIN: char = '\u{1}';
const END: char = '\u{2}';

/// What each step said, and its status.
fn session(page: &str, steps: &[Step<'_>]) -> Vec<(String, String)> {
    let mut script = "exec 2>&1\n".to_owned();
    for step in steps {
        let command = &step.command;
        script += &format!("printf '\\1'\n{command}\nprintf '\\2%s\\n' $?\n");
    }
    let release = release();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("timeout");
    bash.args([PATIENCE, "bash", "--noprofile", "--norc", "-c", &script])
        .current_dir(scratch(page))
        .env("PATH", format!("{}:{path}", release.display()))
        .env("L", release.join("libmalloscope.so"))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    let output = bash.output().expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts = said.split(BEGIN).skip(1);
    parts
        .map(|part| {
            let (said, status) = part
                .split_once(END)
                .unwrap_or((part, "none: the session ended"));
            let status = status.lines().next().unwrap_or_default();
            (said.to_owned(), status.to_owned())
        })
        .collect()
}

/// What is wrong with what a step said.
fn fault(page: &str, step: &Step<'_>, said: &str, status: &str) -> Option<String> {
    let lines: Vec<&str> = said.lines().collect();
    let is_right = step.shown.is_empty() || loose::matches(&step.shown, &lines);
    (status != "0" || !is_right).then(|| {
        let command = &step.command;
        format!("{page}:{}: status {status}\n$ {command}\n{said}", step.line)
    })
}

#[test]
fn console_blocks_do_what_they_show() {
    let mut faults = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        let page = name(&page);
        let mut of_page = Vec::new();
        for block in blocks(&text).iter().filter(|b| b.language == "console") {
            let missing = missing(block);
            match missing.is_empty() {
                true => of_page.extend(steps(block)),
                false => println!("{page}:{}: left out, no {}", block.line, missing.join(", ")),
            }
        }
        if of_page.is_empty() {
            continue;
        }
        let said = session(&page, &of_page);
        assert!(said.len() <= of_page.len());
        for (step, (said, status)) in of_page.iter().zip(&said) {
            faults.extend(fault(&page, step, said, status));
        }
        if let Some(step) = of_page.get(said.len()) {
            faults.push(format!("{page}:{}: the session ended before it", step.line));
        }
        count += said.len();
    }
    println!("{count} commands");
    assert!(count > 0 && faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_not_run_is_little_and_can_be_read() {
    let mut unrun = 0;
    for page in pages() {
        let text = read(&page);
        for block in blocks(&text) {
            assert_ne!(block.language, "", "{}:{}", name(&page), block.line);
            if block.language == "sh" {
                // Who contributes runs those of the other pages.
                unrun +=
                    usize::from(name(&page) == "README.md" || name(&page).starts_with("docs/"));
                let script = block.lines.join("\n");
                let bash = Command::new("bash").args(["-n", "-c", &script]).output();
                let said = bash.expect("bash").stderr;
                assert!(said.is_empty(), "{}:{}", name(&page), block.line);
            }
        }
    }
    assert!(unrun <= MOST_UNRUN, "{unrun} blocks are not run");
}

#[test]
fn steps_are_found_and_judged() {
    let text = "```console\n$ a \\\n  b\nc\n...\n$ d # e\n```\n";
    let blocks = blocks(text);
    let found = steps(&blocks[0]);
    let shown: Vec<_> = found
        .iter()
        .map(|s| (s.line, s.command.as_str(), s.shown.as_slice()))
        .collect();
    let none: &[&str] = &[];
    assert_eq!(
        shown,
        [(2, "a \\\n  b", &["c", "..."][..]), (6, "d # e", none)]
    );
    assert!(fault("p", &found[0], "c\nx\n", "0").is_none());
    assert!(fault("p", &found[0], "x\n", "0").is_some());
    assert!(fault("p", &found[1], "anything\n", "0").is_none());
    assert!(fault("p", &found[1], "", "1").is_some());
}

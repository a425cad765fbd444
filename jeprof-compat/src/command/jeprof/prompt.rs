//! The interactive mode of `jeprof`: a prompt, the commands that `jeprof` has there, and a few more. The line
//! editor keeps a history and completes commands.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Context, Editor, Helper};

use super::mode::Output;
use super::options::Cli;
use super::print::Printer;
use crate::command::console::say;
use crate::stacks::naming::Granularity;
use crate::stacks::{Pattern, Selection};

/// Rows of `top` where no number says more.
const ROWS: usize = 10;

const COMMANDS: [&str; 16] = [
    "callgrind",
    "disasm",
    "evince",
    "focus",
    "gv",
    "help",
    "ignore",
    "list",
    "peek",
    "quit",
    "svg",
    "text",
    "top",
    "top20",
    "web",
    "weblist",
];

const HELP: &str = "Interactive jeprof mode

  top [--cum] [-ignore]       the first rows of the table; top20 shows 20
  list REGEXP [-ignore]       source of matching functions, with the value of each line
  weblist REGEXP [-ignore]    the same in a browser; a click on a line shows its instructions
  disasm REGEXP [-ignore]     instructions of matching functions
  peek REGEXP                 callers and callees of matching functions
  gv, evince, web [REGEXP]    the call graph in a viewer, of stacks that match
  svg FILE                    the call graph as a file
  callgrind FILE              for KCachegrind
  focus [REGEXP]              from now on only stacks that match; without REGEXP all
  ignore [REGEXP]             from now on no stacks that match
  help, quit

-REGEXP leaves out stacks with a frame that matches; --lines shows source lines.";

/// What is chosen beside the command line's own.
struct Session<'a> {
    printer: Printer<'a>,
    selection: Selection,
}

/// Asks until the person has enough.
pub fn run(printer: &Printer<'_>, selection: &Selection) -> Result<()> {
    say("Welcome to jeprof!  For help, type 'help'.");
    let mut editor: Editor<Words, DefaultHistory> = Editor::new()?;
    editor.set_helper(Some(Words));
    let history = history();
    if let Some(file) = &history {
        let _ = editor.load_history(file);
    }
    let mut session = Session {
        printer: *printer,
        selection: Selection {
            is_short: true,
            marks_inlined: true,
            ..selection.clone()
        },
    };
    loop {
        match editor.readline("(jeprof) ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                match session.obey(line.trim()) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => say(&format!("{error:#}")),
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(file) = &history {
        let _ = editor.save_history(file);
    }
    Ok(())
}

fn history() -> Option<PathBuf> {
    let home = std::env::var_os("HOME")?;
    Some(PathBuf::from(home).join(".jeprof_history"))
}

/// The words behind a command: those with a dash are to be ignored, the others are meant.
#[derive(Default)]
struct Arguments {
    meant: Option<Pattern>,
    ignored: Option<Pattern>,
    by_cumulative: bool,
    lines: bool,
}

impl Arguments {
    fn of(text: &str) -> Result<Arguments> {
        let mut words = Arguments::default();
        let (mut meant, mut ignored) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            match word {
                "--cum" | "-cum" => words.by_cumulative = true,
                "--lines" | "-lines" => words.lines = true,
                word => match word.strip_prefix('-') {
                    Some(word) => ignored.push(word),
                    None => meant.push(word),
                },
            }
        }
        let pattern = |words: &[&str]| match words {
            [] => Ok(None),
            words => words.join("|").parse().map(Some),
        };
        words.meant = pattern(&meant)?;
        words.ignored = pattern(&ignored)?;
        Ok(words)
    }
}

impl Session<'_> {
    /// One line; false when it was the last.
    fn obey(&mut self, line: &str) -> Result<bool> {
        let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rows = command.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        match command.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "" if rows.is_empty() => {}
            "quit" | "exit" | "q" => return Ok(false),
            "help" | "h" | "?" => say(HELP),
            "focus" => self.selection.filter.focus = Arguments::of(rest)?.meant,
            "ignore" => self.selection.filter.ignore = Arguments::of(rest)?.meant,
            "top" | "text" => self.top(rows.parse().unwrap_or(ROWS), rest)?,
            "svg" | "callgrind" => self.file(command, rest.trim())?,
            "peek" | "list" | "weblist" | "disasm" | "gv" | "web" | "evince" => {
                self.show(command, rest)?
            }
            _ => say("Unknown command: try 'help'."),
        }
        Ok(true)
    }

    fn top(&self, rows: usize, rest: &str) -> Result<()> {
        let words = Arguments::of(rest)?;
        let mut cli: Cli = self.printer.cli.clone();
        cli.cum |= words.by_cumulative;
        let printer = Printer {
            cli: &cli,
            ..self.printer
        };
        let mut selection = self.selection_with(&words);
        if let Some(meant) = words.meant {
            selection.filter.focus = Some(meant);
        }
        printer.text(&selection, Some(rows), &mut io::stdout().lock())
    }

    fn selection_with(&self, words: &Arguments) -> Selection {
        let mut selection = self.selection.clone();
        if words.ignored.is_some() {
            selection.filter.ignore.clone_from(&words.ignored);
        }
        if words.lines {
            selection.granularity = Granularity::Lines;
        }
        selection
    }

    fn show(&self, command: &str, rest: &str) -> Result<()> {
        let words = Arguments::of(rest)?;
        let mut selection = self.selection_with(&words);
        let out = &mut io::stdout().lock();
        let is_graph = matches!(command, "gv" | "web" | "evince");
        if is_graph {
            let output = match command {
                "gv" => Output::Gv,
                "web" => Output::Web,
                _ => Output::Evince,
            };
            selection.is_short = false;
            if words.meant.is_some() {
                selection.filter.focus = words.meant;
            }
            return self.printer.write(&output, &selection, out);
        }
        let Some(pattern) = words.meant else {
            say(&format!("{command} wants a regular expression"));
            return Ok(());
        };
        match command {
            "peek" => self.printer.peek(&selection, &pattern, out),
            "list" => self.printer.write(&Output::List(pattern), &selection, out),
            "weblist" => self
                .printer
                .write(&Output::Weblist(pattern), &selection, out),
            _ => self
                .printer
                .write(&Output::Disasm(pattern), &selection, out),
        }
    }

    fn file(&self, command: &str, name: &str) -> Result<()> {
        if name.is_empty() {
            say(&format!("{command} wants the name of a file"));
            return Ok(());
        }
        let output = match command {
            "svg" => Output::Svg,
            _ => Output::Callgrind,
        };
        let mut selection = self.selection.clone();
        selection.is_short = false;
        let mut bytes = Vec::new();
        self.printer.write(&output, &selection, &mut bytes)?;
        File::create(name)?.write_all(&bytes)?;
        say(&format!("Wrote {name}"));
        Ok(())
    }
}

/// Completes commands.
struct Words;

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let start = &line[..position];
        let fitting = COMMANDS.iter().filter(|word| word.starts_with(start));
        Ok((0, fitting.map(|word| (*word).to_owned()).collect()))
    }
}

impl rustyline::hint::Hinter for Words {
    type Hint = String;
}
impl rustyline::highlight::Highlighter for Words {}
impl rustyline::validate::Validator for Words {}
impl Helper for Words {}

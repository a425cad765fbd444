//! The command line of `jeprof-compat`: parsed here, run by the binary. What a user knows from
//! `jeprof` works; options of `jeprof` that are missing here are refused by name.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use regex::Regex;

use crate::analysis::graph::Trim;
use crate::command::jeprof::argv::{self, Refusal};
use crate::figures::units::Unit;
use crate::profile::model::{self, Measure, ValueKind};
use crate::stacks::Selection;
use crate::stacks::filter::Filter;
use crate::stacks::naming::Granularity;
use crate::view::terminal::text;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The table.
    Text,
    /// The picture.
    Svg,
    /// The picture's graph for Graphviz.
    Dot,
    /// Folded stacks.
    Collapsed,
    /// The names with the dump.
    Raw,
}

/// Reads heap profiles of jemalloc and malloscope, names their frames and prints or draws them.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "jeprof-compat",
    version,
    args_override_self = true,
    override_usage = "jeprof-compat [options] <program> <profiles>"
)]
pub struct Cli {
    /// Sort by cumulative data
    #[arg(long)]
    cum: bool,
    /// Subtract BASE from the profiles before display; stacks cancel out by name
    #[arg(long)]
    pub base: Option<PathBuf>,

    /// Report at function level [default]
    #[arg(long, help_heading = "Reporting granularity", group = "grain")]
    functions: bool,
    /// Report at source line level
    #[arg(long, help_heading = "Reporting granularity", group = "grain")]
    lines: bool,
    /// Report at address level
    #[arg(long, help_heading = "Reporting granularity", group = "grain")]
    addresses: bool,
    /// Report at source file level
    #[arg(long, help_heading = "Reporting granularity", group = "grain")]
    files: bool,

    /// Generate text report [default]
    #[arg(long, help_heading = "Output type", group = "mode")]
    text: bool,
    /// Generate SVG to stdout; needs no Graphviz
    #[arg(long, help_heading = "Output type", group = "mode")]
    svg: bool,
    /// Generate DOT file to stdout
    #[arg(long, help_heading = "Output type", group = "mode")]
    dot: bool,
    /// Generate a symbolized profile, which the real jeprof reads: managed frames have names there
    #[arg(long, help_heading = "Output type", group = "mode")]
    raw: bool,
    /// Generate collapsed stacks for building flame graphs
    #[arg(long, help_heading = "Output type", group = "mode")]
    collapsed: bool,

    /// Display in-use (mega)bytes [default]
    #[arg(long = "inuse_space", help_heading = "Heap value", group = "heap")]
    inuse_space: bool,
    /// Display in-use objects
    #[arg(long = "inuse_objects", help_heading = "Heap value", group = "heap")]
    inuse_objects: bool,
    /// Display allocated (mega)bytes
    #[arg(long = "alloc_space", help_heading = "Heap value", group = "heap")]
    alloc_space: bool,
    /// Display allocated objects
    #[arg(long = "alloc_objects", help_heading = "Heap value", group = "heap")]
    alloc_objects: bool,
    /// Display space in bytes
    #[arg(long = "show_bytes", help_heading = "Heap value")]
    show_bytes: bool,

    /// Show samples of this kind; dumps may hold others than malloc's
    #[arg(
        long,
        help_heading = "Heap value",
        default_value = model::MALLOC,
        value_name = "NAME"
    )]
    pub kind: String,

    /// The most nodes that are shown
    #[arg(long, help_heading = "Call graph", default_value_t = 80)]
    nodecount: usize,
    /// Hide nodes below F*total
    #[arg(
        long,
        help_heading = "Call graph",
        default_value_t = 0.005,
        value_name = "F"
    )]
    nodefraction: f64,
    /// Hide edges below F*total
    #[arg(
        long,
        help_heading = "Call graph",
        default_value_t = 0.001,
        value_name = "F"
    )]
    edgefraction: f64,
    /// Max incoming/outgoing edges per node
    #[arg(long, help_heading = "Call graph", default_value_t = 8)]
    maxdegree: usize,
    /// Focus on backtraces with nodes matching REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    focus: Option<Regex>,
    /// Ignore backtraces with nodes matching REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    ignore: Option<Regex>,

    /// The program that ran
    pub program: Option<PathBuf>,
    /// Its heap profiles, added together
    pub profiles: Vec<PathBuf>,
}

/// Why nothing is run, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Print this to stdout and exit with 0.
    Answer(String),
    /// Print this to stderr and exit with 1.
    Error(String),
}

/// Parses a command line without the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    let args = argv::normalise(args).map_err(|refusal| match refusal {
        Refusal::Unsupported(name) => {
            Stop::Error(format!("jeprof-compat: --{name} is not supported yet"))
        }
        Refusal::Invalid(text) => usage(&format!("{text}\nInvalid option(s)")),
    })?;
    let name = OsString::from("jeprof-compat");
    let cli = Cli::try_parse_from([name].into_iter().chain(args)).map_err(from_clap)?;
    let arguments = (cli.program.is_some(), !cli.profiles.is_empty());
    match arguments {
        (false, _) => Err(usage("Did not specify program")),
        (true, false) => Err(usage("Did not specify profile file")),
        (true, true) => Ok(cli),
    }
}

fn from_clap(error: clap::Error) -> Stop {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Answer(error.to_string()),
        ErrorKind::ArgumentConflict => usage(conflict(&error.to_string())),
        _ => Stop::Error(format!("jeprof-compat: {}", error.to_string().trim_end())),
    }
}

/// `jeprof`'s words for two options of one group.
fn conflict(clap_text: &str) -> &'static str {
    let names_any = |names: &[&str]| names.iter().any(|n| clap_text.contains(n));
    if names_any(&["--inuse_", "--alloc_"]) {
        "Specify at most one of --inuse/--alloc options"
    } else if names_any(&["--functions", "--lines", "--addresses", "--files"]) {
        "Only specify one output granularity option"
    } else {
        "Only specify one output mode"
    }
}

/// As `jeprof`: the reason, the usage, and the reason again as a reminder.
fn usage(reason: &str) -> Stop {
    use clap::CommandFactory;
    let help = Cli::command().render_help();
    let last = reason.lines().next_back().unwrap_or_default();
    Stop::Error(format!("{reason}\n\n{help}\nFATAL ERROR: {last}"))
}

impl Cli {
    /// What to write: the table unless something else was asked for.
    pub fn output(&self) -> Output {
        let asked = [
            (self.svg, Output::Svg),
            (self.dot, Output::Dot),
            (self.collapsed, Output::Collapsed),
            (self.raw, Output::Raw),
        ];
        let found = asked.into_iter().find(|(asked, _)| *asked);
        found.map_or(Output::Text, |(_, output)| output)
    }

    /// Which value, which frames and which stacks.
    pub fn selection(&self) -> Selection {
        let value = match (self.inuse_objects, self.alloc_space, self.alloc_objects) {
            (true, _, _) => ValueKind::InuseObjects,
            (_, true, _) => ValueKind::AllocSpace,
            (_, _, true) => ValueKind::AllocObjects,
            _ => ValueKind::InuseSpace,
        };
        let granularity = match (self.lines, self.addresses, self.files) {
            (true, _, _) => Granularity::Lines,
            (_, true, _) => Granularity::Addresses,
            (_, _, true) => Granularity::Files,
            _ => Granularity::Functions,
        };
        let filter = Filter {
            focus: self.focus.clone(),
            ignore: self.ignore.clone(),
        };
        Selection {
            kind: None,
            value,
            granularity,
            filter,
            marks_inlined: self.output() != Output::Svg,
            ..Selection::default()
        }
    }

    /// What the numbers count.
    pub fn unit(&self) -> Unit {
        Unit::new(Measure::Memory, self.selection().value, self.show_bytes)
    }

    /// How the table is printed.
    pub fn text_options(&self) -> text::Options {
        text::Options {
            unit: self.unit(),
            by_cumulative: self.cum,
            says_shown: false,
        }
    }

    /// How much of the graph is dropped.
    pub fn trim(&self) -> Trim {
        Trim {
            node_count: self.nodecount,
            node_fraction: self.nodefraction,
            edge_fraction: self.edgefraction,
            max_degree: self.maxdegree,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(line: &str) -> Result<Cli, Stop> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn error(line: &str) -> String {
        match cli(line) {
            Err(Stop::Error(text)) => text,
            other => panic!("{line} gave {other:?}"),
        }
    }

    #[test]
    fn defaults_are_those_of_jeprof() {
        let cli = cli("prog a.heap b.heap").unwrap();
        assert_eq!(cli.output(), Output::Text);
        assert_eq!((cli.nodecount, cli.maxdegree), (80, 8));
        assert_eq!((cli.nodefraction, cli.edgefraction), (0.005, 0.001));
        assert_eq!(cli.selection().value, ValueKind::InuseSpace);
        assert_eq!(cli.unit(), Unit::Megabytes);
        assert_eq!(cli.profiles.len(), 2);
    }

    #[test]
    fn options_reach_their_place() {
        let cli = cli("-svg --alloc_ob --addr --focus=a|b --show_bytes p f").unwrap();
        assert_eq!(cli.output(), Output::Svg);
        let selection = cli.selection();
        assert_eq!(selection.value, ValueKind::AllocObjects);
        assert_eq!(selection.granularity, Granularity::Addresses);
        assert_eq!(selection.filter.focus.unwrap().as_str(), "a|b");
        assert_eq!(cli.unit(), Unit::Objects);
    }

    #[test]
    fn refusals() {
        assert_eq!(
            error("--gv p f"),
            "jeprof-compat: --gv is not supported yet"
        );
        assert!(error("--text --svg p f").ends_with("FATAL ERROR: Only specify one output mode"));
        let two_values = error("--inuse_space --alloc_space p f");
        assert!(two_values.starts_with("Specify at most one of --inuse/--alloc options"));
        assert!(error("--lines --files p f").contains("one output granularity"));
        assert!(error("p").ends_with("FATAL ERROR: Did not specify profile file"));
        assert!(error("").ends_with("FATAL ERROR: Did not specify program"));
        assert!(error("--bogus p f").starts_with("Unknown option: bogus\nInvalid option(s)\n"));
        assert!(error("--nodecount=x p f").contains("--nodecount"));
        assert!(error("--focus=( p f").contains("--focus"));
    }

    #[test]
    fn help_and_version_are_answers() {
        assert!(matches!(cli("--help"), Err(Stop::Answer(text)) if text.contains("--maxdegree")));
        assert!(matches!(cli("--version"), Err(Stop::Answer(_))));
    }
}

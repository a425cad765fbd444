//! The command line of `jeprof-compat`: parsed here, run by its siblings. What a user knows from `jeprof`
//! works. The order of options is that of `jeprof --help`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::analysis::graph::Trim;
use crate::command::jeprof::argv;
use crate::command::jeprof::mode::{Mode, Output};
use crate::profile::model::{self, Measure, ValueKind};
use crate::stacks::filter::Filter;
use crate::stacks::naming::Granularity;
use crate::stacks::{Pattern, Selection};

/// Reads heap profiles of jemalloc, malloscope and others, names their frames and prints or draws them.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "jeprof-compat",
    version,
    args_override_self = true,
    override_usage = "jeprof-compat [options] <program> <profiles>\n       \
                      jeprof-compat [options] <symbolized-profiles>\n       \
                      jeprof-compat [options] http://<host>:<port>[/pprof/heap]...\n       \
                      jeprof-compat --symbols <program>"
)]
pub struct Cli {
    /// Sort by cumulative data
    #[arg(long)]
    pub cum: bool,
    /// Subtract BASE from the profiles before display; stacks cancel out by name
    #[arg(long)]
    pub base: Option<PathBuf>,
    /// Run in interactive mode [default on a terminal]
    #[arg(long)]
    pub interactive: bool,
    /// Length of time for dynamic profiles
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub seconds: u64,
    /// Read additional symbols and line info from the given library
    #[arg(long = "add_lib", value_name = "FILE")]
    pub add_lib: Option<PathBuf>,
    /// Directories below which the files of the profile lie, parted by commas
    #[arg(long = "lib_prefix", value_name = "DIR", value_delimiter = ',')]
    pub lib_prefix: Vec<PathBuf>,

    #[command(flatten)]
    grain: Grain,
    /// What to write.
    #[command(flatten)]
    pub mode: Mode,
    #[command(flatten)]
    heap: Heap,
    #[command(flatten)]
    delay: Delay,
    #[command(flatten)]
    graph: CallGraph,

    /// Tools of binutils and where they lie; none is needed here
    #[arg(long, help_heading = "Miscellaneous", value_name = "PREFIX")]
    tools: Option<String>,
    /// Run unit tests; those of this program are run when it is built
    #[arg(long, help_heading = "Miscellaneous")]
    pub test: bool,
    /// Find debug symbol files by build ID as well as by name [always]
    #[arg(long = "debug-syms-by-id", help_heading = "Miscellaneous")]
    debug_syms_by_id: bool,
    /// Say which files are looked at
    #[arg(long, help_heading = "Miscellaneous", hide = true)]
    pub debug: bool,
    #[arg(long = "test_stride", hide = true, value_name = "N")]
    test_stride: Option<u64>,

    /// The program, its profiles, hosts
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
struct Grain {
    /// Report at address level
    #[arg(long, help_heading = "Reporting granularity")]
    addresses: bool,
    /// Report at source line level
    #[arg(long, help_heading = "Reporting granularity")]
    lines: bool,
    /// Report at function level [default]
    #[arg(long, help_heading = "Reporting granularity")]
    functions: bool,
    /// Report at source file level
    #[arg(
        long = "files",
        id = "by_files",
        help_heading = "Reporting granularity"
    )]
    files: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Heap {
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
    /// Ignore negative differences
    #[arg(long = "drop_negative", help_heading = "Heap value")]
    drop_negative: bool,
    /// Show samples of this kind; dumps may hold others than malloc's
    #[arg(
        long,
        help_heading = "Heap value",
        default_value = model::MALLOC,
        value_name = "NAME"
    )]
    kind: String,
}

#[derive(Clone, Debug, clap::Args)]
struct Delay {
    /// Display total delay at each region [default]
    #[arg(
        long = "total_delay",
        help_heading = "Contention value",
        group = "delay"
    )]
    total_delay: bool,
    /// Display number of delays at each region
    #[arg(long, help_heading = "Contention value", group = "delay")]
    contentions: bool,
    /// Display mean delay at each region
    #[arg(
        long = "mean_delay",
        help_heading = "Contention value",
        group = "delay"
    )]
    mean_delay: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct CallGraph {
    /// Show at most so many nodes
    #[arg(
        long,
        help_heading = "Call graph",
        default_value_t = 80,
        value_name = "N"
    )]
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
    #[arg(
        long,
        help_heading = "Call graph",
        default_value_t = 8,
        value_name = "N"
    )]
    maxdegree: usize,
    /// Focus on backtraces with nodes matching REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    focus: Option<Pattern>,
    /// Show profile for thread N, `*` for each one
    #[arg(long, help_heading = "Call graph", value_name = "N")]
    thread: Option<String>,
    /// Ignore backtraces with nodes matching REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    ignore: Option<Pattern>,
    /// Set GV scaling; it is the viewer's own here
    #[arg(long, help_heading = "Call graph", value_name = "N")]
    scale: Option<String>,
    /// Make nodes with non-0 object counts (i.e. direct leak generators) more visible
    #[arg(long, help_heading = "Call graph")]
    heapcheck: bool,
    /// Retain only nodes that match REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    retain: Option<Pattern>,
    /// Exclude all nodes that match REGEXP
    #[arg(long, help_heading = "Call graph", value_name = "REGEXP")]
    exclude: Option<Pattern>,
    /// Whole names in the table, with their template arguments
    #[arg(long = "full-names", help_heading = "Call graph")]
    full_names: bool,
}

/// Whose samples are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadChoice {
    /// Of all together.
    Whole,
    /// Of one, or of none if there is no such thread.
    One(Option<u64>),
    /// Of each, one after the other.
    Each,
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
    let args =
        argv::normalise(args).map_err(|text| usage(&format!("{text}\nInvalid option(s)")))?;
    let name = OsString::from("jeprof-compat");
    let cli = Cli::try_parse_from([name].into_iter().chain(args)).map_err(from_clap)?;
    match cli.files.is_empty() && !cli.test {
        true => Err(usage("Did not specify program")),
        false => Ok(cli),
    }
}

fn from_clap(error: clap::Error) -> Stop {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Answer(error.to_string()),
        ErrorKind::ArgumentConflict => usage(conflict(&error.to_string())),
        _ => {
            // clap says what is wrong in its first paragraph.
            let text = error.to_string();
            let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
            let text = first.join(" ");
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Stop::Error(format!("jeprof-compat: {text}"))
        }
    }
}

/// `jeprof`'s words for two options of one group.
fn conflict(clap_text: &str) -> &'static str {
    let names_any = |names: &[&str]| names.iter().any(|n| clap_text.contains(n));
    if names_any(&["--inuse_", "--alloc_"]) {
        "Specify at most one of --inuse/--alloc options"
    } else if names_any(&["--contentions", "_delay"]) {
        "Specify at most one of --total_delay, --contentions, --mean_delay"
    } else if names_any(&["--functions", "--lines", "--addresses", "--files"]) {
        "Only specify one output granularity option"
    } else {
        "Only specify one output mode"
    }
}

/// As `jeprof`: the reason, the usage, and the reason again as a reminder.
pub fn usage(reason: &str) -> Stop {
    use clap::CommandFactory;
    let help = Cli::command().render_help();
    let last = reason.lines().next_back().unwrap_or_default();
    Stop::Error(format!("{reason}\n\n{help}\nFATAL ERROR: {last}"))
}

impl Cli {
    /// Which samples, by their kind.
    pub fn kind(&self) -> &str {
        &self.heap.kind
    }

    /// Which value of what was measured.
    pub fn value(&self, measure: Measure) -> ValueKind {
        let heap = &self.heap;
        let delay = &self.delay;
        match measure {
            // jeprof counts samples of time, not the time they stand for.
            Measure::Time => ValueKind::InuseObjects,
            Measure::Delay if delay.contentions => ValueKind::InuseObjects,
            Measure::Delay if delay.mean_delay => ValueKind::Mean,
            Measure::Delay => ValueKind::InuseSpace,
            Measure::Memory if heap.inuse_objects => ValueKind::InuseObjects,
            Measure::Memory if heap.alloc_space => ValueKind::AllocSpace,
            Measure::Memory if heap.alloc_objects => ValueKind::AllocObjects,
            Measure::Memory => ValueKind::InuseSpace,
        }
    }

    /// Bytes are bytes, not megabytes.
    pub fn show_bytes(&self) -> bool {
        self.heap.show_bytes
    }

    /// Names are whole, not as short as those of `jeprof`.
    pub fn full_names(&self) -> bool {
        self.graph.full_names
    }

    /// What makes a frame.
    pub fn granularity(&self) -> Granularity {
        match self.grain {
            Grain { lines: true, .. } => Granularity::Lines,
            Grain {
                addresses: true, ..
            } => Granularity::Addresses,
            Grain { files: true, .. } => Granularity::Files,
            _ => Granularity::Functions,
        }
    }

    /// Which value, which frames and which stacks, for one way of output.
    pub fn selection(&self, measure: Measure, output: &Output) -> Selection {
        let graph = &self.graph;
        Selection {
            value: self.value(measure),
            granularity: self.granularity(),
            filter: Filter {
                focus: graph.focus.clone(),
                ignore: graph.ignore.clone(),
                retain: graph.retain.clone(),
                exclude: graph.exclude.clone(),
            },
            drops_negative: self.heap.drop_negative,
            is_short: *output == Output::Text && !self.full_names(),
            marks_inlined: matches!(output, Output::Text | Output::Dot | Output::Collapsed),
            ..Selection::default()
        }
    }

    /// Is anything chosen that is less than the whole of malloc's samples?
    pub fn is_part(&self) -> bool {
        let graph = &self.graph;
        let patterns = [&graph.focus, &graph.ignore, &graph.retain, &graph.exclude];
        let is_chosen = patterns.iter().any(|pattern| pattern.is_some());
        is_chosen || self.heap.kind != model::MALLOC || self.graph.thread.is_some()
    }

    /// Whose samples.
    pub fn threads(&self) -> ThreadChoice {
        match self.graph.thread.as_deref() {
            None => ThreadChoice::Whole,
            Some("*") => ThreadChoice::Each,
            Some(number) => ThreadChoice::One(number.trim().parse().ok()),
        }
    }

    /// Are boxes with a value of their own to be seen at once?
    pub fn heapcheck(&self) -> bool {
        self.graph.heapcheck
    }

    /// How much of the graph is dropped.
    pub fn trim(&self) -> Trim {
        Trim {
            node_count: self.graph.nodecount,
            node_fraction: self.graph.nodefraction,
            edge_fraction: self.graph.edgefraction,
            max_degree: self.graph.maxdegree,
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

    fn output(line: &str) -> Output {
        cli(line).unwrap().mode.output(false)
    }

    #[test]
    fn defaults_are_those_of_jeprof() {
        let cli = cli("prog a.heap b.heap").unwrap();
        assert_eq!(cli.mode.output(false), Output::Text);
        assert_eq!(cli.mode.output(true), Output::Interactive);
        let trim = cli.trim();
        assert_eq!((trim.node_count, trim.max_degree), (80, 8));
        assert_eq!((trim.node_fraction, trim.edge_fraction), (0.005, 0.001));
        assert_eq!(cli.value(Measure::Memory), ValueKind::InuseSpace);
        assert_eq!(cli.value(Measure::Time), ValueKind::InuseObjects);
        assert_eq!(cli.files.len(), 3);
    }

    #[test]
    fn options_reach_their_place() {
        let cli = cli("-svg --alloc_ob --addr --focus=a|b --show_bytes --thread 3 p f").unwrap();
        let selection = cli.selection(Measure::Memory, &Output::Svg);
        assert_eq!(selection.value, ValueKind::AllocObjects);
        assert_eq!(selection.granularity, Granularity::Addresses);
        assert_eq!(selection.filter.focus.unwrap().as_str(), "a|b");
        assert_eq!(cli.threads(), ThreadChoice::One(Some(3)));
        assert!(cli.is_part() && cli.show_bytes());
        assert_eq!(output("--callg p f"), Output::Callgrind);
        assert_eq!(output("-gif p f"), Output::Gif);
        assert!(matches!(output("-lis x p f"), Output::List(re) if re.as_str() == "x"));
        assert_eq!(output("--files p f"), Output::Text);
    }

    #[test]
    fn refusals() {
        assert!(error("--text --svg p f").ends_with("FATAL ERROR: Only specify one output mode"));
        let two_values = error("--inuse_space --alloc_space p f");
        assert!(two_values.starts_with("Specify at most one of --inuse/--alloc options"));
        assert!(error("--lines --files p f").contains("one output granularity"));
        assert!(error("").ends_with("FATAL ERROR: Did not specify program"));
        assert!(error("--bogus p f").starts_with("Unknown option: bogus\nInvalid option(s)\n"));
        assert!(error("--nodecount=x p f").contains("--nodecount"));
        let pattern = error("--focus=( p f");
        assert!(
            pattern.contains("--focus") && pattern.lines().count() == 1,
            "{pattern}"
        );
    }

    #[test]
    fn help_and_version_are_answers() {
        assert!(matches!(cli("--help"), Err(Stop::Answer(text)) if text.contains("--maxdegree")));
        assert!(matches!(cli("--version"), Err(Stop::Answer(_))));
    }
}

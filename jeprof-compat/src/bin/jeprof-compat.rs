//! `jeprof-compat`: the options and the text of jemalloc's `jeprof`, without Perl, binutils or
//! Graphviz. Parses, runs, and turns the result into an exit code; data goes to stdout, talk to
//! stderr.

use std::process::ExitCode;

use jeprof_compat::command::jeprof;

fn main() -> ExitCode {
    jeprof::main(std::env::args_os().skip(1))
}

//! `jeprof-compat`: the options and the text of jemalloc's `jeprof`, without Perl, binutils or
//! Graphviz. Parses, runs, and turns the result into an exit code; data goes to stdout, talk to
//! stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use jeprof_compat::command::console::{JEPROF, say};
use jeprof_compat::command::jeprof::options::{self, Stop};
use jeprof_compat::command::jeprof::run;

fn main() -> ExitCode {
    match options::parse(std::env::args_os().skip(1)) {
        Ok(cli) => JEPROF.finish(run(&cli).map(|()| 0)),
        Err(Stop::Answer(answer)) => {
            let written = writeln!(io::stdout(), "{}", answer.trim_end());
            JEPROF.finish(written.map(|()| 0).map_err(Into::into))
        }
        Err(Stop::Error(error)) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

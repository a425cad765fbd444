//! `malloscope`: the command a person types. Parses, runs, and turns the result into an exit code. Under the
//! name of jeprof it is `jeprof-compat`.

use std::process::ExitCode;

use clap::Parser;
use jeprof_compat::command::cli::Cli;
use jeprof_compat::command::jeprof;

fn main() -> ExitCode {
    if jeprof::is_called() {
        return jeprof::main(std::env::args_os().skip(1));
    }
    Cli::parse().run()
}

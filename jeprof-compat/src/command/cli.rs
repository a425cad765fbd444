//! The command line of `malloscope`: its commands, and which function runs each.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::console::MALLOSCOPE;
use crate::command::{
    control, diff, doctor, env, export, jeprof, mcp, merge, metrics, push, report, run, suspects,
    symbolize, top, unpack,
};

/// Finds what a running program allocates and does not give back.
#[derive(Parser)]
#[command(name = "malloscope", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Doctor(doctor::Args),
    Env(env::Args),
    Suspects(suspects::Args),
    Report(report::Args),
    Diff(diff::Args),
    Table(export::TableArgs),
    Flame(export::FlameArgs),
    Graph(export::GraphArgs),
    Convert(export::ConvertArgs),
    Symbolize(symbolize::Args),
    Mcp(mcp::Args),
    Merge(merge::Args),
    Metrics(metrics::Args),
    Push(push::Args),
    Dump(control::DumpArgs),
    /// Switch sampling on in a program that runs
    Start(control::Process),
    /// Switch sampling off in a program that runs; what was sampled stays
    Stop(control::Process),
    /// Forget all samples of a program that runs
    Reset(control::Process),
    Rate(control::RateArgs),
    Status(control::StatusArgs),
    Top(top::Args),
    /// The options and the text of jemalloc's jeprof, as jeprof-compat has them
    #[command(disable_help_flag = true)]
    Jeprof {
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGUMENTS"
        )]
        arguments: Vec<OsString>,
    },
    Unpack(unpack::Args),
}

impl Cli {
    /// Runs the command that was typed, and turns the result into an exit code.
    pub fn run(self) -> ExitCode {
        use control::{Request, control};
        match self.command {
            Command::Jeprof { arguments } => jeprof::main(arguments.into_iter()),
            Command::Unpack(args) => MALLOSCOPE.finish(unpack::unpack(&args)),
            Command::Run(args) => ExitCode::from(run::run(&args)),
            Command::Doctor(args) => ExitCode::from(doctor::doctor(&args)),
            Command::Env(args) => ExitCode::from(env::env(&args)),
            Command::Suspects(args) => MALLOSCOPE.finish(suspects::suspects(&args)),
            Command::Report(args) => MALLOSCOPE.finish(report::report(&args)),
            Command::Diff(args) => MALLOSCOPE.finish(diff::diff(&args)),
            Command::Table(args) => MALLOSCOPE.finish(export::table(&args)),
            Command::Flame(args) => MALLOSCOPE.finish(export::flame(&args)),
            Command::Graph(args) => MALLOSCOPE.finish(export::graph(&args)),
            Command::Convert(args) => MALLOSCOPE.finish(export::convert(&args)),
            Command::Symbolize(args) => MALLOSCOPE.finish(symbolize::symbolize(&args)),
            Command::Mcp(args) => MALLOSCOPE.finish(mcp::mcp(&args)),
            Command::Merge(args) => MALLOSCOPE.finish(merge::merge(&args)),
            Command::Metrics(args) => MALLOSCOPE.finish(metrics::metrics(&args)),
            Command::Push(args) => MALLOSCOPE.finish(push::push(&args)),
            Command::Dump(args) => ExitCode::from(control(&Request::Dump(args))),
            Command::Start(process) => ExitCode::from(control(&Request::Start(process))),
            Command::Stop(process) => ExitCode::from(control(&Request::Stop(process))),
            Command::Reset(process) => ExitCode::from(control(&Request::Reset(process))),
            Command::Rate(args) => ExitCode::from(control(&Request::Rate(args))),
            Command::Status(args) => ExitCode::from(control(&Request::Status(args))),
            Command::Top(args) => ExitCode::from(top::top(&args)),
        }
    }
}

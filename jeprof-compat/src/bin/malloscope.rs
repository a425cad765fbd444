//! `malloscope`: the command a person types. Parses, runs, and turns the result into an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jeprof_compat::command::console::MALLOSCOPE;
use jeprof_compat::command::{control, diff, doctor, env, export, report, run, suspects, top};

/// Finds what a running program allocates and does not give back.
#[derive(Parser)]
#[command(name = "malloscope", version)]
struct Cli {
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
}

fn main() -> ExitCode {
    use control::{Request, control};
    match Cli::parse().command {
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
        Command::Dump(args) => ExitCode::from(control(&Request::Dump(args))),
        Command::Start(process) => ExitCode::from(control(&Request::Start(process))),
        Command::Stop(process) => ExitCode::from(control(&Request::Stop(process))),
        Command::Reset(process) => ExitCode::from(control(&Request::Reset(process))),
        Command::Rate(args) => ExitCode::from(control(&Request::Rate(args))),
        Command::Status(args) => ExitCode::from(control(&Request::Status(args))),
        Command::Top(args) => ExitCode::from(top::top(&args)),
    }
}

//! `malloscope`: the command a person types. Parses, runs, and turns the result into an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
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
        Command::Suspects(args) => finish(suspects::suspects(&args)),
        Command::Report(args) => finish(report::report(&args)),
        Command::Diff(args) => finish(diff::diff(&args)),
        Command::Table(args) => finish(export::table(&args)),
        Command::Flame(args) => finish(export::flame(&args)),
        Command::Graph(args) => finish(export::graph(&args)),
        Command::Convert(args) => finish(export::convert(&args)),
        Command::Dump(args) => ExitCode::from(control(&Request::Dump(args))),
        Command::Start(process) => ExitCode::from(control(&Request::Start(process))),
        Command::Stop(process) => ExitCode::from(control(&Request::Stop(process))),
        Command::Reset(process) => ExitCode::from(control(&Request::Reset(process))),
        Command::Rate(args) => ExitCode::from(control(&Request::Rate(args))),
        Command::Status(args) => ExitCode::from(control(&Request::Status(args))),
        Command::Top(args) => ExitCode::from(top::top(&args)),
    }
}

/// A reader that went away (`| head`) has seen enough: no error.
fn finish(result: Result<u8>) -> ExitCode {
    let error = match result {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    let io_error = error.downcast_ref::<io::Error>();
    if io_error.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    let text: String = format!("malloscope: {error:#}\n")
        .chars()
        .map(shown)
        .collect();
    // Nobody may be there to read it.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

//! `malloscope`: the command a person types. Parses, runs, and turns the result into an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jeprof_compat::{doctor, env, run};

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
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => ExitCode::from(run::run(&args)),
        Command::Doctor(args) => ExitCode::from(doctor::doctor(&args)),
        Command::Env(args) => ExitCode::from(env::env(&args)),
    }
}

//! `malloscope dump`, `start`, `stop`, `reset`, `rate` and `status`: a program that runs is asked
//! through its control socket.

pub mod socket;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::console;
use crate::command::machine;
use crate::figures::quantity::{self, Rate};
use crate::figures::words;
use crate::profile::read::losses;
use crate::report::sample_rate;

/// Which program.
#[derive(clap::Args, Clone, Debug)]
pub struct Process {
    /// Its process, started with `prof:true,prof_control:true`
    pub pid: u32,
}

/// Write a dump of a program that runs, now
#[derive(clap::Args, Clone, Debug)]
pub struct DumpArgs {
    #[command(flatten)]
    process: Process,
    /// Take the dump through the socket and write it here
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Change the mean distance between the samples of a program that runs
#[derive(clap::Args, Clone, Debug)]
pub struct RateArgs {
    #[command(flatten)]
    process: Process,
    /// Bytes, as in 512k or 2m; the nearest power of two is taken. auto: as dense as the budget allows
    #[arg(value_parser = quantity::lg_rate)]
    rate: Rate,
}

/// Say what the profiler of a program that runs is doing
#[derive(clap::Args, Clone, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    process: Process,
    /// Machine-readable output
    #[arg(long)]
    json: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// A dump.
    Dump(DumpArgs),
    /// Sampling on.
    Start(Process),
    /// Sampling off.
    Stop(Process),
    /// All samples forgotten.
    Reset(Process),
    /// Another rate.
    Rate(RateArgs),
    /// What it is doing.
    Status(StatusArgs),
}

/// Asks, prints the answer, and says how it went: the exit status.
pub fn control(request: &Request) -> u8 {
    match answer(request) {
        Ok(text) => {
            if !text.is_empty() {
                console::print(&text);
            }
            0
        }
        Err(error) => {
            console::say(&format!("malloscope: {error:#}"));
            1
        }
    }
}

fn answer(request: &Request) -> Result<String> {
    let simple = |process: &Process, line: &str| {
        let answer = socket::ask(process.pid, line)?;
        let text = String::from_utf8_lossy(&answer);
        let said = text.strip_prefix("ok").map(str::trim);
        said.map(str::to_owned).context("an answer that is none")
    };
    match request {
        Request::Dump(args) => match &args.output {
            None => simple(&args.process, "dump"),
            Some(file) => {
                let profile = socket::ask(args.process.pid, "profile")?;
                if !profile.ends_with(b"\n# end\n") {
                    bail!("process {}: the profile was cut off", args.process.pid);
                }
                std::fs::write(file, profile).with_context(|| file.display().to_string())?;
                Ok(file.display().to_string())
            }
        },
        Request::Start(process) => changed(process, "start"),
        Request::Stop(process) => changed(process, "stop"),
        Request::Reset(process) => {
            simple(process, "reset")?;
            Ok("all samples are forgotten".to_owned())
        }
        Request::Rate(args) => changed(&args.process, &format!("rate {}", args.rate)),
        Request::Status(args) => {
            let text = status(&args.process)?;
            match args.json {
                true => {
                    let status: Value = serde_json::from_str(&text)?;
                    Ok(machine::answer("status", status)?.trim_end().to_owned())
                }
                false => Ok(describe(&serde_json::from_str(&text)?)),
            }
        }
    }
}

/// Asks for a change, and says what holds then: the nearest rate is taken, not each.
fn changed(process: &Process, line: &str) -> Result<String> {
    socket::ask(process.pid, line)?;
    Ok(sampling(&serde_json::from_str(&status(process)?)?))
}

fn status(process: &Process) -> Result<String> {
    let answer = socket::ask(process.pid, "status")?;
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

/// The first words of a status: `sampling on, once in 512 KB`.
pub fn sampling(status: &Value) -> String {
    let period = status["period_bytes"].as_u64().unwrap_or(0);
    let state = status["sampling"].as_str().unwrap_or("?");
    let by_itself = match status["prof_budget_per_mille"].as_u64() {
        Some(1..) => " (auto)",
        _ => "",
    };
    let period = words::period(period);
    format!("sampling {state}, once in {period}{by_itself}")
}

/// The status for a person.
fn describe(status: &Value) -> String {
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let bytes = |key: &str| words::bytes(number(key) as f64);
    let mut lines = vec![
        format!(
            "{}; {} since the start, {}",
            sampling(status),
            words::duration(number("uptime_ms") as f64 / 1000.0),
            words::count(number("dumps"), "dump")
        ),
        format!(
            "live {} by {} of {}; RSS {} (at most {}), of it the profiler's {}",
            bytes("live_bytes"),
            words::count(number("live_samples"), "sample"),
            words::count(number("stacks"), "stack"),
            bytes("rss_bytes"),
            bytes("rss_peak_bytes"),
            bytes("profiler_bytes")
        ),
    ];
    if let (Some(budget), Some(cpu @ 1..)) = (
        status["prof_budget_per_mille"].as_u64(),
        status["cpu_us"].as_u64(),
    ) {
        let spent = number("budget_spent_us") as f64 / cpu as f64;
        lines.push(sample_rate::budget_words(spent, budget as f64 / 1000.0));
    }
    let counter = |name: &str| status["counters"][name].as_u64();
    lines.extend(losses::of_counters(counter));
    let remarks = status["remarks"].as_array().into_iter().flatten();
    lines.extend(remarks.filter_map(Value::as_str).map(str::to_owned));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_like_a_sentence() {
        let status = serde_json::json!({
            "sampling": "on", "period_bytes": 524288, "uptime_ms": 61_000, "dumps": 2,
            "live_bytes": 10 << 20, "live_samples": 40, "stacks": 7, "rss_bytes": 30 << 20,
            "rss_peak_bytes": 31 << 20, "profiler_bytes": 1 << 20,
            "prof_budget_per_mille": 10, "budget_spent_us": 7_000, "cpu_us": 1_000_000,
            "counters": {"reentered": 9, "unwind_no_info": 3, "free_lost": 2},
            "remarks": ["no thread can be started"]
        });
        assert_eq!(
            describe(&status),
            "sampling on, once in 512 KB (auto); 1 min 1 s since the start, 2 dumps\n\
             live 10.0 MB by 40 samples of 7 stacks; RSS 30.0 MB (at most 31.0 MB), of it the \
             profiler's 1.0 MB\nsampling took 0.7 % of the processor time; it may take 1.0 %\n\
             2 samples are shown as live although their blocks were freed\nno thread can be started"
        );
    }
}

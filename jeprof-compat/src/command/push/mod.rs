//! `malloscope push`: what programs hold, sent to an engine that keeps profiles of a fleet.
//!
//! Only what is live is sent: engines add what profiles have in common up, and what was ever allocated would be
//! added again at each push. Threads are left out, because an engine makes a series of each label.
//!
//! `api` is the form of a request, `send` how it gets there.

mod api;
mod send;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::analysis::series::{Process, Series};
use crate::command::console::MALLOSCOPE;
use crate::command::labels::Labels;
use crate::command::metrics;
use crate::figures::{quantity, words};
use crate::profile::model::{MALLOC, Profile, Values};
use crate::stacks::filter::Filter;
use crate::symbolize::Locator;
use crate::view::format::pprof;
use api::{Api, Pushed};

/// Servers refuse what is older.
const OLDEST: f64 = 3600.0;

/// Send what a program holds to Pyroscope or Parca
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A directory with dumps, or a process that listens (`prof_control:true`)
    #[arg(value_name = "DIR|PID")]
    source: String,
    #[command(flatten)]
    target: Target,
    /// Again and again, as in 60s: as long as the process runs, or new dumps come
    #[arg(long, value_name = "TIME", value_parser = quantity::seconds)]
    every: Option<u64>,
    #[command(flatten)]
    labels: Labels,
    /// Send samples of this kind: `java_heap`, `mmap`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    kind: String,
}

/// Where it goes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// The server, as in http://pyroscope:4040
    #[arg(long, value_name = "URL")]
    to: String,
    /// What the server speaks
    #[arg(long, value_enum, default_value_t = Api::Pyroscope)]
    api: Api,
}

/// Sends; the answer is the exit code.
pub fn push(args: &Args) -> Result<u8> {
    let mut sent = BTreeSet::new();
    let Some(every) = args.every.filter(|every| *every > 0) else {
        let new = once(args, &mut sent)?;
        if new == 0 {
            bail!(
                "every dump is older than an hour, which servers refuse; prof_timer makes younger ones"
            );
        }
        return Ok(0);
    };
    loop {
        if let Err(error) = once(args, &mut sent) {
            if is_gone(&args.source) {
                return Ok(0);
            }
            // The next may get through.
            MALLOSCOPE.warn(&[format!("{error:#}")]);
        }
        std::thread::sleep(Duration::from_secs(every));
    }
}

fn is_gone(source: &str) -> bool {
    let pid = source.parse::<u32>();
    pid.is_ok_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
}

/// Sends of each process the last dump that was not sent yet; how many were young enough.
fn once(args: &Args, sent: &mut BTreeSet<PathBuf>) -> Result<usize> {
    let mut series = metrics::taken(&args.source)?;
    series.symbolize(&Locator::default());
    MALLOSCOPE.warn(&series.notes);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0.0, |since| since.as_secs_f64());
    let young: Vec<&Process> = young(&series, now).collect();
    let is_file = args.source.parse::<u32>().is_err();
    for process in &young {
        let Some(dump) = process.dumps.last() else {
            continue;
        };
        if is_file && sent.contains(&dump.path) {
            continue;
        }
        let pushed = pushed(&dump.profile, args)?;
        send::send(&args.target.to, &args.target.api.request(&pushed)?)?;
        let size = words::bytes(pushed.profile.len() as f64);
        MALLOSCOPE.warn(&[format!("{}: sent, {size} packed", dump.path.display())]);
        sent.insert(dump.path.clone());
    }
    Ok(young.len())
}

fn young(series: &Series, now: f64) -> impl Iterator<Item = &Process> {
    series.processes.iter().filter(move |process| {
        let written = process.last().process.get("time_unix_ms");
        let written = written.and_then(|text| text.parse::<f64>().ok());
        written.is_none_or(|ms| now - ms / 1000.0 < OLDEST)
    })
}

fn pushed(profile: &Profile, args: &Args) -> Result<Pushed> {
    let kind = (args.kind != MALLOC).then_some(args.kind.as_str());
    if kind.is_some_and(|kind| !profile.other_kinds.contains_key(kind)) {
        bail!("there are no samples of the kind {}", args.kind);
    }
    let program = profile.process.program();
    let service = args.labels.service().unwrap_or_else(|| program.to_owned());
    let name = match kind {
        None => "memory",
        Some(kind) => kind,
    };
    let mut labels = vec![
        ("__name__".to_owned(), name.to_owned()),
        ("service_name".to_owned(), service),
    ];
    if let Some(host) = profile.process.get("host") {
        labels.push(("host".to_owned(), host.to_owned()));
    }
    labels.extend(args.labels.labels.iter().cloned());
    labels.sort();
    let message = pprof::encode(&live(profile), kind, &Filter::default());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&message)?;
    Ok(Pushed {
        labels,
        profile: gzip.finish()?,
    })
}

/// What is live, without its threads.
fn live(profile: &Profile) -> Profile {
    let mut live = profile.clone();
    let others = live
        .other_kinds
        .values_mut()
        .flat_map(|kind| &mut kind.samples);
    for sample in live.samples.iter_mut().chain(others) {
        sample.threads.clear();
        sample.values = Values {
            alloc_objects: 0.0,
            alloc_space: 0.0,
            ..sample.values
        };
    }
    live
}

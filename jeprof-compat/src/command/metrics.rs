//! `malloscope metrics`: what services hold and leak, for Prometheus and what reads its text.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::analysis::held::Held;
use crate::analysis::series::{Dump, Exit, Process, Series};
use crate::analysis::suspects::Verdict;
use crate::command::console::{self, MALLOSCOPE};
use crate::command::control::socket;
use crate::command::labels::Labels;
use crate::figures::Estimate;
use crate::profile::model::MALLOC;
use crate::profile::read;
use crate::stacks::filter::Filter;
use crate::symbolize::Locator;
use crate::view::format::metrics::{self, Place, Service};
use crate::view::sentences::survey::Survey;

/// Seconds.
const HOUR: f64 = 3600.0;

/// Print what services hold and leak as OpenMetrics text, for Prometheus
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A directory with dumps, or a process that listens (`prof_control:true`)
    #[arg(value_name = "DIR|PID")]
    source: String,
    /// The name of the service [default: OTEL_SERVICE_NAME, else the program's]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// Prints; the answer is the exit code.
pub fn metrics(args: &Args) -> Result<u8> {
    let mut series = taken(&args.source)?;
    series.symbolize(&Locator::default());
    MALLOSCOPE.warn(&series.notes);
    let survey = Survey::of(&series, 0.0);
    let labels = Labels {
        service: args.service.clone(),
        ..Labels::default()
    };
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for at in running(&series) {
        let process = &series.processes[at];
        let name = labels
            .service()
            .unwrap_or_else(|| process.last().process.program().to_owned());
        let service = services.entry(name.clone()).or_default();
        service.name = name;
        add(service, process);
        judge(service, &survey, at);
    }
    let services: Vec<Service> = services.into_values().collect();
    console::print(metrics::write(&services).trim_end());
    Ok(0)
}

/// The dumps of a directory or, of a process that runs, one that it makes now.
pub(crate) fn taken(source: &str) -> Result<Series> {
    let Ok(pid) = source.parse::<u32>() else {
        return Series::read(&[PathBuf::from(source)]);
    };
    let bytes = socket::ask(pid, "profile")?;
    if !bytes.ends_with(b"\n# end\n") {
        bail!("process {pid}: the profile was cut off");
    }
    let name = format!("pid {pid}");
    let (profile, notes) = read::parse(&bytes, &name)?;
    let uptime = profile
        .process
        .get("uptime_ms")
        .and_then(|text| text.parse().ok());
    let dump = Dump {
        path: name.clone().into(),
        at: uptime.unwrap_or(0.0) / 1000.0,
        profile,
    };
    Ok(Series {
        notes,
        ..Series::of(&name, vec![dump])
    })
}

/// The processes that did not end, by their dumps; the last that did, where all have.
fn running(series: &Series) -> Vec<usize> {
    let has_ended = |at: &usize| {
        let process = &series.processes[*at];
        process.last().process.get("trigger") == Some("final") || process.exit != Exit::Whole
    };
    let (ended, running): (Vec<usize>, Vec<usize>) =
        (0..series.processes.len()).partition(has_ended);
    if !running.is_empty() {
        return running;
    }
    let written = |at: &usize| number(&series.processes[*at], "time_unix_ms");
    let last = ended
        .into_iter()
        .max_by(|a, b| written(a).total_cmp(&written(b)));
    last.into_iter().collect()
}

fn number(process: &Process, key: &str) -> f64 {
    let text = process.last().process.get(key);
    text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

fn add(service: &mut Service, process: &Process) {
    service.processes += 1;
    service.rss += number(process, "rss_bytes");
    service.written = service
        .written
        .max(number(process, "time_unix_ms") / 1000.0);
    for kind in process.kinds() {
        let held = Held::of(process.last(), kind.as_deref(), &Filter::default());
        for stack in &held.stacks {
            let frame = &held.frames[stack.culprit];
            let place = Place {
                kind: kind.clone().unwrap_or_else(|| MALLOC.to_owned()),
                culprit: frame.name.clone(),
                module: frame.module.clone().unwrap_or_default(),
            };
            let sum = service.live.entry(place).or_default();
            sum.0 += stack.bytes;
            sum.1 += stack.variance;
        }
    }
}

/// The verdicts of one process: the worst of all counts.
fn judge(service: &mut Service, survey: &Survey, at: usize) {
    for (kind, findings) in survey.found(at) {
        let kind = kind.clone().unwrap_or_else(|| MALLOC.to_owned());
        let verdict = findings.conclusion.verdict;
        let worst = service.verdicts.entry(kind.clone()).or_insert(verdict);
        *worst = verdict.min(*worst);
        let leaks = findings.suspects.iter();
        for leak in leaks.filter(|suspect| suspect.verdict == Verdict::Leak) {
            let module = leak.place.rsplit_once(" in ");
            let place = Place {
                kind: kind.clone(),
                culprit: leak.culprit.clone(),
                module: module.map_or("", |(_, module)| module).to_owned(),
            };
            let rate = leak.rate.unwrap_or_default();
            let sum = service.leaks.entry(place).or_default();
            *sum = Estimate {
                value: sum.value + rate.value / HOUR,
                low: sum.low + rate.low / HOUR,
                high: sum.high + rate.high / HOUR,
            };
        }
    }
}

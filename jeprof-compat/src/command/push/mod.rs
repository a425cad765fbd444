//! `malloscope push`: what programs hold, sent to an engine that keeps profiles of a fleet.
//!
//! `live` is what is sent of a dump, `api` the form of a request, `send` how it gets there.

mod api;
mod live;
mod send;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::analysis::series::Process;
use crate::command::console::MALLOSCOPE;
use crate::command::labels::Labels;
use crate::command::metrics;
use crate::figures::{quantity, words};
use crate::profile::model::{MALLOC, Profile};
use crate::symbolize::Locator;
pub(crate) use api::Api;
use api::Pushed;

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
    #[command(flatten)]
    labels: Labels,
    /// Again and again, as in 60s: as long as the process runs, or new dumps come
    #[arg(long, value_name = "TIME", value_parser = quantity::seconds)]
    every: Option<u64>,
    /// Send samples of this kind: `java_heap`, `mmap`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    kind: String,
}

/// Where it goes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// The server, as in http://pyroscope:4040
    #[arg(long, value_name = "URL", value_parser = url)]
    to: String,
    /// What the server speaks
    #[arg(long, value_enum, default_value_t = Api::Pyroscope)]
    api: Api,
}

/// Of a server.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    match is_url {
        true => Ok(text.to_owned()),
        false => Err("a URL, as in http://pyroscope:4040".to_owned()),
    }
}

/// Sends; the answer is the exit code.
pub fn push(args: &Args) -> Result<u8> {
    let Target { to, api } = &args.target;
    let mut sender = Sender::new(to, *api, &args.labels, &args.kind);
    let Some(every) = args.every.filter(|every| *every > 0) else {
        if once(args, &mut sender)? == 0 {
            bail!(
                "every dump is older than an hour, which servers refuse; prof_timer makes younger ones"
            );
        }
        return Ok(0);
    };
    loop {
        if let Err(error) = once(args, &mut sender) {
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

/// Sends what is new; how many profiles were sent.
fn once(args: &Args, sender: &mut Sender) -> Result<usize> {
    if args.source.parse::<u32>().is_ok() {
        // Each answer of a process is a new one, under the same name.
        sender.sent.clear();
    }
    let mut series = metrics::taken(&args.source)?;
    series.symbolize(&Locator::default());
    MALLOSCOPE.warn(&series.notes);
    let mut sent = 0;
    for process in &series.processes {
        if let Some(size) = sender.send(process)? {
            let size = words::bytes(size as f64);
            MALLOSCOPE.warn(&[format!("{}: sent, {size} packed", process.name)]);
            sent += 1;
        }
    }
    Ok(sent)
}

/// Sends dumps to one server, each once.
pub(crate) struct Sender {
    to: String,
    api: Api,
    labels: Labels,
    kind: String,
    sent: BTreeSet<PathBuf>,
}

impl Sender {
    pub(crate) fn new(to: &str, api: Api, labels: &Labels, kind: &str) -> Sender {
        Sender {
            to: to.to_owned(),
            api,
            labels: labels.clone(),
            kind: kind.to_owned(),
            sent: BTreeSet::new(),
        }
    }

    /// Sends the last dump of a process, whose frames have names; the answer is how many bytes that were, `None`
    /// where it is too old, or was sent.
    pub(crate) fn send(&mut self, process: &Process) -> Result<Option<usize>> {
        let Some(dump) = process.dumps.last() else {
            return Ok(None);
        };
        if self.sent.contains(&dump.path) || !is_young(&dump.profile) {
            return Ok(None);
        }
        let pushed = self.pushed(&dump.profile)?;
        send::send(&self.to, &self.api.request(&pushed)?)?;
        self.sent.insert(dump.path.clone());
        Ok(Some(pushed.profile.len()))
    }

    fn pushed(&self, profile: &Profile) -> Result<Pushed> {
        let kind = (self.kind != MALLOC).then_some(self.kind.as_str());
        if kind.is_some_and(|kind| !profile.other_kinds.contains_key(kind)) {
            bail!("there are no samples of the kind {}", self.kind);
        }
        let program = profile.process.program();
        let service = self.labels.service().unwrap_or_else(|| program.to_owned());
        let mut labels = vec![
            ("__name__".to_owned(), kind.unwrap_or("memory").to_owned()),
            ("service_name".to_owned(), service),
        ];
        if let Some(host) = profile.process.get("host") {
            labels.push(("host".to_owned(), host.to_owned()));
        }
        labels.extend(self.labels.labels.iter().cloned());
        labels.sort();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&live::pprof(profile, kind))?;
        Ok(Pushed {
            labels,
            profile: gzip.finish()?,
        })
    }
}

fn is_young(profile: &Profile) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0.0, |since| since.as_secs_f64());
    let written = profile.process.get("time_unix_ms");
    let written = written.and_then(|text| text.parse::<f64>().ok());
    written.is_none_or(|ms| now - ms / 1000.0 < OLDEST)
}

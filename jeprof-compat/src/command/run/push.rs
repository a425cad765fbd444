//! `run --push`: the dumps of a run on their way to an engine while the program works.
//!
//! On a thread of its own: a server that does not answer delays neither the program nor the words about it. At
//! the end what is left is sent, and waited for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Plan, progress, say, summary};
use crate::analysis::series::Series;
use crate::command::console::MALLOSCOPE;
use crate::command::labels::Labels;
use crate::command::push::{self, Api, Sender};
use crate::profile::model::MALLOC;
use crate::symbolize::Locator;

/// What the command line says of it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Wish {
    /// Send each dump to Pyroscope or Parca while the program runs, as in http://pyroscope:4040
    #[arg(long = "push", value_name = "URL", value_parser = push::url)]
    to: Option<String>,
    /// What that server speaks
    #[arg(long = "push-api", value_enum, default_value_t = Api::Pyroscope)]
    api: Api,
    #[command(flatten)]
    labels: Labels,
}

impl Wish {
    /// Nothing of it where nothing is sent.
    pub(super) fn check(&self) -> Result<()> {
        let is_idle = self.to.is_none() && self.labels.is_given();
        ensure!(!is_idle, "--service and --label are for --push URL");
        Ok(())
    }

    /// Begins to send dumps that are not in `before`, where that is wished.
    pub(super) fn begin(&self, plan: &Plan, before: &BTreeSet<PathBuf>) -> Option<Pusher> {
        let to = self.to.as_deref()?;
        let mut outbox = Outbox {
            prefix: plan.configuration.prefix.clone(),
            locator: Locator {
                program: Some(plan.program.path.clone()),
                ..Locator::default()
            },
            sender: Sender::new(to, self.api, &self.labels, MALLOC),
            past: before.clone(),
            sent: 0,
        };
        let (end, ended) = mpsc::channel::<()>();
        let interval = plan.interval;
        let thread = thread::spawn(move || {
            outbox.work(&ended, interval);
            outbox.sent
        });
        let to = to.to_owned();
        Some(Pusher { to, end, thread })
    }
}

/// The thread that sends.
pub(super) struct Pusher {
    to: String,
    end: mpsc::Sender<()>,
    thread: JoinHandle<usize>,
}

impl Pusher {
    /// Has it send what is left, and says how much it sent.
    pub(super) fn end(self) {
        drop(self.end);
        let sent = self.thread.join().unwrap_or(0);
        let profiles = if sent == 1 { "profile" } else { "profiles" };
        say(&format_args!("pushed {sent} {profiles} to {}", self.to));
    }
}

struct Outbox {
    prefix: PathBuf,
    locator: Locator,
    sender: Sender,
    /// Dumps that are not looked at: of earlier runs, or older than one that was.
    past: BTreeSet<PathBuf>,
    sent: usize,
}

impl Outbox {
    fn work(&mut self, ended: &mpsc::Receiver<()>, interval: Duration) {
        let mut is_over = false;
        while !is_over {
            is_over = ended.recv_timeout(interval) != Err(RecvTimeoutError::Timeout);
            if let Err(error) = self.send() {
                progress::clear();
                // The next may get through.
                MALLOSCOPE.warn(&[format!("{error:#}")]);
            }
        }
    }

    /// Sends the last dump of each process that has a new one.
    fn send(&mut self) -> Result<()> {
        let now = summary::dumps(&self.prefix);
        let new: Vec<PathBuf> = now.difference(&self.past).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut series = Series::read(&new)?;
        series.symbolize(&self.locator);
        for process in &series.processes {
            let old = process.dumps.iter().rev().skip(1);
            self.past.extend(old.map(|dump| dump.path.clone()));
            self.sent += usize::from(self.sender.send(process)?.is_some());
        }
        Ok(())
    }
}

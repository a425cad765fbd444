//! A process that runs already: whether the profiler is in it, and what it does there. Reads `/proc`, and
//! asks the control socket.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use super::examine;
use super::finding::Finding;
use crate::command::control::sampling;
use crate::command::control::socket::{self, Preloaded};

const ABOUT: &str = "process";

/// What there is to say of the process `pid`, with the program that it runs. `None`: there is no such
/// process.
pub(super) fn process(pid: u32, library: &Result<PathBuf>) -> Option<(PathBuf, Vec<Finding>)> {
    fs::metadata(format!("/proc/{pid}")).ok()?;
    let state = state(pid);
    let (path, mut findings) = match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(path) => {
            let findings = examine::program(&path, library, false);
            (path, findings)
        }
        Err(_) => (PathBuf::from(format!("process {pid}")), Vec::new()),
    };
    findings.push(state);
    Some((path, findings))
}

fn state(pid: u32) -> Finding {
    match socket::ask(pid, "status") {
        Ok(answer) => {
            let status: Value = serde_json::from_slice(&answer).unwrap_or_default();
            let text = format!(
                "process {pid} runs under the profiler: {}",
                sampling(&status)
            );
            Finding::ok(ABOUT, text)
        }
        Err(_) if Preloaded::in_process(pid) == Preloaded::Yes => {
            let text = format!("process {pid} runs with the library, but cannot be asked");
            Finding::note(ABOUT, text).instead("prof_control:true makes it listen")
        }
        Err(error) => Finding::problem(ABOUT, format!("{error:#}")),
    }
}

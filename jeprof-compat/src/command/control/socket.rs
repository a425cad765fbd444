//! The way to the socket of a program that is being profiled.
//!
//! The library listens in the abstract namespace, by the numbers of its pid namespace and of its
//! process there. That namespace belongs to the network's: a process in another one is reached by
//! entering it, which is root's.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

/// Longer than the library gives its own answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the process `pid`; its whole answer.
pub fn ask(pid: u32, line: &str) -> Result<Vec<u8>> {
    let mut stream = connect(pid)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let lost = || format!("process {pid} hung up");
    writeln!(stream, "{line}").with_context(lost)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(lost)?;
    if answer.is_empty() {
        bail!("process {pid} hung up: it belongs to another user, or is busy with others");
    }
    match answer.strip_prefix(b"error ") {
        Some(reason) => bail!(
            "process {pid}: {}",
            String::from_utf8_lossy(reason).trim_end()
        ),
        None => Ok(answer),
    }
}

fn connect(pid: u32) -> Result<UnixStream> {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        bail!("there is no process {pid}");
    };
    if is_zombie(&status) {
        bail!("process {pid} has ended; the process that started it has not asked for its end yet");
    }
    let namespace = |kind: &str| {
        let inode = fs::metadata(format!("/proc/{pid}/ns/{kind}")).map(|data| data.ino());
        inode.map_err(|_| anyhow!("process {pid} is another user's"))
    };
    let pids = namespace("pid")?;
    let inner = inner_pid(&status).unwrap_or(pid);
    let name = format!("malloscope.{pids}.{inner}");
    if namespace("net")? != fs::metadata("/proc/self/ns/net")?.ino() {
        enter_network(pid)?;
    }
    let address = SocketAddr::from_abstract_name(name)?;
    let Ok(stream) = UnixStream::connect_addr(&address) else {
        bail!("process {pid} does not listen: {}", deafness(pid));
    };
    let peer = rustix::net::sockopt::socket_peercred(&stream)?.pid;
    if u32::try_from(peer.as_raw_nonzero().get()) != Ok(pid) {
        bail!("somebody else listens in the place of process {pid}");
    }
    Ok(stream)
}

/// Why a process that is there does not listen, and what to do.
fn deafness(pid: u32) -> String {
    match Preloaded::in_process(pid) {
        Preloaded::Yes => {
            "it was started without prof_control:true, or it has not sampled anything yet"
                .to_owned()
        }
        Preloaded::No => format!(
            "it was started without the profiler, which cannot be added to a process that runs; \
             restart it by {}",
            restart(pid)
        ),
        Preloaded::Unknown => {
            "it was started without the profiler, or without prof_control:true".to_owned()
        }
    }
}

/// How to start the process again, under the profiler.
fn restart(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let command = words.join(" ");
    match command.trim() {
        short if !short.is_empty() && short.len() < 100 => format!("malloscope run -- {short}"),
        _ => "malloscope run -- COMMAND".to_owned(),
    }
}

/// Is the library in a process?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preloaded {
    /// It is mapped there.
    Yes,
    /// It is not.
    No,
    /// The mappings cannot be read.
    Unknown,
}

impl Preloaded {
    /// As `/proc/PID/maps` says.
    pub fn in_process(pid: u32) -> Preloaded {
        match fs::read_to_string(format!("/proc/{pid}/maps")) {
            Ok(maps) if maps.contains("/libmalloscope.so") => Preloaded::Yes,
            Ok(_) => Preloaded::No,
            Err(_) => Preloaded::Unknown,
        }
    }
}

fn is_zombie(status: &str) -> bool {
    let mut lines = status.lines();
    let state = lines.find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| state.trim_start().starts_with('Z'))
}

/// The pid that the process has in its own namespace.
fn inner_pid(status: &str) -> Option<u32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

fn enter_network(pid: u32) -> Result<()> {
    let network = File::open(format!("/proc/{pid}/ns/net"))?;
    let kind = rustix::thread::LinkNameSpaceType::Network;
    rustix::thread::move_into_link_name_space(network.as_fd(), Some(kind)).with_context(|| {
        format!("process {pid} is in another network namespace, for root to enter")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_pid_counts() {
        assert_eq!(
            inner_pid("Name:\tx\nNSpid:\t4711\t12\t1\nThreads:\t2\n"),
            Some(1)
        );
        assert_eq!(inner_pid("NSpid:\t4711\n"), Some(4711));
        assert_eq!(inner_pid("Name:\tx\n"), None);
    }

    #[test]
    fn an_ended_process_is_known_by_its_state() {
        assert!(is_zombie("Name:\tx\nState:\tZ (zombie)\n"));
        assert!(!is_zombie("Name:\tZ\nState:\tS (sleeping)\n"));
    }

    #[test]
    fn who_does_not_listen_is_told_from_who_is_not_there() {
        let error = |pid| ask(pid, "status").expect_err("no socket").to_string();
        let said = error(std::process::id());
        assert!(said.contains("malloscope run -- "), "{said}");
        assert!(!said.contains("os error"), "{said}");
        assert_eq!(
            error(u32::MAX >> 1),
            format!("there is no process {}", u32::MAX >> 1)
        );
    }
}

//! Starts the program, stands by while it runs, and takes its end.
//!
//! Signals: what a terminal sends reaches the program by itself, because it is in our process
//! group, so we only survive it; everything else was meant for the program and is passed on. There
//! is no group of its own for it: it reads from the terminal, stops and goes on with us as it would
//! without. So it may be dead before we know of a Ctrl-C, and its last dump is the library's
//! (`prof_final_signal`), which writes it before the signal does its work.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, getpgrp, kill_process, waitid};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::Plan;
use super::ending::Kills;
use super::family;
use super::progress::{self, Progress};
use crate::command::control::socket;
use crate::command::launch::environment;

/// How long a signal may be held back for a last dump.
const PATIENCE: Duration = Duration::from_millis(900);

/// How the program ended, and when.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) at: SystemTime,
    pub(super) after: Duration,
    /// The cgroup in which the kernel killed for memory meanwhile.
    pub(super) out_of_memory: Option<PathBuf>,
}

/// Runs the program to its end. Dumps that were there `before` are none of its.
pub(super) fn run(plan: &Plan, before: &BTreeSet<PathBuf>) -> io::Result<Ended> {
    let preload = environment::preload(&plan.library, std::env::var_os(environment::PRELOAD));
    let mut command = Command::new(&plan.program.path);
    command
        .arg0(&plan.program.typed)
        .args(&plan.arguments)
        .env(environment::PRELOAD, preload)
        .env(environment::CONF, &plan.configuration.text);
    // Before the start: a signal in between would kill us and leave the program alone.
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])?;
    let handle = signals.handle();
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let mut kills = Kills::default();
    kills.look(std::process::id());
    let pid = Pid::from_child(&child);
    let forwarder = thread::spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if matches!(signal, SIGINT | SIGTERM) && !std::mem::replace(&mut asked, true) {
                last_dump(pid);
            }
            forward(pid, signal);
        }
    });
    let (ended, over) = mpsc::channel::<()>();
    let mut progress = Progress::new(
        &plan.configuration.prefix,
        before,
        child.id(),
        plan.interval,
    );
    thread::scope(|scope| {
        let (kills, id) = (&mut kills, child.id());
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(progress::BEAT) {
                progress.beat();
                family::of(id).into_iter().for_each(|pid| kills.look(pid));
            }
            progress.end();
        });
        // The dead child keeps its pid until it is waited for in earnest: nobody else gets a signal.
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), dead) {}
        drop(ended);
    });
    let (at, after) = (SystemTime::now(), begin.elapsed());
    handle.close();
    // It cannot fail: it does not panic.
    let _ = forwarder.join();
    // What follows is only words: a reader of them may leave.
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::new(AtomicBool::new(true)))?;
    }
    let status = child.wait()?;
    Ok(Ended {
        status,
        at,
        after,
        out_of_memory: kills.more(),
    })
}

/// A signal that ends programs takes the samples since the last dump with it; the program and all
/// that it started (it may be a shell, or `npm`) are asked for one before, and not waited for long.
fn last_dump(pid: Pid) {
    let (done, answers) = mpsc::channel();
    for pid in family::of(pid.as_raw_nonzero().get().unsigned_abs()) {
        let done = done.clone();
        thread::spawn(move || done.send(socket::ask(pid, "dump").is_ok()));
    }
    drop(done);
    let deadline = Instant::now() + PATIENCE;
    // Without an answer the dumps that are there must do.
    while answers
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .is_ok()
    {}
}

fn forward(pid: Pid, signal: i32) {
    let from_terminal = matches!(signal, SIGINT | SIGQUIT) && progress::in_foreground();
    // `timeout` makes a process group of its own, which the terminal does not reach any more.
    let has_it = getpgid(Some(pid)).is_ok_and(|group| group == getpgrp());
    if from_terminal && has_it {
        return;
    }
    if let Some(signal) = Signal::from_named_raw(signal) {
        // The program may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

/// What a shell would make of it.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    // Exit codes have eight bits.
    code as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_program_shows_its_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }
}

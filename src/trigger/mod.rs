//! When a dump is due. Each trigger decides *when*, and hands the reason to the dumper.
//!
//! A trigger may take no table lock. Timer and memory limit have a thread (`watcher`), and the
//! signals have handlers (`user_signal`, `dumper::final_signal`). Each of them exists only if the
//! configuration asks for it.

pub mod exit;
pub mod growth;
pub mod sandbox;
mod user_signal;

use crate::config::Config;
use crate::dumper::{self, worth};
use crate::platform::{sys, tls::Guard};
use crate::{recorder, watcher};

/// Arms the triggers that the configuration asks for, in the process `pid`, before sampling begins.
pub fn start(config: &'static Config, pid: u32) {
    dumper::start(config, pid);
    sandbox::start(config);
    growth::start(config);
    watcher::arm(config);
    user_signal::start(config.prof_signal);
}

/// Starts what must exist from the beginning in a program that may be switched on later. Runs when
/// all is set up, and in a fork's child.
pub fn begin() {
    worth::forget();
    if !recorder::is_on() && !sys::is_sandboxed() {
        watcher::ensure_control();
    }
}

/// A sample was recorded, `bytes` after the thread's last one. The guard proves that the thread is
/// inside our code, so nothing that a dump does is sampled.
pub fn after_sample(_inside: &Guard, bytes: u64) {
    worth::sampled();
    growth::after_sample(bytes);
    dumper::make_up();
    watcher::ensure();
}

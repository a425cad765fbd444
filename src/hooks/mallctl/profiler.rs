//! `prof.*` and `thread.prof.*`: what the program does with its profiler while it runs.
//!
//! A call from a signal handler that interrupted our own code fails with EAGAIN, a dump with EFAULT.
//!
//! # Safety
//! Strings are the program's, under the contract of mallctl(3).
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};

use super::exchange::{Exchange, Refusal};
use crate::config::Config;
use crate::dumper::asked;
use crate::java_heap;
use crate::platform::tls;
use crate::recorder::{self, calling_thread, silence};
use crate::sampler::MOST_LG_PERIOD;
use crate::trigger::growth;

type Answer = Result<(), Refusal>;

const BUSY: Refusal = Refusal(libc::EAGAIN);
const FAILED: Refusal = Refusal(libc::EFAULT);

/// `prof.active`
pub fn active(_: &Config, exchange: &Exchange<'_>) -> Answer {
    let before = recorder::is_on();
    if let Some(on) = exchange.take_flag()?
        && on != before
    {
        calling_thread::switch_here(on);
        java_heap::follow();
    }
    exchange.give_flag(before)
}

/// `prof.thread_active_init`
pub fn thread_active_init(_: &Config, exchange: &Exchange<'_>) -> Answer {
    let before = match exchange.take_flag()? {
        Some(sampled) => silence::set_new_sampled(sampled),
        None => silence::is_new_sampled(),
    };
    exchange.give_flag(before)
}

/// `thread.prof.active`
pub fn thread_active(_: &Config, exchange: &Exchange<'_>) -> Answer {
    let before = match exchange.take_flag()? {
        Some(sampled) => calling_thread::set_sampled(sampled),
        None => calling_thread::is_sampled(),
    };
    exchange.give_flag(before.ok_or(BUSY)?)
}

/// `thread.prof.name`
pub fn thread_name(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.one_way()?;
    if !exchange.brings() {
        let name = calling_thread::name().unwrap_or(c"");
        return exchange.give(name.as_ptr());
    }
    let name = string(exchange)?.ok_or(FAILED)?.to_bytes();
    if config.prof_sys_thread_name {
        return Err(Refusal(libc::ENOENT));
    }
    // What isgraph(3) and isblank(3) let through.
    let is_readable = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    if !name.iter().all(is_readable) {
        return Err(FAILED);
    }
    calling_thread::set_name(name).ok_or(BUSY)
}

/// `prof.dump`
pub fn dump(_: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_written()?;
    let file = string(exchange)?;
    let _guard = tls::current().enter().ok_or(FAILED)?;
    if asked::write(file) {
        Ok(())
    } else {
        Err(FAILED)
    }
}

/// `prof.prefix`
pub fn prefix(_: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_written()?;
    let text = string(exchange)?.ok_or(FAILED)?.to_bytes();
    let _guard = tls::current().enter().ok_or(FAILED)?;
    if asked::set_prefix(text) {
        Ok(())
    } else {
        Err(FAILED)
    }
}

/// `prof.gdump`
pub fn gdump(_: &Config, exchange: &Exchange<'_>) -> Answer {
    let before = match exchange.take_flag()? {
        Some(wanted) => growth::dump_peaks(wanted),
        None => growth::dumps_peaks(),
    };
    exchange.give_flag(before)
}

/// `prof.interval`: bytes, 0 for none.
pub fn interval(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(config.interval_bytes().unwrap_or(0))
}

/// `prof.lg_sample`
pub fn lg_sample(_: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(usize::from(recorder::lg_period()))
}

/// `prof.reset`, with another rate or without.
pub fn reset(_: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_written()?;
    let lg_period = exchange.take::<usize>()?;
    let is_done = {
        let _guard = tls::current().enter().ok_or(BUSY)?;
        recorder::reset()
    };
    if !is_done {
        return Err(BUSY);
    }
    java_heap::reset();
    if let Some(lg_period) = lg_period {
        let lg_period = lg_period.min(usize::from(MOST_LG_PERIOD)) as u8;
        recorder::set_lg_period(lg_period);
        java_heap::set_lg_period(lg_period);
    }
    Ok(())
}

/// The string that the program brings; `None` for null, or for nothing.
fn string<'a>(exchange: &Exchange<'a>) -> Result<Option<&'a CStr>, Refusal> {
    let text = exchange.take::<*const c_char>()?;
    let text = text.filter(|text| !text.is_null());
    // SAFETY: the program's own string, which lives during the call.
    Ok(text.map(|text| unsafe { CStr::from_ptr(text) }))
}

//! `opt.*`: the options as they were at the start. They are never written.

use super::exchange::{Exchange, Refusal};
use crate::config::Config;

type Answer = Result<(), Refusal>;

macro_rules! flags {
    ($($name:ident => $field:ident;)+) => {$(
        #[doc = concat!("`opt.", stringify!($field), "`")]
        pub fn $name(config: &Config, exchange: &Exchange<'_>) -> Answer {
            exchange.only_read()?;
            exchange.give_flag(config.$field)
        }
    )+};
}

flags! {
    prof => prof;
    active => prof_active;
    thread_active_init => prof_thread_active_init;
    gdump => prof_gdump;
    at_end => prof_final;
    leak => prof_leak;
    leak_error => prof_leak_error;
    accum => prof_accum;
    pid_namespace => prof_pid_namespace;
    sys_thread_name => prof_sys_thread_name;
}

/// `config.prof`: there is a profiler.
pub fn built(_: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give_flag(true)
}

/// `opt.prof_prefix`
pub fn prefix(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(config.prof_prefix.as_ptr())
}

/// `opt.prof_bt_max`
pub fn bt_max(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(config.prof_bt_max)
}

/// `opt.lg_prof_sample`; of `auto` what it begins with.
pub fn lg_sample(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(usize::from(config.lg_prof_sample.lg_first()))
}

/// `opt.lg_prof_interval`
pub fn lg_interval(config: &Config, exchange: &Exchange<'_>) -> Answer {
    exchange.only_read()?;
    exchange.give(isize::from(config.lg_prof_interval))
}

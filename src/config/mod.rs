//! What the user asked for: one table of options, from which the struct, the parser, the help text
//! and the table in `docs/options.md` are made. Read once at the start; every cold room asks
//! [`current`].
//!
//! The grammar is that of jemalloc's `MALLOC_CONF`, and so are the messages: `key:value` pairs
//! between commas; keys of letters, digits and `_`; later pairs win; an unreadable pair is reported
//! in one line, and the others count. [`parse`] is pure; [`load`] prints. Text is copied into the
//! arena, everything else is plain data. Source: jemalloc 5.3.0, `malloc_conf_next` and
//! `malloc_conf_init_helper` in `jemalloc.c`.

mod help;
mod message;
mod parse;
mod table;
mod value;

use once_cell::race::OnceRef;

use crate::platform::sys;
pub use help::{help, table_markdown};
pub use message::Message;
pub use parse::{load, parse, settle};
pub use table::Config;
pub use value::{CommandLine, Detection, FileMode, Rate, Switch, Text};

/// The configuration in force. Written once by [`set_current`], before sampling begins; never freed.
static CURRENT: OnceRef<'static, Config> = OnceRef::new();

/// Puts `config` in force for the life of the process.
pub fn set_current(config: &'static Config) {
    // A second call would bring the same configuration: the constructor runs once.
    let _ = CURRENT.set(config);
}

/// The configuration in force; `None` while there is none.
pub fn current() -> Option<&'static Config> {
    CURRENT.get()
}

/// Where a conf string came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Our own variable: every key in it is ours.
    MalloscopeConf,
    /// jemalloc's variable: only the profiler's keys are ours, the others raise no message.
    MallocConf,
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Config {
    /// Mean bytes between two interval dumps, if they were asked for.
    pub fn interval_bytes(&self) -> Option<u64> {
        u32::try_from(self.lg_prof_interval)
            .ok()
            .and_then(|lg| 1_u64.checked_shl(lg))
    }

    /// Makes a relative prefix absolute, so that the dumps of a daemon that changes its directory
    /// later are where it was started. Nothing changes when the directory is not known.
    pub fn anchor_prefix(&mut self) {
        let prefix = self.prof_prefix.as_bytes();
        if prefix.is_empty() || prefix.starts_with(b"/") {
            return;
        }
        let mut directory = [0; 4096];
        let length = usize::try_from(sys::getcwd(&mut directory)).unwrap_or(0);
        let directory = directory
            .get(..length.saturating_sub(1))
            .unwrap_or_default();
        // The kernel puts "(unreachable)" in front of a directory outside the root.
        if directory.starts_with(b"/") {
            self.prof_prefix
                .put_below(directory.strip_suffix(b"/").unwrap_or(directory));
        }
    }

    pub(super) fn is_default_prefix(&self) -> bool {
        self.prof_prefix == Self::DEFAULT.prof_prefix
    }
}

#[cfg(test)]
mod tests;

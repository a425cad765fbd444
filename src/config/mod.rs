//! What the user asked for: one table of options, from which the struct, the parser, the help text
//! and the table in `docs/options.md` are made. Called by `boot` at start, read by every cold room.
//!
//! The grammar is that of jemalloc's `MALLOC_CONF`, and so are the messages: `key:value` pairs
//! between commas, keys of letters, digits and `_`, later pairs win, what cannot be read is said in
//! one line and the rest goes on. [`parse`] is pure; [`load`] is what prints. Text is copied into
//! the arena, the rest is plain data. Source: jemalloc 5.3.0, `malloc_conf_next` and
//! `malloc_conf_init_helper` in `jemalloc.c`.

mod help;
mod message;
mod value;

use once_cell::race::OnceRef;

use crate::platform::sys;
pub use help::{help, table_markdown};
pub use message::Message;
use value::{
    Clip, Count, Density, Detected, Fault, Flag, Mode, Path, Resolution, Rule, Shown, Within,
};
pub use value::{CommandLine, Detection, FileMode, Rate, Text};

/// The configuration in force. Written once by [`set_current`], before sampling begins; never freed.
static CURRENT: OnceRef<'static, Config> = OnceRef::new();

/// Makes `config` that in force, for the life of the process.
pub fn set_current(config: &'static Config) {
    // Who comes second has the same one: the constructor runs once.
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

/// One row of the table that is shown. The library reads options by code: a table of pointers would be
/// relocated in every process, whether it is configured or not.
pub(crate) struct Opt {
    pub(crate) key: &'static str,
    pub(crate) default: &'static str,
    pub(crate) values: &'static str,
    pub(crate) help: &'static [&'static str],
}

/// How a rule of the table reads in the help.
macro_rules! values {
    (Flag) => {
        "`true`, `false`"
    };
    (Path) => {
        "text"
    };
    (Mode) => {
        "octal, at most 777"
    };
    (Shown) => {
        "`true`, `masked`, `false`"
    };
    (Resolution) => {
        "`default`, `high`"
    };
    (Density) => {
        "`auto`, 0 to 63, clipped"
    };
    (Detected) => {
        "`auto`, `poll`, `off`"
    };
    (Count) => {
        "-1 or more"
    };
    (Clip($min:literal, $max:literal)) => {
        concat!(stringify!($min), " to ", stringify!($max), ", clipped")
    };
    (Within($min:literal, $max:literal)) => {
        concat!(stringify!($min), " to ", stringify!($max))
    };
}

/// The default of a field, as a value.
macro_rules! initial {
    (Path $default:literal) => {
        Text::new($default)
    };
    (Mode $default:literal) => {
        FileMode::OWNER
    };
    (Shown $default:literal) => {
        CommandLine::Whole
    };
    (Density $default:literal) => {
        Rate::Auto
    };
    (Detected $default:literal) => {
        Detection::Auto
    };
    ($rule:ident $default:literal) => {
        $default
    };
}

macro_rules! options {
    (
        options { $(
            $(#[doc = $help:literal])+
            $field:ident: $type:ty = $default:literal, $rule:ident $(($($range:tt)*))?;
        )* }
        refused { $(
            $(#[doc = $refused_help:literal])+
            $refused:ident = $quiet:literal, $refused_rule:ident, $instead:literal;
        )* }
    ) => {
        /// The options in force.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Config { $(
            $(#[doc = $help])+
            pub $field: $type,
        )* }

        impl Config {
            /// What holds when nothing is configured: dormant.
            pub const DEFAULT: Config =
                Config { $($field: initial!($rule $default)),* };
        }

        pub(crate) const OPTIONS: &[Opt] = &[
            $(Opt {
                key: stringify!($field),
                default: stringify!($default),
                values: values!($rule $(($($range)*))?),
                help: &[$($help),+],
            },)*
            $(Opt {
                key: stringify!($refused),
                default: stringify!($quiet),
                values: values!($refused_rule),
                help: &[$($refused_help),+],
            },)*
        ];

        /// Sets the option of that name; `None` when there is none.
        fn set_option(config: &mut Config, key: &[u8], value: &[u8]) -> Option<Result<(), Fault>> {
            $(if key == stringify!($field).as_bytes() {
                let value = ($rule $(($($range)*))?).read(value);
                return Some(value.map(|value| config.$field = value));
            })*
            $(if key == stringify!($refused).as_bytes() {
                return Some($refused_rule.read(value).and_then(|value| match value != $quiet {
                    true => Err(Fault::Refused($instead)),
                    false => Ok(()),
                }));
            })*
            None
        }
    };
}

options! {
    options {
        /// Profile. Cannot be switched on later.
        prof: bool = false, Flag;
        /// Sample from the start; with `false`, be ready to: see `prof_control`.
        prof_active: bool = true, Flag;
        /// Sample in threads that start later.
        prof_thread_active_init: bool = true, Flag;
        /// Mean bytes between two samples, as a power of two. 0 records every allocation. `auto`: between
        /// 13 and 19, as dense as `prof_budget` allows. 19 when `MALLOC_CONF` configures us.
        lg_prof_sample: Rate = "auto", Density;
        /// Processor time that sampling may take with `lg_prof_sample:auto`, in per mille of the
        /// process's.
        prof_budget: u32 = 10, Within(1, 1000);
        /// Mean bytes allocated between two dumps, as a power of two. -1: none.
        lg_prof_interval: i8 = -1, Within(-1, 63);
        /// How the names of the dumps begin, directory included; empty: no dump but on demand.
        /// `jeprof` when `MALLOC_CONF` configures us.
        prof_prefix: Text = "malloscope", Path;
        /// Write the allocations since the start into the dumps, beside what is live.
        prof_accum: bool = false, Flag;
        /// Dump at exit.
        prof_final: bool = false, Flag;
        /// Dump at exit also in a process that did little of its own, and that another one under the
        /// profiler started. Little: under a second less than 8 MiB kept, later less than 256 KiB, and
        /// after ten seconds, in a forked child, no sample of its own.
        prof_final_all: bool = false, Flag;
        /// Say at the final dump what is still live. Switches `prof` and `prof_final_all` on.
        prof_leak: bool = false, Flag;
        /// As `prof_leak`, and exit with status 1 if anything is.
        prof_leak_error: bool = false, Flag;
        /// Dump whenever the estimate of live bytes is 5 % above its last maximum.
        prof_gdump: bool = false, Flag;
        /// Seconds between two dumps. 0: none.
        prof_timer: u32 = 0, Within(0, 31536000);
        /// A signal by its number that makes a dump, if the program has no use for it. 0: none.
        prof_signal: u8 = 0, Within(0, 64);
        /// Dump at exit by SIGINT, SIGTERM or SIGHUP too, where the program leaves these alone: the
        /// signal is held back for the time that takes, two seconds at most.
        prof_final_signal: bool = false, Flag;
        /// Dump when so many percent of the memory that the process may have are used, or when they
        /// will be in a moment. 0: never.
        prof_memory_limit: u8 = 0, Within(0, 100);
        /// Listen for `malloscope dump`, `start`, `stop`, `reset`, `rate`, `status` and `top` of the
        /// same user or root.
        prof_control: bool = false, Flag;
        /// Frames kept of a stack, from the leaf.
        prof_bt_max: u32 = 128, Clip(1, 1024);
        /// Write the names of the threads into the dumps.
        prof_sys_thread_name: bool = false, Flag;
        /// Put the number of the pid namespace into the names of the dumps.
        prof_pid_namespace: bool = false, Flag;
        /// Correct for the sampling in the file, as its readers expect. `false` writes the bare
        /// samples.
        prof_unbias: bool = true, Flag;
        /// Dumps of each process to keep, and as many of all those together that it forked and that are
        /// gone; the oldest go first. 0: all.
        prof_keep: u32 = 0, Within(0, 4294967295);
        /// Most bytes of the dumps of a process and of those it forked; the oldest go first, before all
        /// those of processes that are gone. The youngest of each stays whatever its size. 0: no limit.
        prof_keep_bytes: u64 = 0, Within(0, 18446744073709551615);
        /// Permissions of the dumps, whatever the umask is.
        prof_mode: FileMode = "0600", Mode;
        /// Most memory in bytes that the profiler takes for itself. When it is reached sampling
        /// stops, and the dump says so.
        prof_mem_max: u64 = 268435456, Within(4194304, 1099511627776);
        /// Sample what mmap, mremap, brk and sbrk give the program too, as a kind of its own.
        prof_mmap: bool = false, Flag;
        /// List every live sample in the dumps, by address and size.
        prof_dump_live: bool = false, Flag;
        /// Write the command line into the dumps. `masked`: only the program and the names of its
        /// options.
        prof_cmdline: CommandLine = "true", Shown;
        /// Names of Java methods in the stacks. How a JVM is found: as it is created (`auto`), by
        /// samples in it (`poll`), not at all.
        prof_java: Detection = "auto", Detected;
        /// Compare every Java stack with what the JVM's own `AsyncGetCallTrace` says; the counters
        /// `java_checked` and `java_differs` in the dumps tell. For tests: it makes classes costlier.
        prof_java_check: bool = false, Flag;
        /// Sample the objects of a JVM (11 or later) too; the dumps show which of them live.
        prof_java_heap: bool = false, Flag;
        /// Collect the JVM's garbage before each dump but the one at exit.
        prof_java_heap_gc: bool = false, Flag;
        /// Append what there is to remark (as that something else is the program's allocator) to the file
        /// `<prof_prefix>.remarks`, a line each; `malloscope run` asks for it. It stands in the dumps, too.
        prof_remarks: bool = false, Flag;
        /// Say where the configuration came from, what was set, and what there is to remark.
        confirm_conf: bool = false, Flag;
        /// Abort the program when the configuration is not understood.
        abort_conf: bool = false, Flag;
        /// Abort the program when a dump cannot be written.
        abort: bool = false, Flag;
    }
    refused {
        /// Not supported.
        prof_log = false, Flag, "use prof_accum:true and the dumps themselves";
        /// Not supported.
        prof_recent_alloc_max = 0, Count, "use prof_dump_live:true for the samples that are live";
        /// Not supported.
        prof_stats = false, Flag, "the dumps hold the sizes of each stack";
        /// Not supported.
        prof_time_resolution = "default", Resolution, "times are kept in milliseconds";
    }
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

    /// Makes a relative prefix absolute: a daemon that changes its directory later shall find its
    /// dumps where it was started. Nothing changes when the directory cannot be told.
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
        // The kernel says "(unreachable)" in front of a directory outside the root.
        if directory.starts_with(b"/") {
            self.prof_prefix
                .put_below(directory.strip_suffix(b"/").unwrap_or(directory));
        }
    }

    fn is_default_prefix(&self) -> bool {
        self.prof_prefix == Self::DEFAULT.prof_prefix
    }
}

/// One step of reading a conf string.
enum Next<'a> {
    Pair {
        key: &'a [u8],
        value: &'a [u8],
        comma_at_end: bool,
    },
    Stop(Option<Message<'a>>),
}

/// Takes the first pair off `text`.
fn next_pair<'a>(text: &mut &'a [u8]) -> Next<'a> {
    let whole = *text;
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = whole
        .iter()
        .position(|byte| !is_key(byte))
        .unwrap_or(whole.len());
    let (key, rest) = whole.split_at_checked(end).unwrap_or((whole, &[]));
    let value = match rest.split_first() {
        Some((b':', value)) => value,
        Some(_) => return Next::Stop(Some(Message::Malformed)),
        None if key.is_empty() => return Next::Stop(None),
        None => return Next::Stop(Some(Message::EndsWithKey)),
    };
    let mut parts = value.splitn(2, |&byte| byte == b',');
    let value = parts.next().unwrap_or_default();
    let rest = parts.next();
    *text = rest.unwrap_or_default();
    Next::Pair {
        key,
        value,
        comma_at_end: rest.is_some_and(<[u8]>::is_empty),
    }
}

/// Whether `key` is for us to understand.
fn is_ours(source: Source, key: &[u8]) -> bool {
    source == Source::MalloscopeConf
        || key.starts_with(b"prof")
        || key.starts_with(b"lg_prof")
        || [&b"confirm_conf"[..], b"abort_conf", b"abort"].contains(&key)
}

fn set<'a>(config: &mut Config, key: &'a [u8], value: &'a [u8]) -> Message<'a> {
    match set_option(config, key, value) {
        None => Message::InvalidPair { key, value },
        Some(Ok(())) => Message::Set { key, value },
        Some(Err(Fault::Invalid)) => Message::InvalidValue { key, value },
        Some(Err(Fault::OutOfRange)) => Message::OutOfRange { key, value },
        Some(Err(Fault::Refused(instead))) => Message::Refused { key, instead },
    }
}

/// Reads `text` on top of what `config` holds. Everything that is to be said goes to `report`, in
/// the order of the string.
pub fn parse(
    source: Source,
    text: &[u8],
    config: &mut Config,
    report: &mut dyn FnMut(Message<'_>),
) {
    if source == Source::MallocConf && config.is_default_prefix() {
        config.prof_prefix = Text::new("jeprof");
    }
    if source == Source::MallocConf {
        config.lg_prof_sample = Rate::Fixed(19);
    }
    // As with jemalloc, confirm_conf holds for the whole string, wherever in it it stands.
    each_pair(source, text, &mut |key, value| {
        if key == b"confirm_conf" {
            set(config, key, value);
        }
    });
    let confirm = config.confirm_conf;
    if confirm {
        report(Message::Source { source, text });
    }
    let stop = each_pair(source, text, &mut |key, value| {
        let message = set(config, key, value);
        if confirm || !matches!(message, Message::Set { .. }) {
            report(message);
        }
    });
    if let Some(message) = stop {
        report(message);
    }
}

/// Calls `f` for each pair that is ours; what is wrong with the form of the string comes back.
fn each_pair<'a>(
    source: Source,
    text: &'a [u8],
    f: &mut dyn FnMut(&'a [u8], &'a [u8]),
) -> Option<Message<'a>> {
    let mut rest = text;
    loop {
        match next_pair(&mut rest) {
            Next::Stop(message) => return message,
            Next::Pair {
                key,
                value,
                comma_at_end,
            } => {
                if is_ours(source, key) {
                    f(key, value);
                }
                if comma_at_end {
                    return Some(Message::EndsWithComma);
                }
            }
        }
    }
}

/// What options imply for each other, once all are read.
pub fn settle(config: &mut Config, report: &mut dyn FnMut(Message<'_>)) {
    config.prof_leak |= config.prof_leak_error;
    config.prof_final_all |= config.prof_leak;
    if config.prof_leak && !config.prof {
        // As jemalloc: the leak report alone, without the dumps on the way.
        config.prof = true;
        config.prof_gdump = false;
        config.lg_prof_interval = -1;
    }
    if config.prof_leak_error && !config.prof_final {
        report(Message::LeakErrorWithoutFinal);
    }
}

/// The configuration from the two variables, of which `malloc_conf` counts only where ours is
/// unset, on top of what `config` holds. What is wrong is printed; with `abort_conf` the program ends for it.
pub fn load(config: &mut Config, malloscope_conf: Option<&[u8]>, malloc_conf: Option<&[u8]>) {
    let mut wrong = false;
    let mut report = |message: Message<'_>| {
        wrong |= message.is_error();
        message.print();
    };
    match (malloscope_conf, malloc_conf) {
        (Some(text), _) => parse(Source::MalloscopeConf, text, config, &mut report),
        (None, Some(text)) => parse(Source::MallocConf, text, config, &mut report),
        (None, None) => {}
    }
    settle(config, &mut report);
    if wrong && config.abort_conf {
        message::abort();
    }
}

#[cfg(test)]
mod tests;

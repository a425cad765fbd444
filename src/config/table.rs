//! The options: one table, from which the struct, its defaults, the parser and the help text are made.

use super::value::{
    Clip, Count, Detected, Fault, Flag, Mode, Path, Resolution, Rule, Shown, Within,
};
use super::value::{CommandLine, Detection, FileMode, Text};

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
        pub(super) fn set_option(config: &mut Config, key: &[u8], value: &[u8]) -> Option<Result<(), Fault>> {
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
        /// Mean bytes between two samples, as a power of two. 0 records every allocation.
        lg_prof_sample: u8 = 19, Clip(0, 63);
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

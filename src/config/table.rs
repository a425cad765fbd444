//! The options: one table, from which the struct, its defaults, the parser and the help text are made.

use super::value::{
    Clip, Count, Density, Detected, Fault, Flag, Mode, Path, Resolution, Rule, Shown, Switched,
    Told, Within,
};
use super::value::{CommandLine, Detection, FileMode, Rate, Switch, Text};

/// One row of the table for the help. The library itself reads options by code: a table of pointers
/// would be relocated in every process, whether it is configured or not.
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
    (Told) => {
        "`auto`, `off`"
    };
    (Switched) => {
        "`auto`, `true`, `false`"
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
        Text::new(concat!($default, "\0"))
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
    (Told $default:literal) => {
        true
    };
    (Switched $default:literal) => {
        Switch::of($default)
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
                return Some(take(&mut config.$field, ($rule $(($($range)*))?), value));
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

/// Reads a value into its field. One function for all options of a rule: what every process runs at its start
/// shall be small.
#[inline(never)]
fn take<R: Rule>(field: &mut R::Value, rule: R, value: &[u8]) -> Result<(), Fault> {
    *field = rule.read(value)?;
    Ok(())
}

options! {
    options {
        /// Profile. This cannot be switched on later.
        prof: bool = false, Flag;
        /// Profile only programs of these names, with `|` between two: the name of the executed file, without its
        /// directory, or of the script. Every other process sleeps. Empty: all.
        prof_program: Text = "", Path;
        /// Sample from the start. With `false`, sampling can be switched on later: see `prof_control`.
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
        /// The beginning of the dumps' names, with the directory. Empty: dumps only on demand.
        /// `jeprof` when `MALLOC_CONF` configures the profiler.
        prof_prefix: Text = "malloscope", Path;
        /// Write the allocations since the start into the dumps, besides what is live.
        prof_accum: bool = false, Flag;
        /// Dump at exit.
        prof_final: bool = false, Flag;
        /// Dump at exit also in a process that did little of its own and that another process under the
        /// profiler started. Little means: in the first second less than 8 MiB kept, later less than
        /// 256 KiB, and after ten seconds, in a forked child, no sample of its own.
        prof_final_all: bool = false, Flag;
        /// Report at the final dump what is still live. Switches on `prof` and `prof_final_all`.
        prof_leak: bool = false, Flag;
        /// As `prof_leak`, and exit with status 1 if anything is live.
        prof_leak_error: bool = false, Flag;
        /// Dump whenever the estimate of live bytes is 5 % above its last maximum.
        prof_gdump: bool = false, Flag;
        /// Seconds between two dumps. 0: none.
        prof_timer: u32 = 0, Within(0, 31536000);
        /// The number of a signal that makes a dump, if the program does not use that signal. 0: none.
        prof_signal: u8 = 0, Within(0, 64);
        /// Dump also when SIGINT, SIGTERM or SIGHUP ends the program, where the program does not handle
        /// these signals. The signal is held back until the dump is written, two seconds at most.
        prof_final_signal: bool = false, Flag;
        /// Dump when this percentage of the memory that the process may use is in use, or will be in a
        /// moment. 0: never.
        prof_memory_limit: u8 = 0, Within(0, 100);
        /// Listen for `malloscope dump`, `start`, `stop`, `reset`, `rate`, `status` and `top` from the
        /// same user or root.
        prof_control: bool = false, Flag;
        /// Frames kept of each stack. Of a deeper one half are counted from the leaf and half from the root,
        /// and `[truncated]` stands between; where a language runtime is in it, all are counted from the leaf.
        prof_bt_max: u32 = 128, Clip(1, 1024);
        /// Write the names of the threads into the dumps.
        prof_sys_thread_name: bool = false, Flag;
        /// Put the number of the pid namespace into the names of the dumps.
        prof_pid_namespace: bool = false, Flag;
        /// Correct for the sampling in the file, as its readers expect. `false` writes the bare
        /// samples.
        prof_unbias: bool = true, Flag;
        /// Number of dumps to keep of each process, and as many of all processes together that it forked
        /// and that are gone. The oldest are removed first. 0: all.
        prof_keep: u32 = 0, Within(0, 4294967295);
        /// Most bytes of the dumps of a process and of the processes that it forked. Dumps of processes
        /// that are gone are removed first, then its own, and always the oldest first. The youngest dump
        /// of each stays whatever its size. 0: no limit.
        prof_keep_bytes: u64 = 0, Within(0, 18446744073709551615);
        /// Permissions of the dumps, independent of the umask.
        prof_mode: FileMode = "0600", Mode;
        /// Most bytes of memory that the profiler uses for itself. When they are used up sampling
        /// stops, and the dump says so.
        prof_mem_max: u64 = 268435456, Within(4194304, 1099511627776);
        /// Also sample the memory that the program gets by mmap, mremap, brk and sbrk, as a kind of its own.
        prof_mmap: bool = false, Flag;
        /// List every live sample in the dumps, by address and size.
        prof_dump_live: bool = false, Flag;
        /// Write the command line into the dumps. `masked`: only the program and the names of its
        /// options.
        prof_cmdline: CommandLine = "true", Shown;
        /// Names of Java methods in the stacks. How a JVM is found: as it is created (`auto`), by
        /// samples in it (`poll`), not at all.
        prof_java: Detection = "auto", Detected;
        /// Compare every Java stack with the answer of the JVM's own `AsyncGetCallTrace`. The counters
        /// `java_checked` and `java_differs` in the dumps have the result. For tests: it makes class
        /// loading slower.
        prof_java_check: bool = false, Flag;
        /// Names of generated code by the map that its runtime writes for perf (`/tmp/perf-PID.map`, jitdump).
        prof_perf_map: bool = true, Flag;
        /// Also sample the objects of a JVM (11 or later). The dumps show which of them are live.
        prof_java_heap: bool = false, Flag;
        /// Collect the JVM's garbage before each dump, except the one at exit.
        prof_java_heap_gc: bool = false, Flag;
        /// Names of Ruby methods in the stacks.
        prof_ruby: bool = true, Flag;
        /// Also sample the objects of Ruby 3.1 to 3.4. The dumps show which of them are live. `auto`: in windows
        /// that take 2 % of the time; `true`: all the time, which makes Ruby slower by a quarter.
        prof_ruby_objects: Switch = "false", Switched;
        /// Names of Python functions and lines in the stacks, where CPython 3.8 or later is found.
        prof_python: bool = true, Flag;
        /// Names of JavaScript functions in the stacks of Node 20 to 24: as Node tells them (`auto`), or not at
        /// all.
        prof_js: bool = "auto", Told;
        /// Also sample the objects of Node's JavaScript heap, by V8's own sampler. `auto` is `true`.
        prof_js_heap: Switch = "false", Switched;
        /// Also sample the objects of CPython that its own allocator holds (blocks of up to 512 bytes), as a
        /// kind of its own. Needs `prof_python`. `auto`, which `malloscope run` sets, is `true`.
        prof_python_objects: Switch = "false", Switched;
        /// Append remarks (for example that something else is the program's allocator) to the file
        /// `<prof_prefix>.remarks`, one line each. `malloscope run` uses this. The dumps have them, too.
        prof_remarks: bool = false, Flag;
        /// Print where the configuration came from, what was set, and the remarks.
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

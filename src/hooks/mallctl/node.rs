//! The names that we answer for.

use core::ffi::c_int;

use super::exchange::{Exchange, Refusal};
use super::{options, profiler};
use crate::config;

macro_rules! nodes {
    ($($name:literal = $node:ident => $answer:path;)+) => {
        /// A name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Node {
            $(#[doc = concat!("`", $name, "`")] $node,)+
        }

        const ALL: &[Node] = &[$(Node::$node),+];

        /// The names, a blank behind each. They are one text, because a list of texts would need relocations at
        /// each start.
        static NAMES: [u8; concat!($($name, " "),+).len()] =
            match concat!($($name, " "),+).as_bytes().first_chunk() {
                Some(text) => *text,
                None => unreachable!(),
            };

        impl Node {
            fn exchange(self, config: &config::Config, exchange: &Exchange<'_>) -> Result<(), Refusal> {
                match self {
                    $(Node::$node => $answer(config, exchange),)+
                }
            }
        }
    };
}

nodes! {
    "config.prof" = ConfigProf => options::built;
    "opt.prof" = OptProf => options::prof;
    "opt.prof_prefix" = OptPrefix => options::prefix;
    "opt.prof_active" = OptActive => options::active;
    "opt.prof_thread_active_init" = OptThreadActiveInit => options::thread_active_init;
    "opt.prof_bt_max" = OptBtMax => options::bt_max;
    "opt.lg_prof_sample" = OptLgSample => options::lg_sample;
    "opt.lg_prof_interval" = OptLgInterval => options::lg_interval;
    "opt.prof_gdump" = OptGdump => options::gdump;
    "opt.prof_final" = OptFinal => options::at_end;
    "opt.prof_leak" = OptLeak => options::leak;
    "opt.prof_leak_error" = OptLeakError => options::leak_error;
    "opt.prof_accum" = OptAccum => options::accum;
    "opt.prof_pid_namespace" = OptPidNamespace => options::pid_namespace;
    "opt.prof_sys_thread_name" = OptSysThreadName => options::sys_thread_name;
    "prof.active" = Active => profiler::active;
    "prof.dump" = Dump => profiler::dump;
    "prof.gdump" = Gdump => profiler::gdump;
    "prof.interval" = Interval => profiler::interval;
    "prof.lg_sample" = LgSample => profiler::lg_sample;
    "prof.prefix" = Prefix => profiler::prefix;
    "prof.reset" = Reset => profiler::reset;
    "prof.thread_active_init" = ThreadActiveInit => profiler::thread_active_init;
    "thread.prof.active" = ThreadActive => profiler::thread_active;
    "thread.prof.name" = ThreadName => profiler::thread_name;
}

impl Node {
    /// The node of that name. Most names of jemalloc's are told by their first letters.
    pub fn named(name: &[u8]) -> Option<Node> {
        const BEGINNINGS: [&[u8]; 4] = [b"prof.", b"thread.prof.", b"opt.", b"config.prof"];
        if !BEGINNINGS.iter().any(|first| name.starts_with(first)) {
            return None;
        }
        let mut names = NAMES.split(|byte| *byte == b' ');
        Self::numbered(names.position(|other| other == name)?)
    }

    /// The node of that number.
    pub fn numbered(number: usize) -> Option<Node> {
        ALL.get(number).copied()
    }

    /// Its number.
    pub fn number(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static [u8] {
        let mut names = NAMES.split(|byte| *byte == b' ');
        names.nth(self.number()).unwrap_or_default()
    }

    /// How many parts its name has.
    pub fn parts(self) -> usize {
        1 + self.name().iter().filter(|byte| **byte == b'.').count()
    }

    /// Answers a call: 0, or an errno as jemalloc returns it.
    pub fn answer(self, exchange: &Exchange<'_>) -> c_int {
        let Some(config) = config::current() else {
            return libc::EAGAIN;
        };
        match self.exchange(config, exchange) {
            Ok(()) => 0,
            Err(Refusal(errno)) => errno,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_to_the_same() {
        for (number, node) in ALL.iter().enumerate() {
            assert_eq!(Node::named(node.name()), Some(*node));
            assert_eq!(
                (Node::numbered(number), node.number()),
                (Some(*node), number)
            );
        }
        for name in [
            "",
            "epoch",
            "prof",
            "prof.",
            "opt.narenas",
            "prof.dump.",
            "thread.prof",
        ] {
            assert_eq!(Node::named(name.as_bytes()), None, "{name}");
        }
        assert_eq!((Node::Dump.parts(), Node::ThreadName.parts()), (2, 3));
    }
}

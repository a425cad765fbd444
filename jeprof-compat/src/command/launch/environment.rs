//! The variables that switch the profiler on in the program. Pure but for reading our own environment.
//!
//! What the user has set stays: in the grammar of the configuration later pairs win, so ours come
//! first and the user's behind them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::figures::quantity::{self, Rate};

/// Pairs before the user's own. Dumps while it runs, at each new maximum (a program that frees
/// everything at its end has nothing in its last dump), and at the end, Ctrl-C included; not more of
/// them than a person looks through. The socket is there for `malloscope dump` and `top`.
const DEFAULTS: &str = "prof:true,prof_final:true,lg_prof_sample:auto,lg_prof_interval:30,\
                        prof_gdump:true,prof_keep:64,prof_timer:60,prof_control:true,\
                        prof_final_signal:true,prof_remarks:true,prof_sys_thread_name:true";

/// What shows the heap that a language runtime keeps beside malloc, as far as it costs next to nothing: one
/// line a runtime. A process without that runtime pays nothing for it.
const RUNTIMES: [&str; 4] = [
    "prof_java_heap:true",
    "prof_python_objects:auto",
    "prof_ruby_objects:auto",
    "prof_js_heap:auto",
];

/// [`DEFAULTS`] where nobody waits: for services, and for containers that the OOM killer ends.
const SERVICE: &str = "prof:true,prof_final:true,lg_prof_sample:auto,prof_gdump:true,prof_keep:64,\
                       prof_timer:600,prof_memory_limit:90,prof_control:true,prof_sys_thread_name:true";

/// Our own variable.
pub(crate) const CONF: &str = "MALLOSCOPE_CONF";
const FALLBACK: &str = "MALLOC_CONF";
/// The loader's.
pub(crate) const PRELOAD: &str = "LD_PRELOAD";

/// What the command line says of the profiler; it goes before every variable.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Wishes {
    /// The time from one dump to the next, as in 30s or 5m; 0: only when the heap grows and at the end
    /// [default: 60s, for services 10m]
    #[arg(long, value_name = "TIME", value_parser = quantity::seconds)]
    pub(crate) every: Option<u64>,
    /// Bytes from one sample to the next on average, as in 512k; the power of two next to it is taken. auto:
    /// as dense as 1 % of the processor time allows, between 8k and 512k [default: auto]
    #[arg(long, value_name = "BYTES", value_parser = quantity::lg_rate)]
    pub(crate) rate: Option<Rate>,
}

impl Wishes {
    /// The configuration of a service whose dumps go to `directory`.
    pub(crate) fn service(&self, directory: &str) -> String {
        let pairs = self.pairs();
        format!("{SERVICE},prof_prefix:{directory}/malloscope{pairs}")
    }

    /// As pairs, a comma before each.
    fn pairs(&self) -> String {
        let timer = self.every.map(|every| format!(",prof_timer:{every}"));
        let sample = self.rate.map(|rate| format!(",lg_prof_sample:{rate}"));
        timer.into_iter().chain(sample).collect()
    }
}

/// What the user has set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    malloscope: Option<OsString>,
    malloc: Option<OsString>,
}

impl Inherited {
    pub(crate) fn read() -> Inherited {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Inherited {
            malloscope: set(CONF),
            malloc: set(FALLBACK),
        }
    }
}

/// The configuration that the program gets.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// The value of [`CONF`].
    pub(crate) text: OsString,
    /// How the names of the dumps begin, directory included.
    pub(crate) prefix: PathBuf,
}

impl Configuration {
    /// Dumps go to `directory`, which must be absolute, unless the user set a prefix.
    pub(crate) fn new(
        directory: &Path,
        inherited: &Inherited,
        wishes: &Wishes,
    ) -> Result<Configuration> {
        let ours = directory.join("malloscope");
        if ours.as_os_str().as_bytes().contains(&b',') {
            bail!(
                "the directory of the dumps cannot have a comma in its name: {}; -o names another",
                directory.display()
            );
        }
        let user = user_pairs(inherited);
        let prefix = match value(&user, b"prof_prefix") {
            Some(prefix) => std::path::absolute(OsStr::from_bytes(prefix))?,
            None => ours.clone(),
        };
        let runtimes = RUNTIMES.join(",");
        let mut text = format!("{DEFAULTS},{runtimes},prof_prefix:").into_bytes();
        text.extend(ours.as_os_str().as_bytes());
        if !user.is_empty() {
            text.push(b',');
            text.extend(user);
        }
        text.extend(wishes.pairs().into_bytes());
        Ok(Configuration {
            text: OsString::from_vec(text),
            prefix,
        })
    }
}

/// The user's own pairs: our variable, else what the fallback says of profiling. There the name
/// of the dumps and the switch itself are for the allocator, and ours are set.
fn user_pairs(inherited: &Inherited) -> Vec<u8> {
    if let Some(own) = &inherited.malloscope {
        return own.as_bytes().to_vec();
    }
    let fallback = inherited.malloc.clone().unwrap_or_default();
    let pairs: Vec<&[u8]> = pairs(fallback.as_bytes())
        .filter(|(key, _)| key.starts_with(b"prof_") || key.starts_with(b"lg_prof_"))
        .filter(|(key, _)| *key != b"prof_prefix")
        .map(|(_, pair)| pair)
        .collect();
    pairs.join(&b',')
}

/// The last value of `key`.
fn value<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let last = pairs(text).filter(|(k, _)| *k == key).last();
    last.map(|(key, pair)| &pair[key.len() + 1..])
}

/// `(key, whole pair)` of everything that has a colon.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|b| *b == b',').filter_map(|pair| {
        let colon = pair.iter().position(|b| *b == b':')?;
        Some((&pair[..colon], pair))
    })
}

/// `library` before what is preloaded already: the first to define `malloc` is the one called.
pub(crate) fn preload(library: &Path, inherited: Option<OsString>) -> OsString {
    let mut list = library.as_os_str().to_owned();
    if let Some(rest) = inherited.filter(|rest| !rest.is_empty()) {
        list.push(":");
        list.push(rest);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(malloscope: Option<&str>, malloc: Option<&str>) -> (String, PathBuf) {
        let inherited = Inherited {
            malloscope: malloscope.map(OsString::from),
            malloc: malloc.map(OsString::from),
        };
        let wishes = Wishes::default();
        let made = Configuration::new(Path::new("/d"), &inherited, &wishes);
        let made = made.expect("a configuration");
        let text = made.text.into_string().expect("UTF-8");
        let extra = text.strip_prefix(DEFAULTS).expect("our defaults first");
        let runtimes = format!(",{}", RUNTIMES.join(","));
        let extra = extra.strip_prefix(&runtimes).expect("then the runtimes'");
        (extra.to_owned(), made.prefix)
    }

    #[test]
    fn without_wishes_ours_hold() {
        let (extra, prefix) = configuration(None, None);
        assert_eq!(extra, ",prof_prefix:/d/malloscope");
        assert_eq!(prefix, Path::new("/d/malloscope"));
    }

    #[test]
    fn the_users_pairs_come_last_and_win() {
        let (extra, prefix) = configuration(Some("lg_prof_sample:14"), Some("prof_keep:3"));
        assert_eq!(extra, ",prof_prefix:/d/malloscope,lg_prof_sample:14");
        assert_eq!(prefix, Path::new("/d/malloscope"));
        let (_, prefix) = configuration(Some("prof_prefix:/a/b,prof_prefix:/x/y"), None);
        assert_eq!(prefix, Path::new("/x/y"));
    }

    #[test]
    fn the_command_line_goes_before_the_variables() {
        let inherited = Inherited {
            malloscope: Some("lg_prof_sample:14".into()),
            malloc: None,
        };
        let wishes = Wishes {
            every: Some(5),
            rate: Some(Rate::Lg(12)),
        };
        let made = Configuration::new(Path::new("/d"), &inherited, &wishes).expect("one");
        let text = made.text.into_string().expect("UTF-8");
        assert!(text.ends_with("lg_prof_sample:14,prof_timer:5,lg_prof_sample:12"));
    }

    #[test]
    fn of_the_allocators_variable_only_profiling_is_taken() {
        let conf = "narenas:1,prof:false,lg_prof_sample:17,prof_prefix:jeprof,prof_accum:true";
        let (extra, prefix) = configuration(None, Some(conf));
        assert_eq!(
            extra,
            ",prof_prefix:/d/malloscope,lg_prof_sample:17,prof_accum:true"
        );
        assert_eq!(prefix, Path::new("/d/malloscope"));
    }

    #[test]
    fn a_comma_cannot_be_in_the_directory() {
        let wishes = Wishes::default();
        let made = Configuration::new(Path::new("/a,b"), &Inherited::default(), &wishes);
        assert!(made.expect_err("refused").to_string().contains("comma"));
    }

    #[test]
    fn what_is_preloaded_already_stays_behind() {
        let preload = |rest: Option<&str>| preload(Path::new("/l.so"), rest.map(OsString::from));
        assert_eq!(preload(None), "/l.so");
        assert_eq!(preload(Some("")), "/l.so");
        assert_eq!(preload(Some("/a.so /b.so")), "/l.so:/a.so /b.so");
    }
}

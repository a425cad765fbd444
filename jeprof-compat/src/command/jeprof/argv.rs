//! Command lines as `jeprof` takes them, turned into what `clap` takes.
//!
//! Perl's Getopt::Long: one dash or two, any unique prefix, upper case as lower, `--x=v` and
//! `--x v`, `--noX` for flags, options and arguments in any order, `--` ends the options, the
//! last of several wins.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Whether an option stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// One option.
struct Known {
    name: &'static str,
    takes: Takes,
    supported: bool,
}

const fn flag(name: &'static str) -> Known {
    Known {
        name,
        takes: Takes::Nothing,
        supported: true,
    }
}

const fn value(name: &'static str) -> Known {
    Known {
        name,
        takes: Takes::Value,
        supported: true,
    }
}

const fn later(known: Known) -> Known {
    Known {
        supported: false,
        ..known
    }
}

/// Every option that `jeprof` 5.3 knows, and ours behind them.
const OPTIONS: &[Known] = &[
    flag("help"),
    flag("version"),
    flag("cum"),
    value("base"),
    later(value("seconds")),
    later(value("add_lib")),
    later(value("lib_prefix")),
    flag("functions"),
    flag("lines"),
    flag("addresses"),
    flag("files"),
    flag("text"),
    later(flag("callgrind")),
    later(value("list")),
    later(value("disasm")),
    later(flag("symbols")),
    later(flag("gv")),
    later(flag("evince")),
    later(flag("web")),
    flag("dot"),
    later(flag("ps")),
    later(flag("pdf")),
    flag("svg"),
    later(flag("gif")),
    flag("raw"),
    flag("collapsed"),
    later(flag("interactive")),
    value("nodecount"),
    value("nodefraction"),
    value("edgefraction"),
    value("maxdegree"),
    value("focus"),
    later(value("thread")),
    value("ignore"),
    later(value("scale")),
    later(flag("heapcheck")),
    later(value("retain")),
    later(value("exclude")),
    flag("inuse_space"),
    flag("inuse_objects"),
    flag("alloc_space"),
    flag("alloc_objects"),
    flag("show_bytes"),
    later(flag("drop_negative")),
    later(flag("total_delay")),
    later(flag("contentions")),
    later(flag("mean_delay")),
    later(value("tools")),
    later(flag("test")),
    later(flag("debug")),
    later(flag("debug-syms-by-id")),
    later(value("test_stride")),
    value("kind"),
];

/// Why a command line is no good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An option of `jeprof` that this program does not have, with its whole name.
    Unsupported(&'static str),
    /// Something that `jeprof` refuses too, in its words.
    Invalid(String),
}

/// Puts a command line, without the program's name, into the form `--name[=value]... -- args`.
pub fn normalise(args: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Refusal> {
    let mut args = args.into_iter();
    let mut options: BTreeMap<&'static str, Option<OsString>> = BTreeMap::new();
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.extend(args);
            break;
        }
        let Some((word, attached)) = split(&arg) else {
            rest.push(arg);
            continue;
        };
        let (known, on) = find(&word)?;
        let value =
            match (known.takes, attached) {
                (Takes::Nothing, None) => None,
                (Takes::Nothing, Some(_)) => {
                    let text = format!("Option {word} does not take an argument");
                    return Err(Refusal::Invalid(text));
                }
                (Takes::Value, Some(value)) => Some(value),
                (Takes::Value, None) => Some(args.next().ok_or_else(|| {
                    Refusal::Invalid(format!("Option {word} requires an argument"))
                })?),
            };
        if on && !known.supported {
            return Err(Refusal::Unsupported(known.name));
        }
        options.remove(known.name);
        if on {
            options.insert(known.name, value);
        }
    }
    let mut out: Vec<OsString> = options.into_iter().map(join).collect();
    out.push("--".into());
    out.extend(rest);
    Ok(out)
}

/// The name and the attached value of an option; None for an argument, which `-` is too.
fn split(arg: &OsStr) -> Option<(String, Option<OsString>)> {
    let bytes = arg.as_bytes();
    let option = bytes
        .strip_prefix(b"--")
        .or_else(|| bytes.strip_prefix(b"-"))?;
    if option.is_empty() {
        return None;
    }
    let end = option
        .iter()
        .position(|&b| b == b'=')
        .unwrap_or(option.len());
    let name = String::from_utf8_lossy(&option[..end]).into_owned();
    let value = option
        .get(end + 1..)
        .map(|v| OsString::from_vec(v.to_vec()));
    Some((name, value))
}

fn join((name, value): (&str, Option<OsString>)) -> OsString {
    let mut option = OsString::from(format!("--{name}"));
    if let Some(value) = value {
        option.push("=");
        option.push(value);
    }
    option
}

/// The option that a word means, and whether it switches it on.
fn find(word: &str) -> Result<(&'static Known, bool), Refusal> {
    let lower = word.to_ascii_lowercase();
    if let Some(known) = unique(&lower, word, |_| true)? {
        return Ok((known, true));
    }
    let positive = lower
        .strip_prefix("no")
        .map(|w| w.strip_prefix('-').unwrap_or(w));
    let negated = positive.filter(|p| !p.is_empty());
    if let Some(positive) = negated
        && let Some(known) = unique(positive, word, |k| k.takes == Takes::Nothing)?
    {
        return Ok((known, false));
    }
    Err(Refusal::Invalid(format!("Unknown option: {lower}")))
}

fn unique(
    prefix: &str,
    word: &str,
    eligible: impl Fn(&Known) -> bool,
) -> Result<Option<&'static Known>, Refusal> {
    let matching = |k: &&Known| eligible(k) && k.name.starts_with(prefix);
    let found: Vec<&Known> = OPTIONS.iter().filter(matching).collect();
    if let Some(exact) = found.iter().find(|k| k.name == prefix) {
        return Ok(Some(exact));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(|k| k.name).collect();
        let text = format!("Option {word} is ambiguous ({})", names.join(", "));
        return Err(Refusal::Invalid(text));
    }
    Ok(found.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(args: &[&str]) -> Result<Vec<String>, Refusal> {
        let out = normalise(args.iter().map(OsString::from))?;
        Ok(out.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    fn invalid(args: &[&str]) -> String {
        match run(args) {
            Err(Refusal::Invalid(text)) => text,
            other => panic!("{args:?} gave {other:?}"),
        }
    }

    #[test]
    fn dashes_prefixes_and_values() {
        assert_eq!(
            run(&["-text", "p", "f"]).unwrap(),
            ["--text", "--", "p", "f"]
        );
        assert_eq!(
            run(&["p", "f", "--tex"]).unwrap(),
            ["--text", "--", "p", "f"]
        );
        assert_eq!(
            run(&["--nodecount=3", "p"]).unwrap(),
            ["--nodecount=3", "--", "p"]
        );
        assert_eq!(
            run(&["-nodec", "3", "p"]).unwrap(),
            ["--nodecount=3", "--", "p"]
        );
        assert_eq!(
            run(&["--FOCUS", "-x=y", "p"]).unwrap(),
            ["--focus=-x=y", "--", "p"]
        );
        assert_eq!(run(&["--", "--text"]).unwrap(), ["--", "--text"]);
        assert_eq!(run(&["-"]).unwrap(), ["--", "-"]);
    }

    #[test]
    fn the_last_word_counts() {
        assert_eq!(run(&["--cum", "--nocum"]).unwrap(), ["--"]);
        assert_eq!(run(&["--no-cum", "--cum"]).unwrap(), ["--cum", "--"]);
        assert_eq!(run(&["--nogv"]).unwrap(), ["--"]);
        assert_eq!(run(&["--base=a", "--base=b"]).unwrap(), ["--base=b", "--"]);
    }

    #[test]
    fn refused_options_are_named_in_full() {
        assert_eq!(run(&["--gv"]), Err(Refusal::Unsupported("gv")));
        assert_eq!(run(&["-lis", "x"]), Err(Refusal::Unsupported("list")));
        assert_eq!(
            run(&["--debug-syms-by-id"]),
            Err(Refusal::Unsupported("debug-syms-by-id"))
        );
    }

    #[test]
    fn errors_are_those_of_getopt() {
        assert_eq!(invalid(&["--bogus"]), "Unknown option: bogus");
        assert_eq!(
            invalid(&["--li"]),
            "Option li is ambiguous (lib_prefix, lines, list)"
        );
        assert_eq!(invalid(&["--focus"]), "Option focus requires an argument");
        assert_eq!(
            invalid(&["--text=1"]),
            "Option text does not take an argument"
        );
        assert_eq!(invalid(&["--nofocus"]), "Unknown option: nofocus");
    }

    proptest! {
        #[test]
        fn never_panics(args in proptest::collection::vec("(-{0,2}[a-z=-]{0,8}|\\PC{0,6})", 0..6)) {
            let _ = normalise(args.into_iter().map(OsString::from));
        }
    }
}

//! Command lines as `jeprof` takes them, turned into what `clap` takes.
//!
//! Perl's Getopt::Long: one dash or two, any unique prefix, upper case as lower, `--x=v` and
//! `--x v`, `--noX` for flags, options and arguments in any order, `--` ends the options, the
//! last of several wins.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use Takes::{Nothing, Value};

/// Whether an option stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// Every option that `jeprof` 5.3 knows, and ours behind them.
const OPTIONS: &[(&str, Takes)] = &[
    ("help", Nothing),
    ("version", Nothing),
    ("cum", Nothing),
    ("base", Value),
    ("seconds", Value),
    ("add_lib", Value),
    ("lib_prefix", Value),
    ("functions", Nothing),
    ("lines", Nothing),
    ("addresses", Nothing),
    ("files", Nothing),
    ("text", Nothing),
    ("callgrind", Nothing),
    ("list", Value),
    ("disasm", Value),
    ("symbols", Nothing),
    ("gv", Nothing),
    ("evince", Nothing),
    ("web", Nothing),
    ("dot", Nothing),
    ("ps", Nothing),
    ("pdf", Nothing),
    ("svg", Nothing),
    ("gif", Nothing),
    ("raw", Nothing),
    ("collapsed", Nothing),
    ("interactive", Nothing),
    ("nodecount", Value),
    ("nodefraction", Value),
    ("edgefraction", Value),
    ("maxdegree", Value),
    ("focus", Value),
    ("thread", Value),
    ("ignore", Value),
    ("scale", Value),
    ("heapcheck", Nothing),
    ("retain", Value),
    ("exclude", Value),
    ("inuse_space", Nothing),
    ("inuse_objects", Nothing),
    ("alloc_space", Nothing),
    ("alloc_objects", Nothing),
    ("show_bytes", Nothing),
    ("drop_negative", Nothing),
    ("total_delay", Nothing),
    ("contentions", Nothing),
    ("mean_delay", Nothing),
    ("tools", Value),
    ("test", Nothing),
    ("debug", Nothing),
    ("debug-syms-by-id", Nothing),
    ("test_stride", Value),
    ("kind", Value),
    ("png", Nothing),
    ("weblist", Value),
    ("full-names", Nothing),
];

/// Options of ours that stand behind what `jeprof` has under the same beginning.
const OURS: [&str; 4] = ["kind", "png", "weblist", "full-names"];

/// Puts a command line, without the program's name, into the form `--name[=value]... -- args`.
/// What is refused is refused in the words of `jeprof`.
pub fn normalise(args: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
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
        let (name, takes, on) = find(&word)?;
        let value = match (takes, attached) {
            (Nothing, None) => None,
            (Nothing, Some(_)) => return Err(format!("Option {word} does not take an argument")),
            (Value, Some(value)) => Some(value),
            (Value, None) => {
                let missing = || format!("Option {word} requires an argument");
                Some(args.next().ok_or_else(missing)?)
            }
        };
        options.remove(name);
        if on {
            options.insert(name, value);
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
fn find(word: &str) -> Result<(&'static str, Takes, bool), String> {
    let lower = word.to_ascii_lowercase();
    if let Some((name, takes)) = unique(&lower, word, |_| true)? {
        return Ok((name, takes, true));
    }
    let positive = lower
        .strip_prefix("no")
        .map(|w| w.strip_prefix('-').unwrap_or(w));
    let negated = positive.filter(|p| !p.is_empty());
    if let Some(positive) = negated
        && let Some((name, takes)) = unique(positive, word, |takes| takes == Nothing)?
    {
        return Ok((name, takes, false));
    }
    Err(format!("Unknown option: {lower}"))
}

fn unique(
    prefix: &str,
    word: &str,
    eligible: impl Fn(Takes) -> bool,
) -> Result<Option<(&'static str, Takes)>, String> {
    let matching = |known: &&(&str, Takes)| eligible(known.1) && known.0.starts_with(prefix);
    let mut found: Vec<(&str, Takes)> = OPTIONS.iter().filter(matching).copied().collect();
    if let Some(exact) = found.iter().find(|known| known.0 == prefix) {
        return Ok(Some(*exact));
    }
    // A prefix that is jeprof's stays what it is there.
    if found.iter().any(|known| !OURS.contains(&known.0)) {
        found.retain(|known| !OURS.contains(&known.0));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(|known| known.0).collect();
        return Err(format!("Option {word} is ambiguous ({})", names.join(", ")));
    }
    Ok(found.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(args: &[&str]) -> Result<Vec<String>, String> {
        let out = normalise(args.iter().map(OsString::from))?;
        Ok(out.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    fn invalid(args: &[&str]) -> String {
        run(args).unwrap_err()
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
    fn ours_take_no_prefix_of_jeprof() {
        assert_eq!(run(&["-p"]).unwrap_err(), "Option p is ambiguous (ps, pdf)");
        assert_eq!(run(&["-we"]).unwrap(), ["--web", "--"]);
        assert_eq!(run(&["-pn"]).unwrap(), ["--png", "--"]);
        assert_eq!(
            run(&["-f", "x"]).unwrap_err(),
            "Option f is ambiguous (functions, files, focus)"
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

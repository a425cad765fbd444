//! `--- symbol` files, as `jeprof --raw` and `malloscope convert --to jeprof` write them: a name for each
//! address, then the profile itself, of any format. The names of inlined functions stand with `--` between
//! them, the outermost first. Source: `ReadSymbols` of jeprof.

use std::collections::HashMap;

use super::assembly;
use crate::profile::bounds::{self, MOST_INLINED};
use crate::profile::model::{Line, Profile, Shared};

/// The most memory that the names may take, beside the profile. 100,000 stacks of a compiler have a quarter of it.
const MOST: usize = 256 << 20;

/// About what a name takes beside its lines.
const RECORD: usize = 64;

/// The names of a file, and where in it the profile begins.
#[derive(Debug, Default)]
pub struct Symbols {
    /// The functions at each address.
    pub names: HashMap<u64, Shared<Line>>,
    binary: Option<String>,
    /// Where the profile's own header begins.
    pub rest: usize,
    /// Lines before it.
    pub lines: usize,
    /// The first line for which there was no room.
    pub left_out: Option<usize>,
    /// About how many bytes the names take.
    taken: usize,
}

impl Symbols {
    /// Reads the head of a file.
    pub fn read(bytes: &[u8]) -> Symbols {
        let mut symbols = Symbols::default();
        let mut sections = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end_matches(['\n', '\r']);
            // Behind `---` stands one more such line, the kind of profile, where that has none itself.
            let is_mark = text.starts_with("---");
            if sections >= 2 && !is_kind(text) {
                break;
            }
            symbols.rest += line.len();
            symbols.lines += 1;
            sections += usize::from(is_mark);
            let is_name = sections == 1 && !is_mark && symbols.left_out.is_none();
            if is_name && !symbols.line(text) {
                symbols.left_out = Some(symbols.lines);
            }
        }
        symbols
    }

    /// Notes what one line says. False when there is no room for more.
    pub fn line(&mut self, text: &str) -> bool {
        if let Some(binary) = text.strip_prefix("binary=") {
            self.binary = Some(bounds::name(binary.trim()));
        } else if let Some((address, lines)) = named(text) {
            self.taken += RECORD + assembly::size(&lines);
            self.names.insert(address, lines.into());
        }
        self.taken <= MOST
    }

    /// Gives the locations of a profile their names.
    pub fn apply(self, profile: &mut Profile) {
        for location in profile.locations.iter_mut().filter(|l| l.lines.is_empty()) {
            let named = self.names.get(&location.address);
            location.lines = named.cloned().unwrap_or_default();
        }
        let known = profile.process.get("command").is_some();
        if let Some(binary) = self.binary.filter(|_| !known) {
            let command = binary.replace(' ', "%20");
            profile
                .process
                .entries
                .push(("command".to_owned(), command));
        }
    }
}

/// `0xADDRESS NAME`.
fn named(text: &str) -> Option<(u64, Vec<Line>)> {
    let (address, name) = text.strip_prefix("0x")?.split_once([' ', '\t'])?;
    let address = u64::from_str_radix(address, 16).ok()?;
    Some((address, lines(name.trim())?))
}

/// `--- heap` and `--- growth` stand before a profile with a header of its own; `--- profile` before words.
fn is_kind(text: &str) -> bool {
    let kind = text.strip_prefix("---").map(str::trim);
    matches!(kind, Some("heap" | "growth" | "profile"))
}

/// The functions of one address; none for one that has no name but its address.
fn lines(names: &str) -> Option<Vec<Line>> {
    if names.starts_with("0x") || names.is_empty() || names == "??" {
        return None;
    }
    let mut lines: Vec<Line> = names.split("--").take(MOST_INLINED).map(line).collect();
    for inlined in &mut lines[1..] {
        inlined.inlined = true;
    }
    lines.reverse();
    Some(lines)
}

/// A function by its whole name.
pub fn line(name: &str) -> Line {
    let function = bounds::name(name);
    Line {
        short: short(&function),
        function,
        ..Line::default()
    }
}

/// The name without its parameters, where it has any: `os::malloc(unsigned long)`.
fn short(name: &str) -> Option<String> {
    let bare = name.strip_suffix(" const").unwrap_or(name);
    if !bare.ends_with(')') {
        return None;
    }
    let mut depth = 0;
    let open = bare.rfind(|c| {
        depth += match c {
            ')' => 1,
            '(' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let before = &bare[..open];
    let is_function = before.ends_with(|c: char| c.is_alphanumeric() || "_>]=+-*/~!".contains(c));
    let is_whole = !before.contains(' ') && !before.ends_with("operator");
    (is_function && is_whole).then(|| before.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_the_profile_begins() {
        let file = b"--- symbol\nbinary=/bin/x y\n0x0010 outer(int)--inner\n0x20 0x20\n---\n\
                     --- heap\nheap_v2/1\n";
        let symbols = Symbols::read(file);
        assert_eq!(&file[symbols.rest..], b"heap_v2/1\n");
        assert_eq!(symbols.lines, 6);
        let lines = &symbols.names[&0x10];
        assert_eq!((&*lines[0].function, lines[0].inlined), ("inner", true));
        assert_eq!((lines[1].short(), lines[1].inlined), ("outer", false));
        assert_eq!(symbols.names.len(), 1);
    }

    #[test]
    fn only_parameters_are_cut_off() {
        let short = |name| line(name).short().to_owned();
        assert_eq!(
            short("os::malloc(unsigned long, void (*)(int))"),
            "os::malloc"
        );
        assert_eq!(short("T::f(int) const"), "T::f");
        assert_eq!(short("A.b (B.java)"), "A.b (B.java)");
        assert_eq!(short("operator()"), "operator()");
    }
}

//! A symbolized profile: the names of all addresses, then the dump as it was. The real `jeprof` reads
//! it on any machine and shows managed frames too. A pure writer.
//!
//! As `jeprof --raw` writes it, with its own rules about names: `--` parts inlined functions, the
//! outermost first; parentheses and angle brackets are cut out of a name. jeprof takes one off every
//! return address, those of managed frames included, before it looks for the name.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::figures::hidden::is_hidden;
use crate::profile::model::{LocationId, Profile};
use crate::stacks::filter::{self, Site};
use crate::stacks::naming::{Granularity, Namesakes};

/// What the profiler's own function is called where nothing else is known of it: jeprof leaves out
/// the frames of this name.
const HOOK: &str = "malloc";

/// Writes the names of the locations that samples of malloc have in `profile`, and `dump`, from
/// which it was read.
pub fn write(
    profile: &Profile,
    dump: &[u8],
    program: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "--- symbol")?;
    if !program.is_empty() {
        writeln!(out, "binary={}", printable(program))?;
    }
    for (address, names) in names(profile) {
        writeln!(out, "0x{address:016x} {names}")?;
    }
    writeln!(out, "---\n--- heap")?;
    out.write_all(dump)
}

/// By the address that jeprof looks for.
fn names(profile: &Profile) -> BTreeMap<u64, String> {
    let namesakes = Namesakes::collect([profile].into_iter());
    let mut names = BTreeMap::new();
    for sample in &profile.samples {
        let inside = filter::inside_allocator(profile, sample);
        for (depth, &id) in sample.stack.iter().enumerate() {
            let location = profile.location(id);
            // The reader took the one off already where it means something.
            let is_return = depth > 0 && location.managed;
            let address = location.address - u64::from(is_return);
            // jeprof knows the frames of an allocator by their names alone: what we leave out bears one.
            let is_hook = depth < inside && !location.managed;
            names
                .entry(address)
                .or_insert_with(|| functions(profile, &namesakes, id, is_hook));
        }
    }
    names
}

fn functions(profile: &Profile, namesakes: &Namesakes, id: LocationId, is_hook: bool) -> String {
    let sites = filter::sites(profile, id);
    if is_hook && !sites.iter().any(filter::is_allocator) {
        return HOOK.to_owned();
    }
    let names: Vec<String> = sites
        .iter()
        .rev()
        .map(|site| function(namesakes, site))
        .collect();
    names.join("--")
}

fn function(namesakes: &Namesakes, site: &Site<'_>) -> String {
    let name = namesakes.frame(site, Granularity::Functions).full;
    let name = printable(&name).replace("--", "- -");
    if !site.location.managed {
        return name;
    }
    let scoped = name.contains("::");
    let bracket = |c| match c {
        '<' | '(' => '[',
        '>' | ')' => ']',
        // Before `::` jeprof takes a word for the type of the result.
        ' ' if scoped => '_',
        c => c,
    };
    name.chars().map(bracket).collect()
}

/// A line stays one, and nothing in it is a string's end to whom jeprof hands it on.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, Sample};

    fn location(address: u64, names: &[&str], managed: bool) -> Location {
        let line = |name: &&str| Line {
            function: (*name).to_owned(),
            ..Line::default()
        };
        Location {
            address,
            lines: names.iter().map(line).collect(),
            managed,
            ..Location::default()
        }
    }

    #[test]
    fn names_stand_where_jeprof_looks_for_them() {
        let profile = Profile {
            leaf_is_hook: true,
            locations: vec![
                location(0x10, &["renamed"], false),
                location(0x20, &["inner", "T::operator--(int)"], false),
                location(0x4d00_0000_0000_0000, &["a.B.<init>"], true),
                location(0x4d00_0000_0000_0010, &["block in A::b (2)\n\"--\\"], true),
                location(0x4d00_0000_0000_0020, &["[jit compiler thread]"], true),
                location(0x30, &[], false),
            ],
            samples: vec![Sample {
                stack: (0..6).map(LocationId).collect(),
                ..Sample::default()
            }],
            ..Profile::default()
        };
        let mut out = Vec::new();
        write(&profile, b"heap_v2/1\n", "a\nb", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "--- symbol\n\
             binary=a\u{fffd}b\n\
             0x0000000000000010 malloc\n\
             0x0000000000000020 T::operator- -(int)--inner\n\
             0x0000000000000030 0x0000000000000030\n\
             0x4cffffffffffffff a.B.[init]\n\
             0x4d0000000000000f block_in_A::b_[2]\u{fffd}'-_-/\n\
             0x4d0000000000001f [jit compiler thread]\n\
             ---\n\
             --- heap\n\
             heap_v2/1\n"
        );
    }
}

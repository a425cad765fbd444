//! `--symbols PROGRAM`: a map and addresses on the standard input, a name for each address on the standard
//! output, in the order of the addresses.

use std::io::{self, BufWriter, Read, Write};

use anyhow::Result;
use profile_format::maps;

use super::input::Input;
use super::options::Cli;
use crate::command::console::JEPROF;
use crate::profile::model::{Location, Mapping, Profile};
use crate::stacks::short_name::short_name;
use crate::symbolize::symbolize;

/// Reads, names and writes.
pub fn print(cli: &Cli) -> Result<()> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    let mut profile = profile(&text);
    let input = Input {
        program: cli.files.first().cloned(),
        ..Input::default()
    };
    let asked = profile.locations.len();
    let warnings = symbolize(std::slice::from_mut(&mut profile), &input.locator(cli));
    JEPROF.warn(&warnings);
    let mut out = BufWriter::new(io::stdout().lock());
    for location in &profile.locations[..asked] {
        // What was inlined stands before its caller, and jeprof names the caller.
        let name = location
            .lines
            .last()
            .map_or("??".into(), |line| match cli.full_names() {
                true => line.short().to_owned(),
                false => short_name(&line.function),
            });
        writeln!(out, "{name}")?;
    }
    Ok(out.flush()?)
}

fn profile(text: &str) -> Profile {
    let mut profile = Profile::default();
    for line in text.lines().map(str::trim) {
        if let Some(map) = maps::parse(line.as_bytes()) {
            profile.mappings.push(Mapping {
                start: map.start,
                end: map.end,
                offset: map.offset,
                executable: map.execute,
                path: String::from_utf8_lossy(map.path).into_owned(),
                deleted: map.deleted,
                ..Mapping::default()
            });
        } else if let Some(address) = line.strip_prefix("0x") {
            let digits = address.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let address = u64::from_str_radix(digits, 16).unwrap_or(0);
            profile.locations.push(Location {
                address,
                ..Location::default()
            });
        }
    }
    for location in &mut profile.locations {
        let holds = |m: &Mapping| (m.start..m.end).contains(&location.address);
        location.mapping = profile.mappings.iter().position(holds);
    }
    profile
}

//! `--list`, `--weblist`, `--disasm`: functions by a pattern, with their source and their instructions. Reads
//! the source files; what is shown is decided in the views.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};

use crate::analysis::listing::{self, Listing, Pair};
use crate::command::console::say;
use crate::command::load::Loaded;
use crate::command::viewer::{self, BROWSERS};
use crate::figures::units::Unit;
use crate::profile::code::Routine;
use crate::stacks::by_address::FilePlaces;
use crate::stacks::{Pattern, Selection};
use crate::symbolize::{Locator, code};
use crate::view::html::listing::{Section, page};
use crate::view::terminal;

/// What is listed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The profiles.
    pub loaded: &'a Loaded,
    /// Where the code of functions is found.
    pub locator: &'a Locator,
    /// Whose profile it is.
    pub program: &'a str,
    /// What the numbers count.
    pub unit: Unit,
    /// The whole, before any stack is chosen.
    pub total: f64,
}

/// A function that matches, with the values of its addresses.
struct Match {
    routine: Routine,
    values: BTreeMap<u64, Pair>,
}

/// The source of each function that matches.
pub fn list(
    shown: &Shown<'_>,
    selection: &Selection,
    pattern: &Pattern,
    out: &mut dyn Write,
) -> Result<()> {
    let mut sources = Sources::default();
    let unit = shown.unit;
    for found in matches(shown, selection, pattern)? {
        let Some((listing, text)) = sources.listing(&found) else {
            continue;
        };
        let text: Vec<&str> = text.iter().map(String::as_str).collect();
        terminal::listing::source(&found.routine, &listing, &text, unit, &mut &mut *out)?;
    }
    Ok(())
}

/// The same as a page, in a browser.
pub fn weblist(shown: &Shown<'_>, selection: &Selection, pattern: &Pattern) -> Result<()> {
    let mut sources = Sources::default();
    let unit = shown.unit;
    let found = matches(shown, selection, pattern)?;
    let mut listed = Vec::new();
    for found in &found {
        if let Some((listing, text)) = sources.listing(found) {
            listed.push((found, listing, text.to_vec()));
        }
    }
    if listed.is_empty() {
        bail!("no source is found for what matches {}", pattern.as_str());
    }
    let texts: Vec<Vec<&str>> = listed
        .iter()
        .map(|(_, _, text)| text.iter().map(String::as_str).collect())
        .collect();
    let sections: Vec<Section<'_>> = listed
        .iter()
        .zip(&texts)
        .map(|((found, listing, _), text)| Section {
            routine: &found.routine,
            listing,
            text,
            values: &found.values,
        })
        .collect();
    let total = shown.total;
    let page = page(shown.program, total, &sections, unit);
    viewer::show(page.as_bytes(), "html", &BROWSERS)
}

/// The instructions of each function that matches.
pub fn disasm(
    shown: &Shown<'_>,
    selection: &Selection,
    pattern: &Pattern,
    out: &mut dyn Write,
) -> Result<()> {
    let mut sources = Sources::default();
    let unit = shown.unit;
    let total = shown.total;
    for found in matches(shown, selection, pattern)? {
        if found.routine.instructions.is_empty() {
            say(&format!(
                "{}: its instructions cannot be read",
                found.routine.name
            ));
            continue;
        }
        for row in &found.routine.rows {
            sources.text(&row.file);
        }
        let Match { routine, values } = &found;
        terminal::listing::instructions(
            routine,
            values,
            total,
            &sources.texts,
            unit,
            &mut &mut *out,
        )?;
    }
    Ok(())
}

fn matches(shown: &Shown<'_>, selection: &Selection, pattern: &Pattern) -> Result<Vec<Match>> {
    let mut found = Vec::new();
    for mut file in shown.loaded.places(selection) {
        let is_meant = |place: &crate::stacks::by_address::Place| {
            pattern.is_match(place.function.short()) || pattern.is_match(&place.function.function)
        };
        file.places.retain(|_, place| is_meant(place));
        if file.places.is_empty() {
            continue;
        }
        match routines(&file, shown) {
            Ok(routines) => found.extend(routines),
            Err(warning) => say(&warning),
        }
    }
    if found.is_empty() {
        bail!("no function with a sample matches {}", pattern.as_str());
    }
    Ok(found)
}

fn routines(file: &FilePlaces, shown: &Shown<'_>) -> Result<Vec<Match>, String> {
    let offsets: Vec<u64> = file.places.keys().copied().collect();
    let routines = code::routines(&file.module, &offsets, shown.locator)?;
    let with_values = |routine: Routine| {
        let asked = routine.asked.iter();
        let values = asked.filter_map(|(offset, address)| {
            let place = file.places.get(offset)?;
            Some((*address, (place.flat, place.cumulative)))
        });
        Match {
            values: values.collect(),
            routine,
        }
    };
    let mut found: Vec<Match> = routines.into_iter().map(with_values).collect();
    found.sort_by(|a, b| a.routine.name.cmp(&b.routine.name));
    Ok(found)
}

/// Source files that were read.
#[derive(Default)]
struct Sources {
    texts: HashMap<String, Vec<String>>,
}

impl Sources {
    /// The lines of a file; none of one that cannot be read, which is said once.
    fn text(&mut self, file: &str) -> &[String] {
        self.texts
            .entry(file.to_owned())
            .or_insert_with(|| match read(file) {
                Ok(lines) => lines,
                Err(error) => {
                    say(&format!("{file}: {error}"));
                    Vec::new()
                }
            })
    }

    fn listing(&mut self, found: &Match) -> Option<(Listing, &[String])> {
        let Some(file) = listing::file(&found.routine.rows) else {
            say(&format!("no filename found in {}", found.routine.name));
            return None;
        };
        let file = file.to_owned();
        let lines = self.text(&file);
        if lines.is_empty() {
            return None;
        }
        let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
        let listing = Listing::of(&found.routine.rows, &found.values, &borrowed)?;
        Some((listing, self.texts.get(&file)?))
    }
}

/// A profile may name anything: only a regular file is read.
fn read(file: &str) -> std::io::Result<Vec<String>> {
    if !fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let bytes = fs::read(Path::new(file))?;
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect())
}

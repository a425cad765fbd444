//! What a frame is called at each granularity.
//!
//! Functions go by their name without parameters, as in `jeprof`, but with their template
//! arguments and whole Rust paths. Where two functions would share such a name they keep their
//! parameters, and where that is not enough they get `@start`, as in `jeprof`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::profile::model::{Language, Line, Location, Mapping, Profile};
use crate::stacks::filter::{Site, place};
use crate::stacks::short_name::short_name;

/// What makes a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// A function.
    #[default]
    Functions,
    /// A function and a source line.
    Lines,
    /// A code address.
    Addresses,
    /// A source file.
    Files,
    /// A thread that allocated; stacks are not told apart.
    Threads,
    /// Threads whose names differ in a number.
    Pools,
}

/// Where a frame's name comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Machine code with a symbol.
    #[default]
    Native,
    /// A managed runtime's frame, named by the dump.
    Managed,
    /// No name was found: module and offset, or the bare address, stand in its place.
    Unresolved,
}

/// One node of the picture: a function, a line, a file or an address, as the granularity says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What is printed and what tells frames apart.
    pub name: String,
    /// The function alone, whole, parameters included: for tooltips and folded stacks.
    pub full: String,
    /// File name of the module, without its directory.
    pub module: Option<String>,
    /// The module is one of the system's libraries.
    pub system: bool,
    /// Source file of the first occurrence.
    pub file: Option<String>,
    /// Line number there: that of the occurrences with the largest value.
    pub line: Option<u32>,
    /// Inlined into its caller, wherever it occurs.
    pub inlined: bool,
    /// A class: what was allocated, not the allocating function.
    pub is_class: bool,
    /// The language of a managed frame.
    pub language: Option<Language>,
    /// Where the name comes from.
    pub kind: FrameKind,
}

impl Frame {
    /// What tells a managed function from its namesakes: its file. Of native code the name does.
    pub fn home(&self) -> &str {
        match self.kind {
            FrameKind::Managed => self.file.as_deref().unwrap_or_default(),
            _ => "",
        }
    }
}

/// A body of code: module path, its build id, start address.
type Body = (String, Option<String>, u64);

#[derive(Default)]
struct Holders {
    fulls: BTreeSet<String>,
    bodies: BTreeSet<Body>,
}

/// The functions that share a name with another one.
#[derive(Default)]
pub struct Namesakes {
    by_short: HashMap<String, Holders>,
    /// Names are as short as jeprof's: template arguments are no part of them.
    is_short: bool,
    /// Names end in ` (inline)` where `jeprof`'s do: then a function that is also called has two.
    marks_inlined: bool,
}

impl Namesakes {
    /// Looks at every named location of every profile.
    pub fn collect<'a>(profiles: impl Iterator<Item = &'a Profile>) -> Namesakes {
        Namesakes::with_names(profiles, false)
    }

    /// The same, with the names that jeprof gives, or whole ones.
    pub fn with_names<'a>(
        profiles: impl Iterator<Item = &'a Profile>,
        is_short: bool,
    ) -> Namesakes {
        let mut namesakes = Namesakes {
            is_short,
            ..Namesakes::default()
        };
        for profile in profiles {
            for location in profile.locations.iter().filter(|l| !l.managed) {
                for line in &location.lines {
                    namesakes.note(profile, location, line);
                }
            }
        }
        namesakes
            .by_short
            .retain(|_, h| h.fulls.len() > 1 || h.bodies.len() > 1);
        namesakes
    }

    /// The same, with ` (inline)` behind the names of what was inlined, or without.
    pub fn marking_inlined(self, marks_inlined: bool) -> Namesakes {
        Namesakes {
            marks_inlined,
            ..self
        }
    }

    fn note(&mut self, profile: &Profile, location: &Location, line: &Line) {
        let name = self.short_of(line);
        let is_apart = self.is_apart(line, &name);
        let holders = match self.by_short.get_mut(&*name) {
            Some(holders) => holders,
            None => self.by_short.entry(name.into_owned()).or_default(),
        };
        if !holders.fulls.contains(&line.function) {
            holders.fulls.insert(line.function.clone());
        }
        let mapping = location.mapping.and_then(|m| profile.mappings.get(m));
        if let (Some(start), Some(m), true) = (line.start, mapping, is_apart) {
            holders
                .bodies
                .insert((m.path.clone(), m.build_id.clone(), start));
        }
    }

    /// jeprof tells apart only what begins with its short name, so that all of a template are one, and only
    /// what has one name for the linker, so that all constructors of a class are one.
    fn is_apart(&self, line: &Line, short: &str) -> bool {
        !self.is_short || (!line.has_alias && line.function.starts_with(short))
    }

    fn short_of<'a>(&self, line: &'a Line) -> Cow<'a, str> {
        match self.is_short {
            true => short_name(&line.function).into(),
            false => line.short().into(),
        }
    }

    /// The frame of a site.
    pub fn frame(&self, site: &Site<'_>, granularity: Granularity) -> Frame {
        let mut frame = match site.line {
            Some(line) => self.named(site, line, granularity),
            None => unresolved(site, granularity),
        };
        frame.module = site.mapping.map(|m| m.file_name().to_owned());
        frame.system = site.mapping.is_some_and(Mapping::is_system_library);
        frame
    }

    fn named(&self, site: &Site<'_>, line: &Line, granularity: Granularity) -> Frame {
        let mut name = self.function(site, line);
        if line.inlined && self.marks_inlined {
            name.push_str(" (inline)");
        }
        let file = line.file.as_deref();
        let at = file.map_or("??:?".to_owned(), |f| place(f, line.line));
        let address = site.location.address;
        let name = match granularity {
            // A thread is no name of a place: `named` makes its frame.
            Granularity::Functions | Granularity::Threads | Granularity::Pools => name,
            Granularity::Lines => format!("{name} {at}"),
            Granularity::Addresses => format!("{address:016x} {name} {at}"),
            Granularity::Files => match file {
                Some(file) => file.to_owned(),
                // An address would say nothing to a reader.
                None if site.location.managed => name,
                None => module(site).unwrap_or_else(|| bare(site, address)),
            },
        };
        let managed = site.location.managed;
        Frame {
            name,
            full: line.function.clone(),
            module: None,
            system: false,
            file: line.file.clone(),
            line: line.line,
            inlined: line.inlined,
            is_class: line.is_class,
            language: line.language,
            kind: if managed && !line.is_cut {
                FrameKind::Managed
            } else {
                FrameKind::Native
            },
        }
    }

    fn function(&self, site: &Site<'_>, line: &Line) -> String {
        if site.location.managed {
            return line.short().to_owned();
        }
        let short = self.short_of(line);
        let Some(holders) = self.by_short.get(&*short) else {
            return short.into_owned();
        };
        if !self.is_short && holders.fulls.len() > 1 && line.short.is_some() {
            return line.function.clone();
        }
        match line.start {
            Some(start) if self.is_apart(line, &short) && is_shared(&holders.bodies) => {
                format!("{short}@{start:x}")
            }
            _ => short.into_owned(),
        }
    }
}

/// Two bodies are two functions when they lie in different files, or apart in one build of a
/// file. The same path with another build is the same function built again.
fn is_shared(bodies: &BTreeSet<Body>) -> bool {
    let mut pairs = bodies.iter().zip(bodies.iter().skip(1));
    pairs.any(|(a, b)| a.0 != b.0 || (a.1 == b.1 && a.2 != b.2))
}

fn unresolved(site: &Site<'_>, granularity: Granularity) -> Frame {
    let address = site.location.address;
    let function = bare(site, site.location.function_start.unwrap_or(address));
    let name = match granularity {
        Granularity::Addresses => format!("{address:016x} {}", bare(site, address)),
        Granularity::Files => module(site).unwrap_or_else(|| function.clone()),
        _ => function.clone(),
    };
    Frame {
        name,
        full: function,
        kind: FrameKind::Unresolved,
        ..Frame::default()
    }
}

/// The file of code, where it lies in one.
fn module(site: &Site<'_>) -> Option<String> {
    let mapping = site.mapping.filter(|m| m.has_code_file())?;
    Some(mapping.file_name().to_owned())
}

/// `libfoo.so+0x1234` counts from where the file is loaded, so that it is the same in every run;
/// memory without a file has only its address.
fn bare(site: &Site<'_>, address: u64) -> String {
    match site.mapping {
        Some(m) if m.path.starts_with('/') || m.path == "[vdso]" => {
            let fate = match (m.unloaded, m.deleted) {
                (true, _) => " (unloaded)",
                (false, true) => " (deleted)",
                (false, false) => "",
            };
            format!(
                "{}{fate}+{:#x}",
                m.file_name(),
                address.wrapping_sub(m.base)
            )
        }
        Some(m) if m.path.is_empty() => format!("[anon] {address:#018x}"),
        Some(m) => format!("{} {address:#018x}", m.path),
        None => format!("{address:#018x}"),
    }
}

#[cfg(test)]
mod tests;

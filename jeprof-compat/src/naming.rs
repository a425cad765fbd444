//! What a frame is called at each granularity. Called by `stacks`.
//!
//! Functions go by their name without parameters, as in `jeprof`, but with their template
//! arguments and whole Rust paths. Where two functions would share such a name they keep their
//! parameters, and where that is not enough they get `@start`, as in `jeprof`.

use std::collections::{BTreeSet, HashMap};

use crate::filter::{Site, place};
use crate::model::{Line, Location, Profile};
use crate::stacks::{Frame, FrameKind};

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
}

impl Namesakes {
    /// Looks at every named location of every profile.
    pub fn collect<'a>(profiles: impl Iterator<Item = &'a Profile>) -> Namesakes {
        let mut namesakes = Namesakes::default();
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

    fn note(&mut self, profile: &Profile, location: &Location, line: &Line) {
        let holders = match self.by_short.get_mut(line.short()) {
            Some(holders) => holders,
            None => self.by_short.entry(line.short().to_owned()).or_default(),
        };
        if !holders.fulls.contains(&line.function) {
            holders.fulls.insert(line.function.clone());
        }
        let mapping = location.mapping.and_then(|m| profile.mappings.get(m));
        if let (Some(start), Some(m)) = (line.start, mapping) {
            holders
                .bodies
                .insert((m.path.clone(), m.build_id.clone(), start));
        }
    }

    /// The frame of a site.
    pub fn frame(&self, site: &Site<'_>, granularity: Granularity) -> Frame {
        let mut frame = match site.line {
            Some(line) => self.named(site, line, granularity),
            None => unresolved(site, granularity),
        };
        frame.module = site.mapping.map(|m| m.file_name().to_owned());
        frame
    }

    fn named(&self, site: &Site<'_>, line: &Line, granularity: Granularity) -> Frame {
        let mut name = self.function(site, line);
        if line.inlined {
            name.push_str(" (inline)");
        }
        let file = line.file.as_deref();
        let at = file.map_or("??:0".to_owned(), |f| place(f, line.line));
        let address = site.location.address;
        let name = match granularity {
            Granularity::Functions => name,
            Granularity::Lines => format!("{name} {at}"),
            Granularity::Addresses => format!("{address:016x} {name} {at}"),
            Granularity::Files => file.map_or_else(|| bare(site), str::to_owned),
        };
        let managed = site.location.managed;
        Frame {
            name,
            full: line.function.clone(),
            module: None,
            file: line.file.clone(),
            line: line.line,
            inlined: line.inlined,
            kind: if managed {
                FrameKind::Managed
            } else {
                FrameKind::Native
            },
        }
    }

    fn function(&self, site: &Site<'_>, line: &Line) -> String {
        let Some(holders) = self
            .by_short
            .get(line.short())
            .filter(|_| !site.location.managed)
        else {
            return line.short().to_owned();
        };
        if holders.fulls.len() > 1 && line.short.is_some() {
            return line.function.clone();
        }
        match line.start {
            Some(start) if is_shared(&holders.bodies) => format!("{}@{start:x}", line.short()),
            _ => line.short().to_owned(),
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
    let bare = bare(site);
    let name = match granularity {
        Granularity::Addresses => format!("{:016x} {bare}", site.location.address),
        _ => bare.clone(),
    };
    Frame {
        name,
        full: bare,
        kind: FrameKind::Unresolved,
        ..Frame::default()
    }
}

/// `libfoo.so+0x1234` counts from the start of the file as it is mapped, so that it is the
/// same in every run; memory without a file has only its address.
fn bare(site: &Site<'_>) -> String {
    let address = site.location.address;
    match site.mapping {
        Some(m) if m.path.starts_with('/') || m.path == "[vdso]" => {
            let offset = address.wrapping_sub(m.start).wrapping_add(m.offset);
            let deleted = if m.deleted { " (deleted)" } else { "" };
            format!("{}{deleted}+{offset:#x}", m.file_name())
        }
        Some(m) if m.path.is_empty() => format!("[anon] {address:#018x}"),
        Some(m) => format!("{} {address:#018x}", m.path),
        None => format!("{address:#018x}"),
    }
}

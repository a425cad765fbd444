//! The dumps of many processes as one, by names and build ids: what all pods of a service hold. Pure.
//!
//! A file of code lies elsewhere in each process. Here each, known by its path and build id, gets one place,
//! and all addresses in it move there; a managed frame is known by its name. So stacks that are the same
//! become one, their bytes and variances add, and names can be looked up as ever. Births are left out: each
//! process counts them from its own start.

use std::collections::{BTreeMap, HashMap};

use profile_format::heap_v2::PSEUDO_FRAMES;

use crate::profile::model::{
    Location, LocationId, Mapping, OtherKind, Profile, Sample, Shared, StackFacts, Weighed,
};

/// Where the first file is put: files that move there keep below what managed frames use.
const FIRST: u64 = 0x7000_0000_0000;
/// Between two files, and what they are aligned to.
const GAP: u64 = 1 << 21;
/// Where addresses go that no file has.
const NOWHERE: u64 = 0x1000_0000;
/// Between two managed frames.
const APART: u64 = 16;

/// Adds all up.
pub fn merged(profiles: &[&Profile]) -> Profile {
    let mut merger = Merger {
        next: FIRST,
        ..Merger::default()
    };
    for profile in profiles {
        merger.add(profile);
    }
    merger.out.leaf_is_hook = profiles.iter().all(|profile| profile.leaf_is_hook);
    merger.out.process.entries = facts(profiles);
    merger.finish()
}

/// What is true of all.
fn facts(profiles: &[&Profile]) -> Vec<(String, String)> {
    let first = |key: &str| profiles.first().and_then(|p| p.process.get(key));
    let numbers = |key: &'static str| {
        let all = profiles.iter().filter_map(move |p| p.process.get(key));
        all.filter_map(|text| text.parse::<u64>().ok())
    };
    let mut facts = Vec::new();
    let mut fact = |key: &str, text: String| facts.push((key.to_owned(), text));
    if let Some(command) = first("command") {
        fact("command", command.to_owned());
    }
    fact("merged_dumps", profiles.len().to_string());
    for key in ["rss_bytes", "rss_anonymous_bytes"] {
        fact(key, numbers(key).sum::<u64>().to_string());
    }
    if let Some(last) = numbers("time_unix_ms").max() {
        fact("time_unix_ms", last.to_string());
    }
    facts
}

/// Stacks of one kind by their places.
#[derive(Default)]
struct Stacks {
    by_places: HashMap<Shared<LocationId>, usize>,
    samples: Vec<Sample>,
    facts: Vec<(String, String)>,
}

#[derive(Default)]
struct Merger {
    /// How many were added.
    count: usize,
    /// Where the next file goes.
    next: u64,
    /// Where each file went.
    files: HashMap<(String, Option<String>), u64>,
    /// Pieces of files by their new start.
    pieces: BTreeMap<u64, Mapping>,
    places: HashMap<Place, LocationId>,
    kinds: BTreeMap<Option<String>, Stacks>,
    out: Profile,
}

/// What makes places of two processes the same.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Address(u64),
    Managed(String, Option<String>, Option<u32>),
    /// Of one process alone: its number among all, and the address.
    Alone(usize, u64),
}

impl Merger {
    fn add(&mut self, profile: &Profile) {
        let mut sizes: HashMap<(&str, u64), u64> = HashMap::new();
        for m in &profile.mappings {
            let size = sizes.entry((&m.path, m.base)).or_default();
            *size = (*size).max(m.end.saturating_sub(m.base));
        }
        let size = |m: &Mapping| sizes[&(m.path.as_str(), m.base)];
        let bases = profile.mappings.iter().map(|m| self.base(m, size(m)));
        let moved: Vec<u64> = bases.collect();
        for (mapping, base) in profile.mappings.iter().zip(&moved) {
            self.piece(mapping, *base);
        }
        self.count += 1;
        let ids: Vec<LocationId> = profile
            .locations
            .iter()
            .map(|location| self.location(profile, location, &moved))
            .collect();
        self.out.period = match self.out.period {
            0 => profile.period,
            period => period.min(profile.period.max(1)),
        };
        self.samples(None, &profile.samples, &[], &ids);
        for (name, kind) in &profile.other_kinds {
            self.samples(Some(name.clone()), &kind.samples, &kind.facts, &ids);
        }
    }

    /// Where the file of a mapping begins now. It has so many bytes here.
    fn base(&mut self, mapping: &Mapping, size: u64) -> u64 {
        if !mapping.has_code_file() {
            return 0;
        }
        let key = (mapping.path.clone(), mapping.build_id.clone());
        if let Some(base) = self.files.get(&key) {
            return *base;
        }
        let base = self.next;
        // It may be longer in another process, so there is room.
        self.next += size.next_multiple_of(GAP).saturating_mul(2) + GAP;
        self.files.insert(key, base);
        base
    }

    fn piece(&mut self, mapping: &Mapping, base: u64) {
        if !mapping.has_code_file() {
            return;
        }
        let start = base + mapping.start.wrapping_sub(mapping.base);
        let end = base + mapping.end.wrapping_sub(mapping.base);
        let known = self.pieces.entry(start).or_insert_with(|| Mapping {
            start,
            end,
            base,
            ..mapping.clone()
        });
        known.end = known.end.max(end);
    }

    fn location(&mut self, profile: &Profile, location: &Location, moved: &[u64]) -> LocationId {
        let next = LocationId(self.out.locations.len() as u32);
        let (place, address) = match (location.managed, location.mapping) {
            (true, _) => {
                let line = location.lines.first().cloned().unwrap_or_default();
                let place = Place::Managed(line.function, line.file, line.line);
                (place, PSEUDO_FRAMES + u64::from(next.0) * APART)
            }
            (false, Some(at)) if profile.mappings[at].has_code_file() => {
                let offset = location.address.wrapping_sub(profile.mappings[at].base);
                let address = moved[at].wrapping_add(offset);
                (Place::Address(address), address)
            }
            _ => {
                let place = Place::Alone(self.count, location.address);
                (place, NOWHERE + u64::from(next.0) * APART)
            }
        };
        let id = *self.places.entry(place).or_insert(next);
        if id == next {
            let lines = match location.managed {
                true => location.lines.clone(),
                false => Shared::default(),
            };
            self.out.locations.push(Location {
                address,
                managed: location.managed,
                lines,
                ..Location::default()
            });
        }
        id
    }

    fn samples(
        &mut self,
        kind: Option<String>,
        samples: &[Sample],
        facts: &[(String, String)],
        ids: &[LocationId],
    ) {
        let stacks = self.kinds.entry(kind).or_default();
        if stacks.facts.is_empty() {
            stacks.facts = facts.to_vec();
        }
        for sample in samples {
            let stack: Shared<LocationId> =
                sample.stack.iter().map(|id| ids[id.0 as usize]).collect();
            let next = stacks.samples.len();
            let at = *stacks.by_places.entry(stack.clone()).or_insert(next);
            if at == next {
                stacks.samples.push(Sample {
                    stack,
                    facts: Some(StackFacts {
                        id: next as u64,
                        ..StackFacts::default()
                    }),
                    ..Sample::default()
                });
            }
            add(&mut stacks.samples[at], sample);
        }
    }

    fn finish(mut self) -> Profile {
        self.out.mappings = self.pieces.into_values().collect();
        for location in self.out.locations.iter_mut().filter(|l| !l.managed) {
            let holds = |m: &Mapping| m.start <= location.address && location.address < m.end;
            location.mapping = self.out.mappings.iter().position(holds);
        }
        for (kind, stacks) in self.kinds {
            match kind {
                None => self.out.samples = stacks.samples,
                Some(kind) => {
                    let (facts, samples) = (stacks.facts, stacks.samples);
                    let merged = OtherKind { facts, samples };
                    self.out.other_kinds.insert(kind, merged);
                }
            }
        }
        self.out
    }
}

fn add(sum: &mut Sample, sample: &Sample) {
    sum.values += sample.values;
    let (Some(sum), Some(facts)) = (&mut sum.facts, &sample.facts) else {
        return;
    };
    sum.samples += facts.samples;
    sum.alloc_samples += facts.alloc_samples;
    sum.variance += facts.variance;
    sum.sizes = match (sum.sizes, facts.sizes) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    };
    let mut lives: BTreeMap<u32, Weighed> = sum.lives.iter().collect();
    for (bucket, freed) in &facts.lives {
        lives.entry(bucket).or_default().add(&freed);
    }
    sum.lives = lives.into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Values};

    /// A process whose library lies at `base`, with one stack of a native and a managed frame.
    fn process(base: u64, build_id: &str, bytes: f64) -> Profile {
        let mapping = Mapping {
            start: base + 0x1000,
            end: base + 0x3000,
            offset: 0x1000,
            base,
            executable: true,
            path: "/srv/shop".to_owned(),
            build_id: Some(build_id.to_owned()),
            ..Mapping::default()
        };
        let managed = Location {
            address: PSEUDO_FRAMES + base,
            managed: true,
            lines: vec![Line {
                function: "Shop.run".to_owned(),
                ..Line::default()
            }]
            .into(),
            ..Location::default()
        };
        let native = Location {
            address: base + 0x1234,
            mapping: Some(0),
            ..Location::default()
        };
        Profile {
            period: 1 << 19,
            mappings: vec![mapping],
            locations: vec![native, managed],
            samples: vec![Sample {
                stack: vec![LocationId(0), LocationId(1)].into(),
                values: Values {
                    inuse_space: bytes,
                    ..Values::default()
                },
                facts: Some(StackFacts {
                    id: base,
                    samples: 3,
                    variance: 5.0,
                    sizes: Some((8, base)),
                    ..StackFacts::default()
                }),
                ..Sample::default()
            }],
            ..Profile::default()
        }
    }

    #[test]
    fn the_same_code_elsewhere_is_one_stack() {
        let (a, b) = (
            process(0x10_0000, "aa", 10.0),
            process(0x77_0000, "aa", 20.0),
        );
        let merged = merged(&[&a, &b]);
        assert_eq!(merged.samples.len(), 1);
        let sample = &merged.samples[0];
        assert_eq!(sample.values.inuse_space, 30.0);
        let facts = sample.facts.as_ref().expect("facts");
        assert_eq!((facts.samples, facts.variance), (6, 10.0));
        assert_eq!(facts.sizes, Some((8, 0x77_0000)));
        assert_eq!(merged.mappings.len(), 1);
        let native = merged.location(sample.stack[0]);
        assert_eq!(
            (native.address - merged.mappings[0].base, native.mapping),
            (0x1234, Some(0))
        );
        assert_eq!(
            merged.location(sample.stack[1]).lines[0].function,
            "Shop.run"
        );
        assert_eq!(merged.process.get("merged_dumps"), Some("2"));
    }

    #[test]
    fn another_build_is_another_file() {
        let (a, b) = (
            process(0x10_0000, "aa", 10.0),
            process(0x10_0000, "bb", 20.0),
        );
        let merged = merged(&[&a, &b]);
        assert_eq!((merged.samples.len(), merged.mappings.len()), (2, 2));
        assert!(merged.mappings[0].end < merged.mappings[1].start);
    }
}

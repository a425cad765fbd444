//! Puts a profile together from stacks of raw addresses.

use std::collections::HashMap;

use crate::profile::model::{Line, Location, LocationId, Mapping, OtherKind, Profile, Sample};

/// A profile that grows.
#[derive(Debug, Default)]
pub struct Assembly {
    /// What there is so far; its locations know no mappings before [`Assembly::finish`].
    pub profile: Profile,
    by_address: HashMap<u64, LocationId>,
    managed: HashMap<u64, Line>,
    /// `(start, build id, path)`.
    build_ids: Vec<(u64, String, String)>,
}

impl Assembly {
    /// The locations of a stack of addresses as they stand in a dump, leaf first. All but the
    /// first are return addresses and belong to the call before them, as `jeprof` has it.
    pub fn stack(&mut self, frames: &[u64], is_managed: impl Fn(u64) -> bool) -> Vec<LocationId> {
        let mut stack = Vec::with_capacity(frames.len());
        for (depth, &frame) in frames.iter().enumerate() {
            let managed = is_managed(frame);
            let is_return = depth > 0 && !managed;
            let address = frame.wrapping_sub(u64::from(is_return));
            stack.push(self.location(address, managed));
        }
        stack
    }

    fn location(&mut self, address: u64, managed: bool) -> LocationId {
        let next = LocationId(self.profile.locations.len() as u32);
        let id = *self.by_address.entry(address).or_insert(next);
        if id == next {
            self.profile.locations.push(Location {
                address,
                managed,
                ..Location::default()
            });
        }
        id
    }

    /// Notes the name of a managed frame; it may come before or after the stacks that use it.
    pub fn name_managed(&mut self, address: u64, line: Line) {
        self.managed.insert(address, line);
    }

    /// Notes the build id of the file that is mapped at `start`.
    pub fn build_id(&mut self, start: u64, hex: &str, path: &str) {
        let hex = hex.to_ascii_lowercase();
        self.build_ids.push((start, hex, path.to_owned()));
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: Sample) {
        self.profile.samples.push(sample);
    }

    /// What there is so far of another kind than malloc.
    pub fn kind(&mut self, name: String) -> &mut OtherKind {
        self.profile.other_kinds.entry(name).or_default()
    }

    /// Finds the mapping of every location and names the managed ones.
    pub fn finish(self) -> Profile {
        let mut profile = self.profile;
        profile.mappings.sort_by_key(|m| m.start);
        set_bases(&mut profile.mappings);
        set_build_ids(&mut profile.mappings, &self.build_ids);
        for location in &mut profile.locations {
            if location.managed {
                location
                    .lines
                    .extend(self.managed.get(&location.address).cloned());
            } else {
                location.mapping = mapping_of(&profile.mappings, location.address);
            }
        }
        profile
    }
}

/// A file is mapped in pieces, the one with its offset 0 first; pieces that follow belong to it.
fn set_bases(mappings: &mut [Mapping]) {
    let mut first: HashMap<String, u64> = HashMap::new();
    for mapping in mappings {
        if mapping.offset == 0 {
            first.insert(mapping.path.clone(), mapping.start);
        }
        let guess = mapping.start.wrapping_sub(mapping.offset);
        mapping.base = first.get(&mapping.path).copied().unwrap_or(guess);
    }
}

/// A build id belongs to the pieces of the file that begins where it says; an old and a new
/// version of a file can be mapped under one path.
fn set_build_ids(mappings: &mut [Mapping], build_ids: &[(u64, String, String)]) {
    for mapping in mappings {
        let by_base = build_ids.iter().find(|(start, ..)| *start == mapping.base);
        let by_path = || build_ids.iter().find(|(.., path)| *path == mapping.path);
        let found = by_base.or_else(by_path);
        mapping.build_id = found.map(|(_, hex, _)| hex.clone());
    }
}

/// The mapping that holds an address, in a list sorted by start.
fn mapping_of(mappings: &[Mapping], address: u64) -> Option<usize> {
    let at = mappings
        .partition_point(|m| m.start <= address)
        .checked_sub(1)?;
    (address < mappings[at].end).then_some(at)
}

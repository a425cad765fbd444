//! Keeps what the dumps of a series have in common once: the same stack stands in all dumps of its process, and
//! nearly all names do. For that locations are numbered alike in all of them; a location of which a dump says
//! nothing stays empty there, and no stack of that dump leads to it.

use std::collections::{HashMap, HashSet};

use crate::profile::identity::Identity;
use crate::profile::model::{Line, Location, LocationId, Profile, Sample, Shared};

/// So many empty locations more than others are too many: the dumps are of different programs.
const MOST_EMPTY: usize = 3;

/// What the dumps of each process have in common. A process goes by the last of its dumps that was met.
#[derive(Debug, Default)]
pub struct ByProcess(Vec<(Identity, Common)>);

impl ByProcess {
    /// Has a profile share its stacks and names with those of its process before it.
    pub fn join(&mut self, identity: &Identity, profile: &mut Profile) {
        let is_same = |(known, _): &(Identity, Common)| known.is_same_process(identity);
        let at = self.0.iter().rposition(is_same).unwrap_or_else(|| {
            self.0.push((identity.clone(), Common::default()));
            self.0.len() - 1
        });
        let (known, common) = &mut self.0[at];
        known.clone_from(identity);
        common.join(profile);
    }
}

/// What was met so far of one process.
#[derive(Debug, Default)]
struct Common {
    /// By address, and whether the frame is a managed one.
    numbers: HashMap<(u64, bool), LocationId>,
    stacks: HashSet<Shared<LocationId>>,
    lines: HashSet<Shared<Line>>,
}

impl Common {
    fn join(&mut self, profile: &mut Profile) {
        if let Some(numbers) = self.number(&profile.locations) {
            let nothing = Location {
                // Not one to look up.
                managed: true,
                ..Location::default()
            };
            let mut locations = vec![nothing; self.numbers.len()];
            for (location, number) in profile.locations.drain(..).zip(&numbers) {
                locations[number.0 as usize] = location;
            }
            profile.locations = locations;
            let others = profile
                .other_kinds
                .values_mut()
                .flat_map(|kind| &mut kind.samples);
            for sample in profile.samples.iter_mut().chain(others) {
                self.join_stack(sample, &numbers);
            }
        }
        for location in &mut profile.locations {
            share(&mut self.lines, &mut location.lines);
        }
    }

    /// The common numbers of the locations of a profile; none where these are not told apart by their addresses,
    /// or where too little is common.
    fn number(&mut self, locations: &[Location]) -> Option<Vec<LocationId>> {
        let key = |location: &Location| (location.address, location.managed);
        let own: HashSet<(u64, bool)> = locations.iter().map(key).collect();
        let new = own
            .iter()
            .filter(|key| !self.numbers.contains_key(key))
            .count();
        let all = self.numbers.len() + new;
        if own.len() < locations.len() || all > locations.len() * (1 + MOST_EMPTY) {
            return None;
        }
        let mut number = |location: &Location| {
            let next = LocationId(self.numbers.len() as u32);
            *self.numbers.entry(key(location)).or_insert(next)
        };
        Some(locations.iter().map(&mut number).collect())
    }

    fn join_stack(&mut self, sample: &mut Sample, numbers: &[LocationId]) {
        for id in &mut *sample.stack {
            *id = numbers[id.0 as usize];
        }
        share(&mut self.stacks, &mut sample.stack);
    }
}

/// The list that is there already, if it is equal.
fn share<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<Shared<T>>, list: &mut Shared<T>) {
    match known.get(list) {
        _ if list.is_empty() => {}
        Some(known) => *list = known.clone(),
        None => drop(known.insert(list.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(stacks: &[&[u64]]) -> Profile {
        let mut profile = Profile::default();
        for stack in stacks {
            let id = |address: &u64| {
                let at = profile.locations.iter().position(|l| l.address == *address);
                let at = at.unwrap_or_else(|| {
                    profile.locations.push(Location {
                        address: *address,
                        lines: vec![Line {
                            function: format!("f{address}"),
                            ..Line::default()
                        }]
                        .into(),
                        ..Location::default()
                    });
                    profile.locations.len() - 1
                });
                LocationId(at as u32)
            };
            let stack = stack.iter().map(id).collect();
            profile.samples.push(Sample {
                stack,
                ..Sample::default()
            });
        }
        profile
    }

    fn addresses(profile: &Profile) -> Vec<Vec<u64>> {
        let address = |id: &LocationId| profile.location(*id).address;
        let stacks = profile.samples.iter();
        stacks
            .map(|sample| sample.stack.iter().map(address).collect())
            .collect()
    }

    #[test]
    fn equal_stacks_are_one_and_lead_where_they_led() {
        let mut common = Common::default();
        let (mut one, mut two) = (
            profile(&[&[1, 2, 3], &[4, 3]]),
            profile(&[&[5, 3], &[4, 3], &[1, 2, 3]]),
        );
        common.join(&mut one);
        common.join(&mut two);
        assert_eq!(addresses(&one), [vec![1, 2, 3], vec![4, 3]]);
        assert_eq!(addresses(&two), [vec![5, 3], vec![4, 3], vec![1, 2, 3]]);
        assert!(std::ptr::eq(&*one.samples[1].stack, &*two.samples[1].stack));
        assert!(std::ptr::eq(
            &*one.locations[0].lines,
            &*two.locations[0].lines
        ));
        assert_eq!((one.locations.len(), two.locations.len()), (4, 5));
    }

    #[test]
    fn what_is_not_told_apart_by_addresses_stays_as_it_is() {
        let mut named = profile(&[&[1, 2]]);
        named.locations[1].address = 1;
        let mut common = Common::default();
        let before = named.clone();
        common.join(&mut named);
        assert_eq!(named, before);
        let many: Vec<u64> = (1..100).collect();
        common.join(&mut profile(&[&many]));
        let mut strange = profile(&[&[500, 501]]);
        let before = strange.clone();
        common.join(&mut strange);
        assert_eq!(strange, before);
    }
}

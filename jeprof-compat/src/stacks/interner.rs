//! The frames of stacks, each named once: the one builder behind all named stacks. Pure.
//!
//! A place of a profile is named at its first occurrence. Whether two places are one frame is the
//! caller's to say: by name for pictures, by what survives another run for comparisons, never where
//! every place is to keep its own line.

use std::collections::HashMap;
use std::hash::Hash;

use crate::profile::model::{LocationId, Profile};
use crate::stacks::filter::Site;
use crate::stacks::naming::{Frame, Granularity, Namesakes};

/// What makes frames one: equal keys. A frame without a key stays by itself.
type Sameness<K> = Box<dyn Fn(&Frame) -> Option<K>>;

/// Turns the sites of stacks into indexes of frames.
pub struct Interner<K> {
    namesakes: Namesakes,
    granularity: Granularity,
    sameness: Sameness<K>,
    by_key: HashMap<K, usize>,
    /// By profile, location and line. The profiles outlive the interner's work on them.
    by_place: HashMap<(*const Profile, LocationId, usize), usize>,
    frames: Vec<Frame>,
}

impl Interner<()> {
    /// Every place is a frame of its own.
    pub fn by_place(namesakes: Namesakes) -> Interner<()> {
        Interner::new(namesakes, Granularity::Functions, |_| None)
    }
}

impl<K: Eq + Hash> Interner<K> {
    /// Names frames at `granularity`; those with the same key are one.
    pub fn new(
        namesakes: Namesakes,
        granularity: Granularity,
        sameness: impl Fn(&Frame) -> Option<K> + 'static,
    ) -> Interner<K> {
        Interner {
            namesakes,
            granularity,
            sameness: Box::new(sameness),
            by_key: HashMap::new(),
            by_place: HashMap::new(),
            frames: Vec::new(),
        }
    }

    /// The frames of a stack of `profile`, in the order of its sites.
    pub fn stack(&mut self, profile: &Profile, sites: &[Site<'_>]) -> Vec<usize> {
        sites.iter().map(|site| self.frame(profile, site)).collect()
    }

    /// A frame that is no place of a profile.
    pub fn named(&mut self, frame: Frame) -> usize {
        let next = self.frames.len();
        let at = match (self.sameness)(&frame) {
            Some(key) => *self.by_key.entry(key).or_insert(next),
            None => next,
        };
        if at == next {
            self.frames.push(frame);
        }
        at
    }

    fn frame(&mut self, profile: &Profile, site: &Site<'_>) -> usize {
        let place = (std::ptr::from_ref(profile), site.id, site.depth);
        if let Some(&at) = self.by_place.get(&place) {
            return at;
        }
        let frame = self.namesakes.frame(site, self.granularity);
        let next = self.frames.len();
        let at = match (self.sameness)(&frame) {
            Some(key) => *self.by_key.entry(key).or_insert(next),
            None => next,
        };
        if at == next {
            self.frames.push(frame);
        } else {
            // Inlined is what is inlined wherever it occurs.
            self.frames[at].inlined &= frame.inlined;
        }
        self.by_place.insert(place, at);
        at
    }

    /// The frames so far.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Forgets all frames and places: the next stacks are of another profile, and those before are done with.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_place.clear();
        self.frames.clear();
    }

    /// All frames, when no more stacks are to come.
    pub fn into_frames(self) -> Vec<Frame> {
        self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location};
    use crate::stacks::filter;

    fn profile(names: &[&str]) -> Profile {
        let location = |name: &&str| Location {
            lines: vec![Line {
                function: (*name).to_owned(),
                inlined: name.len() > 1,
                ..Line::default()
            }]
            .into(),
            ..Location::default()
        };
        Profile {
            locations: names.iter().map(location).collect(),
            ..Profile::default()
        }
    }

    fn stack<K: Eq + Hash>(interner: &mut Interner<K>, profile: &Profile) -> Vec<usize> {
        let ids = (0..profile.locations.len() as u32).map(LocationId);
        let sites: Vec<_> = ids.flat_map(|id| filter::sites(profile, id)).collect();
        interner.stack(profile, &sites)
    }

    #[test]
    fn equal_keys_are_one_frame_over_all_profiles() {
        let (one, two) = (profile(&["f", "gg", "f"]), profile(&["gg", "h"]));
        let by_name = |frame: &Frame| Some(frame.name.clone());
        let mut interner = Interner::new(Namesakes::default(), Granularity::Functions, by_name);
        assert_eq!(stack(&mut interner, &one), [0, 1, 0]);
        assert_eq!(stack(&mut interner, &two), [1, 2]);
        let frames = interner.into_frames();
        let names: Vec<_> = frames
            .iter()
            .map(|f| (f.name.as_str(), f.inlined))
            .collect();
        assert_eq!(names, [("f", false), ("gg", true), ("h", false)]);
    }

    #[test]
    fn a_place_is_the_same_frame_each_time() {
        let one = profile(&["f", "f"]);
        let mut interner = Interner::by_place(Namesakes::default());
        assert_eq!(stack(&mut interner, &one), [0, 1]);
        assert_eq!(stack(&mut interner, &one), [0, 1]);
        assert_eq!(interner.frames().len(), 2);
    }
}

//! One function at one place of a stack. Pure.

use crate::profile::model::{Line, Location, LocationId, Mapping, Profile};

/// One function at one place of a stack: a location with inlined functions is several sites.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The location it belongs to.
    pub id: LocationId,
    /// Index of the line in the location; 0 for a location without lines.
    pub depth: usize,
    /// The location itself.
    pub location: &'a Location,
    /// The function, when one is known.
    pub line: Option<&'a Line>,
    /// What is mapped at the address.
    pub mapping: Option<&'a Mapping>,
}

/// The functions at a location, innermost first; one without a name where nothing is known.
pub fn sites(profile: &Profile, id: LocationId) -> Vec<Site<'_>> {
    let location = profile.location(id);
    let mapping = location.mapping.and_then(|m| profile.mappings.get(m));
    let site = Site {
        id,
        depth: 0,
        location,
        line: None,
        mapping,
    };
    if location.lines.is_empty() {
        return vec![site];
    }
    let lines = location.lines.iter().enumerate();
    lines
        .map(|(depth, line)| Site {
            depth,
            line: Some(line),
            ..site
        })
        .collect()
}

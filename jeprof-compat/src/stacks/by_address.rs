//! Values by address instead of by name: what listings of source and of instructions show. Pure.

use std::collections::{BTreeMap, HashMap};

use super::selection::{Part, Selection};
use crate::profile::model::{Line, LocationId, Mapping};
use crate::stacks::filter;

/// One address of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// Value of the stacks that end here.
    pub flat: f64,
    /// Value of the stacks that pass here.
    pub cumulative: f64,
    /// The function that the address is part of, not one that was inlined there.
    pub function: Line,
}

/// The addresses of one file that occur, by the offset in it.
#[derive(Clone, Debug, Default)]
pub struct FilePlaces {
    /// The file.
    pub module: Mapping,
    /// By offset.
    pub places: BTreeMap<u64, Place>,
}

/// All files that occur in the stacks that take part.
pub fn by_address(parts: &[Part<'_>], selection: &Selection) -> Vec<FilePlaces> {
    let mut files: Vec<FilePlaces> = Vec::new();
    let mut by_module: HashMap<(String, Option<String>), usize> = HashMap::new();
    for part in parts {
        for sample in part.profile.samples_of(selection.kind.as_deref()) {
            let value = part.sign * selection.value_of(sample);
            let mut sites = filter::outside_allocator(part.profile, sample);
            selection.filter.frames(&mut sites);
            if value == 0.0 || !selection.filter.keeps(&sites) {
                continue;
            }
            let mut seen: Vec<LocationId> = Vec::new();
            for site in &sites {
                let is_flat = seen.is_empty();
                // Inlined functions share an address, and recursion counts once.
                if seen.contains(&site.id) {
                    continue;
                }
                seen.push(site.id);
                let Some((mapping, line)) = site.mapping.zip(site.location.lines.last()) else {
                    continue;
                };
                let key = (mapping.path.clone(), mapping.build_id.clone());
                let next = files.len();
                let at = *by_module.entry(key).or_insert(next);
                if at == next {
                    files.push(FilePlaces {
                        module: mapping.clone(),
                        ..FilePlaces::default()
                    });
                }
                let offset = site.location.address.wrapping_sub(mapping.start);
                let offset = offset.wrapping_add(mapping.offset);
                let place = files[at].places.entry(offset).or_insert_with(|| Place {
                    function: line.clone(),
                    ..Place::default()
                });
                place.cumulative += value;
                place.flat += if is_flat { value } else { 0.0 };
            }
        }
    }
    files
}

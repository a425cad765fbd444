//! Addresses that lie in no mapping: of files without a map, and of programs that lie where they were linked
//! to. The program that the user gave, or a library, is looked up at its own addresses, as `jeprof` does it.

use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectKind};

use super::elf;
use crate::profile::model::{Mapping, Profile};

/// Gives a profile the mappings that it lacks.
pub fn map(profile: &mut Profile, files: &[PathBuf]) {
    let has_map = !profile.mappings.is_empty();
    for file in files {
        for mapping in mappings(file, has_map).unwrap_or_default() {
            give(profile, mapping);
        }
    }
}

/// The code of a file at its own addresses; of one that can lie anywhere only where no map says where.
fn mappings(file: &Path, has_map: bool) -> Option<Vec<Mapping>> {
    let path = fs::canonicalize(file).ok()?.display().to_string();
    let read = |elf: &elf::Elf<'_>| {
        let is_fixed = elf.kind() == ObjectKind::Executable;
        (is_fixed || !has_map).then(|| elf::segments(elf))
    };
    let segments = elf::open(file, read).ok()??;
    let code = segments.into_iter().filter(|segment| segment.executable);
    let mapping = |segment: elf::Segment| Mapping {
        start: segment.address,
        end: segment.address.saturating_add(segment.size),
        offset: segment.offset,
        base: segment.address.wrapping_sub(segment.offset),
        executable: true,
        path: path.clone(),
        ..Mapping::default()
    };
    Some(code.map(mapping).collect())
}

fn give(profile: &mut Profile, mapping: Mapping) {
    let next = profile.mappings.len();
    let mut is_used = false;
    for location in &mut profile.locations {
        let is_lost = location.mapping.is_none() && !location.managed;
        if is_lost && (mapping.start..mapping.end).contains(&location.address) {
            location.mapping = Some(next);
            is_used = true;
        }
    }
    if is_used {
        profile.mappings.push(mapping);
    }
}

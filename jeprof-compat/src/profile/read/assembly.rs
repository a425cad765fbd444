//! Puts a profile together from stacks of raw addresses, or of names.
//!
//! What it holds is bounded: a hostile file of a few bytes a stack would else cost fifty times its size.

use std::collections::HashMap;
use std::fmt::Display;
use std::mem::size_of;

use profile_format::maps;

use crate::profile::model::{
    Line, Location, LocationId, Mapping, OtherKind, Profile, Sample, Shared,
};

/// The most memory that a profile may take. 100,000 stacks of a compiler take a tenth of it.
const MOST: usize = if cfg!(test) { 16 << 20 } else { 1 << 30 };

/// About what a name takes with its location, beside its letters: those who use the profile keep it, too.
const NAME: usize = 600;

/// About what an address takes that has no name, with the row that is made of it.
const ADDRESS: usize = 400;

/// About what a fact, a thread, a mapping or a line that cannot be read takes, which may have two bytes in a file.
const RECORD: usize = 160;

/// A profile that grows.
#[derive(Debug, Default)]
pub struct Assembly {
    /// What there is so far; its locations know no mappings before [`Assembly::finish`].
    pub profile: Profile,
    by_address: HashMap<u64, LocationId>,
    managed: HashMap<u64, Line>,
    by_name: HashMap<(String, Option<String>, Option<u32>, bool), LocationId>,
    names: HashMap<u64, Shared<Line>>,
    /// Folders by what paths of the map begin with instead of them (`$build`), without the `$`.
    folders: HashMap<String, String>,
    /// About how many bytes it takes.
    taken: usize,
    /// `(start, build id, path)`.
    build_ids: Vec<(u64, String, String)>,
}

impl Assembly {
    /// The locations of a stack of addresses as they stand in a dump, leaf first. All but the
    /// first are return addresses and belong to the call before them, as `jeprof` has it.
    pub fn stack(
        &mut self,
        frames: &[u64],
        is_managed: impl Fn(u64) -> bool,
    ) -> Shared<LocationId> {
        let mut stack = Vec::with_capacity(frames.len());
        for (depth, &frame) in frames.iter().enumerate() {
            let managed = is_managed(frame);
            let is_return = depth > 0 && !managed;
            let address = frame.wrapping_sub(u64::from(is_return));
            stack.push(self.location(address, managed));
        }
        stack.into()
    }

    /// The locations of a stack of addresses that are those of the calls already.
    pub fn exact_stack(&mut self, frames: &[u64]) -> Shared<LocationId> {
        let frames = frames.iter();
        frames.map(|&frame| self.location(frame, false)).collect()
    }

    /// The location of a function of which only the name and the place are known.
    pub fn named(&mut self, line: Line) -> LocationId {
        let key = (
            line.function.clone(),
            line.file.clone(),
            line.line,
            line.inlined,
        );
        if let Some(&id) = self.by_name.get(&key) {
            return id;
        }
        self.taken += 3 * (key.0.len() + key.1.as_ref().map_or(0, String::len)) + NAME;
        let id = self.place(Location {
            lines: vec![line].into(),
            ..Location::default()
        });
        self.by_name.insert(key, id);
        id
    }

    /// A location as it is, whatever others there are.
    pub fn place(&mut self, location: Location) -> LocationId {
        self.taken += size_of::<Location>() + size(&location.lines);
        self.profile.locations.push(location);
        LocationId(self.profile.locations.len() as u32 - 1)
    }

    /// The name of an address of native code that stands in the file itself, with the functions inlined there
    /// first. Of two names the first counts.
    pub fn name(&mut self, address: u64, lines: Vec<Line>) {
        self.taken += RECORD + size(&lines);
        self.names.entry(address).or_insert(lines.into());
    }

    /// From now on paths that begin with `$name` lie in `folder`.
    pub fn folder(&mut self, name: &[u8], folder: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.folders.insert(text(name), text(folder));
    }

    /// Notes a line of the map.
    pub fn map(&mut self, line: &maps::Mapping<'_>) {
        self.taken += line.path.len();
        let mut mapping = mapping(line);
        if let Some(path) = mapping.path.strip_prefix('$') {
            let end = path.find(|c: char| !c.is_ascii_alphanumeric());
            let (name, rest) = path.split_at(end.unwrap_or(path.len()));
            if let Some(folder) = self.folders.get(name) {
                mapping.path = format!("{folder}{rest}");
            }
        }
        self.profile.mappings.push(mapping);
    }

    /// A record of the file is kept.
    pub fn count_record(&mut self) {
        self.taken += RECORD;
    }

    /// So many bytes are kept beside what is counted here.
    pub fn count_bytes(&mut self, bytes: usize) {
        self.taken += bytes;
    }

    /// It takes all the memory that a profile may: the rest of the file is left unread.
    pub fn is_full(&self) -> bool {
        self.taken > MOST
    }

    fn location(&mut self, address: u64, managed: bool) -> LocationId {
        let next = LocationId(self.profile.locations.len() as u32);
        let id = *self.by_address.entry(address).or_insert(next);
        if id == next {
            self.taken += ADDRESS;
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
        self.taken += size_of::<Line>() + 2 * line.function.len();
        self.managed.insert(address, line);
    }

    /// Notes the build id of the file that is mapped at `start`.
    pub fn build_id(&mut self, start: u64, hex: &str, path: &str) {
        let hex = hex.to_ascii_lowercase();
        self.taken += hex.len() + path.len();
        self.build_ids.push((start, hex, path.to_owned()));
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: Sample) {
        self.count(&sample);
        self.profile.samples.push(sample);
    }

    fn count(&mut self, sample: &Sample) {
        let facts = sample.facts.as_ref();
        self.taken += size_of::<Sample>()
            + sample.stack.len() * size_of::<LocationId>()
            + size_of_val(&*sample.threads)
            + facts.map_or(0, |facts| facts.births.size() + facts.lives.size());
    }

    /// Adds a sample of another kind than malloc.
    pub fn push_kind(&mut self, kind: String, sample: Sample) {
        self.count(&sample);
        self.kind(kind).samples.push(sample);
    }

    /// What there is so far of another kind than malloc.
    pub fn kind(&mut self, name: String) -> &mut OtherKind {
        self.profile.other_kinds.entry(name).or_default()
    }

    /// Finds the mapping of every location and names the managed ones.
    pub fn finish(self) -> Profile {
        let mut profile = self.profile;
        profile.samples.shrink_to_fit();
        profile.locations.shrink_to_fit();
        let is_sorted = profile.mappings.is_sorted_by_key(|m| m.start);
        if !is_sorted {
            profile.mappings.sort_by_key(|m| m.start);
        }
        name_copied_text(&mut profile.mappings);
        set_bases(&mut profile.mappings);
        set_build_ids(&mut profile.mappings, &self.build_ids);
        for location in &mut profile.locations {
            if location.managed {
                location.lines = self
                    .managed
                    .get(&location.address)
                    .into_iter()
                    .cloned()
                    .collect();
            } else {
                let found = || mapping_of(&profile.mappings, location.address);
                location.mapping = location.mapping.or_else(found);
            }
            // A leaf may be named by the byte before it, as all others are.
            let at = |address: u64| self.names.get(&address);
            let names = at(location.address).or_else(|| at(location.address.wrapping_sub(1)));
            if location.lines.is_empty()
                && let Some(lines) = names
            {
                location.lines = lines.clone();
            }
        }
        profile
    }
}

/// About how many bytes the functions of one location take.
pub fn size(lines: &[Line]) -> usize {
    let letters = |line: &Line| {
        let others = [&line.short, &line.file].into_iter().flatten();
        line.function.len() + others.map(String::len).sum::<usize>()
    };
    let lines = lines.iter();
    lines
        .map(|line| size_of::<Line>() + 64 + letters(line))
        .sum()
}

/// What is said when there was no room for all names.
pub fn names_left_out(line: usize) -> String {
    format!("line {line}: the names from here on are left out: they take too much memory")
}

/// What is said of a file of which not all was read, and where it was left: `line 12`.
pub fn too_big(place: impl Display) -> String {
    format!(
        "{place}: more than {} MiB of stacks and names: the rest is not read",
        MOST >> 20
    )
}

/// A mapping as a line of the map has it.
fn mapping(line: &maps::Mapping<'_>) -> Mapping {
    Mapping {
        start: line.start,
        end: line.end,
        offset: line.offset,
        executable: line.execute,
        deleted: line.deleted,
        unloaded: line.unloaded,
        ..mapping_named(&String::from_utf8_lossy(line.path))
    }
}

/// A file of which nothing is known but its path.
pub fn mapping_named(path: &str) -> Mapping {
    Mapping {
        path: path.to_owned(),
        ..Mapping::default()
    }
}

/// Programs copy their own code to anonymous huge pages at the same addresses (Node with
/// `--use-largepages`, ClickHouse, MySQL). Such a mapping lies between two of one file, whose offsets go on
/// behind it as if it were the file's: then it is that file's.
fn name_copied_text(mappings: &mut [Mapping]) {
    for at in 1..mappings.len().saturating_sub(1) {
        let [before, copy, behind] = &mappings[at - 1..=at + 1] else {
            continue;
        };
        let is_copy =
            copy.executable && (copy.path.is_empty() || copy.path.starts_with("/anon_hugepage"));
        let is_between = before.end == copy.start && copy.end == behind.start;
        let is_one_file = before.path.starts_with('/') && before.path == behind.path;
        let distance = before.start.wrapping_sub(before.offset);
        let goes_on = behind.start.wrapping_sub(behind.offset) == distance;
        if is_copy && is_between && is_one_file && goes_on {
            let (path, deleted) = (before.path.clone(), before.deleted);
            let copy = &mut mappings[at];
            copy.offset = copy.start.wrapping_sub(distance);
            (copy.path, copy.deleted) = (path, deleted);
        }
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
    let (mut by_base, mut by_path) = (HashMap::new(), HashMap::new());
    for (start, hex, path) in build_ids {
        by_base.entry(*start).or_insert(hex);
        by_path.entry(path).or_insert(hex);
    }
    for mapping in mappings {
        let found = by_base.get(&mapping.base);
        let found = found.or_else(|| by_path.get(&mapping.path));
        mapping.build_id = found.map(|hex| hex.to_string());
    }
}

/// The mapping that holds an address, in a list sorted by start.
fn mapping_of(mappings: &[Mapping], address: u64) -> Option<usize> {
    let at = mappings
        .partition_point(|m| m.start <= address)
        .checked_sub(1)?;
    (address < mappings[at].end).then_some(at)
}

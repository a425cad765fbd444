//! Names for code addresses: from DWARF with inlined frames, else from the symbol tables, with the size
//! of every symbol respected. Changes nothing of a profile but the lines of its locations and the build
//! ids it was missing.
//!
//! A file whose build id is not the one in the dump gives no names at all: a wrong name costs
//! its reader a day, a missing one a minute.

pub mod code;
mod debuginfod;
mod demangle;
mod dwarf;
mod elf;
mod functions;
mod known;
mod locate;
mod minidebug;
mod split;
mod symtab;
mod unmapped;
mod vdso;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::profile::bounds;
use crate::profile::model::{Line, LocationId, Mapping, Profile, Shared};
pub use locate::{Locator, fits_nothing};

/// Names every location that can be named and returns what the user should know, at most one
/// line a file.
pub fn symbolize(profiles: &mut [Profile], locator: &Locator) -> Vec<String> {
    let given: Vec<PathBuf> = locator.given().cloned().collect();
    for profile in profiles.iter_mut().filter(|_| !given.is_empty()) {
        unmapped::map(profile, &given);
    }
    let requests = requests(profiles);
    let done = AtomicUsize::new(0);
    let ask = |request: &Request| {
        if let Some(watch) = locator.watch {
            watch(
                &request.module.path,
                done.load(Ordering::Relaxed),
                requests.len(),
            );
        }
        let answer = answer(request, locator);
        done.fetch_add(1, Ordering::Relaxed);
        answer
    };
    let answers: Vec<Answer> = requests.par_iter().map(ask).collect();
    if let Some(watch) = locator.watch {
        watch("", requests.len(), requests.len());
    }
    let mut warnings = Vec::new();
    if requests.len() >= MOST_MODULES {
        warnings.push(format!(
            "names are looked for in {MOST_MODULES} files, and in no more"
        ));
    }
    for (request, answer) in requests.iter().zip(answers) {
        warnings.extend(answer.warning.clone());
        apply(profiles, request, answer);
    }
    warnings.extend(profiles.iter_mut().filter_map(bounds::bound));
    warnings
}

/// Files that are asked for names: a process may have 65,530 mappings (vm.max_map_count), and has some hundred
/// files. A hostile dump names one file under any number of build ids.
const MOST_MODULES: usize = 8192;

/// Everything that is asked of one file: the same file in several profiles is asked once.
struct Request {
    module: Mapping,
    /// Offsets in the file, sorted, no two alike.
    offsets: Vec<u64>,
    /// The places that asked: profile, location, offset.
    askers: Vec<(usize, LocationId, u64)>,
    /// The processes, where the profiles say which.
    pids: Vec<u64>,
}

/// What is known of one address.
#[derive(Clone, Debug, Default)]
struct Named {
    lines: Shared<Line>,
    /// How far the address is from the start of its function, for a function without a name.
    distance: Option<u64>,
}

#[derive(Default)]
struct Answer {
    /// One for each offset of the request; none at all when nothing was found.
    names: Vec<Named>,
    build_id: Option<String>,
    warning: Option<String>,
}

fn requests(profiles: &[Profile]) -> Vec<Request> {
    let mut by_module: HashMap<(String, Option<String>), usize> = HashMap::new();
    let mut requests: Vec<Request> = Vec::new();
    for (index, profile) in profiles.iter().enumerate() {
        for (id, location) in (0..).map(LocationId).zip(&profile.locations) {
            let mapping = location.mapping.and_then(|m| profile.mappings.get(m));
            // What the file itself named needs no other name.
            let is_asked = !location.managed && location.lines.is_empty();
            let Some(mapping) = mapping.filter(|m| is_asked && m.has_code_file()) else {
                continue;
            };
            let key = (mapping.path.clone(), mapping.build_id.clone());
            if requests.len() >= MOST_MODULES && !by_module.contains_key(&key) {
                continue;
            }
            let at = *by_module.entry(key).or_insert_with(|| {
                let module = mapping.clone();
                requests.push(Request {
                    module,
                    offsets: Vec::new(),
                    askers: Vec::new(),
                    pids: Vec::new(),
                });
                requests.len() - 1
            });
            let offset =
                (location.address.wrapping_sub(mapping.start)).wrapping_add(mapping.offset);
            requests[at].askers.push((index, id, offset));
            let pid = profile.process.get("pid").and_then(|pid| pid.parse().ok());
            if pid.is_some() && requests[at].pids.last().copied() != pid {
                requests[at].pids.extend(pid);
            }
        }
    }
    for request in &mut requests {
        request.offsets = request.askers.iter().map(|a| a.2).collect();
        request.offsets.sort_unstable();
        request.offsets.dedup();
    }
    requests
}

/// Asks the files only for what is not known yet.
fn answer(request: &Request, locator: &Locator) -> Answer {
    let known = locator.known.of(&request.module);
    let mut known = known.lock();
    let offsets = request.offsets.iter().copied();
    let new: Vec<u64> = offsets.filter(|o| !known.contains_key(o)).collect();
    let asked = match new[..] {
        [] => Answer::default(),
        _ => ask(request, &new, locator),
    };
    known.extend(new.into_iter().zip(asked.names));
    let name = |offset: &u64| known.get(offset).cloned().unwrap_or_default();
    let names = match known.is_empty() {
        true => Vec::new(),
        false => request.offsets.iter().map(name).collect(),
    };
    Answer { names, ..asked }
}

fn ask(request: &Request, offsets: &[u64], locator: &Locator) -> Answer {
    let module = &request.module;
    if module.path == "[vdso]" {
        return vdso::answer(module, offsets);
    }
    let found = match locator.locate(Path::new(&module.path), module, &request.pids) {
        Ok(found) => found,
        Err(warning) => {
            // Its frames are left out of every stack, and where programs run in containers it is seldom here.
            let is_missed = !module.file_name().starts_with("libmalloscope");
            return Answer {
                warning: is_missed.then_some(warning),
                ..Answer::default()
            };
        }
    };
    let addresses = found.addresses(module, offsets);
    let build_id = found.build_id.clone();
    match names(&found, &addresses) {
        Ok(names) => Answer {
            names,
            build_id,
            warning: None,
        },
        Err(error) => {
            let warning = Some(format!("{}: {error:#}", module.path));
            Answer {
                warning,
                build_id,
                ..Answer::default()
            }
        }
    }
}

/// DWARF says most; the symbol tables fill in what it does not know, and the unwind tables say
/// at least where a function starts.
fn names(found: &locate::Found, addresses: &[Option<u64>]) -> anyhow::Result<Vec<Named>> {
    let known: Vec<u64> = addresses.iter().copied().flatten().collect();
    let mut symbols = vec![None; known.len()];
    for file in found.symbol_files() {
        elf::open(file, |elf| symtab::fill(elf, &known, &mut symbols))?;
    }
    if symbols.iter().any(Option::is_none)
        && let Some(image) = &found.image
    {
        minidebug::fill(image, &known, &mut symbols)?;
    }
    let dwarf = dwarf::Dwarf::open(found);
    let lines = known.iter().zip(symbols).map(|(&address, symbol)| {
        let frames = dwarf
            .as_ref()
            .map(|d| d.frames(address))
            .unwrap_or_default();
        Named {
            lines: dwarf::merge(frames, symbol).into(),
            distance: None,
        }
    });
    let mut named: Vec<Named> = lines.collect();
    if let Some(image) = found
        .image
        .as_ref()
        .filter(|_| named.iter().any(|n| n.lines.is_empty()))
    {
        let distances = elf::open(image, |elf| functions::distances(elf, &known))?;
        for (name, distance) in named.iter_mut().zip(distances) {
            name.distance = distance;
        }
    }
    let mut named = named.into_iter();
    let all = addresses
        .iter()
        .map(|a| a.and_then(|_| named.next()).unwrap_or_default());
    Ok(all.collect())
}

fn apply(profiles: &mut [Profile], request: &Request, answer: Answer) {
    if answer.names.is_empty() && answer.build_id.is_none() {
        return;
    }
    for &(profile, id, offset) in &request.askers {
        let profile = &mut profiles[profile];
        let location = &mut profile.locations[id.0 as usize];
        let found = request.offsets.binary_search(&offset).ok();
        if let Some(named) = found.and_then(|at| answer.names.get(at)) {
            location.lines = named.lines.clone();
            location.function_start = named.distance.map(|d| location.address.wrapping_sub(d));
        }
        let mapping = location.mapping.and_then(|m| profile.mappings.get_mut(m));
        if let Some(mapping) = mapping {
            mapping.build_id = mapping.build_id.take().or_else(|| answer.build_id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::Location;

    /// A profile with one address of `leaky`, the copy at `path`.
    fn profile(path: &Path, build_id: Option<String>) -> Profile {
        Profile {
            mappings: vec![Mapping {
                start: 0x40_1000,
                end: 0x40_2000,
                offset: 0x1000,
                path: path.display().to_string(),
                build_id,
                ..Mapping::default()
            }],
            locations: vec![Location {
                address: 0x40_1200,
                mapping: Some(0),
                ..Location::default()
            }],
            ..Profile::default()
        }
    }

    #[test]
    fn a_file_under_any_number_of_build_ids_is_not_asked_without_end() {
        let many = MOST_MODULES as u64 + 5;
        let mapping = |at: u64| Mapping {
            start: at << 12,
            end: (at + 1) << 12,
            path: "/nowhere/lib.so".to_owned(),
            build_id: Some(format!("{at:040x}")),
            ..Mapping::default()
        };
        let location = |at: u64| Location {
            address: at << 12,
            mapping: Some(at as usize),
            ..Location::default()
        };
        let profile = Profile {
            mappings: (0..many).map(mapping).collect(),
            locations: (0..many).map(location).collect(),
            ..Profile::default()
        };
        let requests = requests(&[profile]);
        assert_eq!(requests.len(), MOST_MODULES);
        assert!(requests.iter().all(|request| request.offsets.len() == 1));
    }

    #[test]
    fn a_file_is_asked_once_and_only_a_build_id_makes_it_known() {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky/leaky");
        let copy = std::env::temp_dir().join(format!("malloscope-known-{}", std::process::id()));
        std::fs::copy(&original, &copy).unwrap();
        let build_id = elf::open(&copy, |elf| elf::build_id(elf)).unwrap();
        let locator = Locator::default();
        let name = |build_id: &Option<String>| {
            let mut profiles = [profile(&copy, build_id.clone())];
            let warnings = symbolize(&mut profiles, &locator);
            let [profile] = profiles;
            let lines = profile.locations[0].lines.iter();
            let names: Vec<String> = lines.map(|line| line.function.clone()).collect();
            (names, warnings.len())
        };
        let (with, without) = (name(&build_id), name(&None));
        assert!(!with.0.is_empty() && with == without, "{with:?}");
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(name(&build_id), with);
        assert_eq!(name(&None), (Vec::new(), 1));
    }

    #[test]
    fn a_program_that_is_missing_is_said_and_our_library_is_not() {
        let said =
            |path: &str| symbolize(&mut [profile(Path::new(path), None)], &Locator::default());
        assert_eq!(said("/malloscope/libmalloscope.so"), Vec::<String>::new());
        assert_eq!(said("/app/server").len(), 1);
    }
}

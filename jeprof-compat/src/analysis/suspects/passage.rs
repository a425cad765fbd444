//! Where the paths of many small places meet: the frame that a person looks for when no place by itself has most
//! of the growth. Pure.
//!
//! A cache is filled by several allocations: the key, the value, what each of them holds. Each is a place of its
//! own, and none is the one that forgets to empty it. That is the deepest frame of the program's own code
//! that nearly all of the growth passes (the accumulation point of Eclipse MAT, on the call tree).

use std::collections::BTreeMap;

use super::Judged;
use super::paths::Paths;
use crate::stacks::glue;
use crate::stacks::naming::Frame;

/// Share of the growth that is nearly all.
const MOST: f64 = 0.8;

/// The deepest frame that nearly all of the growth of these groups passes, with its share; `None` where one
/// group has as much by itself.
pub fn of<'a>(paths: &'a Paths<'_>, growing: &[&Judged]) -> Option<(&'a Frame, f64)> {
    let bytes = |member: usize| paths.paths[member].mature.bytes;
    let sum = |judged: &&Judged| judged.group.members.iter().map(|m| bytes(*m)).sum::<f64>();
    let all: f64 = growing.iter().map(sum).sum();
    if all <= 0.0 || growing.iter().any(|judged| sum(judged) >= MOST * all) {
        return None;
    }
    let members = growing.iter().flat_map(|judged| &judged.group.members);
    let mut passed: BTreeMap<&str, f64> = BTreeMap::new();
    for &member in members.clone() {
        for name in names(paths, member) {
            *passed.entry(name).or_default() += bytes(member);
        }
    }
    let heaviest = members.max_by(|a, b| bytes(**a).total_cmp(&bytes(**b)))?;
    let frames = paths.paths[*heaviest].frames.iter();
    let mut frames = frames.map(|at| &paths.frames[*at]);
    let frame = frames.find(|frame| {
        let share = passed.get(frame.name.as_str());
        glue::is_of_program(frame) && share.is_some_and(|bytes| *bytes >= MOST * all)
    })?;
    Some((frame, passed.get(frame.name.as_str())? / all))
}

/// Each name of a path once.
fn names<'a>(paths: &'a Paths<'_>, member: usize) -> impl Iterator<Item = &'a str> {
    let frames = paths.paths[member].frames.iter();
    let names = frames.map(|at| paths.frames[*at].name.as_str());
    names.collect::<std::collections::BTreeSet<_>>().into_iter()
}

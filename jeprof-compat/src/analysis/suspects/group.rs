//! Paths that are judged together.
//!
//! One leak is often reached by many stacks, each with too few samples. So paths with the same
//! culprit, at the same line, are one group. What then still has too few mature samples is rolled
//! up on the call tree, root first: a child with enough of them is descended into, and the rest
//! belongs to the node where the paths part. Thus a node that hands nearly all on to one child is
//! passed by, and the group ends at the deepest frame that has its samples for itself (the
//! accumulation point of Eclipse MAT, on the call tree).

use std::collections::BTreeMap;

use profile_format::lifetimes;

use super::Judged;
use super::evidence::LEAST;
use super::paths::Paths;
use crate::profile::model::Weighed;
use crate::stacks::culprit;
use crate::stacks::naming::Frame;

/// Paths and the frame to blame for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Indexes into [`Paths::paths`].
    pub members: Vec<usize>,
    /// The frame to blame: index into [`Paths::frames`].
    pub culprit: usize,
    /// Made by rolling up.
    pub is_sum: bool,
}

/// One group for each culprit and line.
pub fn by_culprit(paths: &Paths<'_>) -> Vec<Group> {
    let mut groups: BTreeMap<(&str, Option<&str>, Option<u32>), Group> = BTreeMap::new();
    for (at, path) in paths.paths.iter().enumerate() {
        let culprit = path.frames[path.culprit];
        let frame = &paths.frames[culprit];
        let key = (frame.name.as_str(), frame.file.as_deref(), frame.line);
        let group = groups.entry(key).or_insert(Group {
            members: Vec::new(),
            culprit,
            is_sum: false,
        });
        group.members.push(at);
    }
    groups.into_values().collect()
}

/// The most memory that the evidence of all groups may take: at an epoch a minute that of 100,000.
pub const MOST: usize = 512 << 20;

/// Leaves as many groups as `most` bytes have room for, those with the most live bytes. How many were left out.
pub fn keep_largest(paths: &Paths<'_>, groups: &mut Vec<Group>, most: usize) -> usize {
    let cells = paths.clock.count + lifetimes::BUCKETS;
    let room = most / (size_of::<Judged>() + cells * size_of::<Weighed>());
    let left_out = groups.len().saturating_sub(room);
    if left_out > 0 {
        let mut sized: Vec<(f64, Group)> = std::mem::take(groups)
            .into_iter()
            .map(|group| (paths.bytes(&group.members), group))
            .collect();
        sized.sort_by(|a, b| b.0.total_cmp(&a.0));
        groups.extend(sized.into_iter().take(room).map(|(_, group)| group));
    }
    left_out
}

/// Groups of the call tree over the paths of groups that are too thin by themselves.
pub fn rolled_up(paths: &Paths<'_>, groups: &[Group]) -> Vec<Group> {
    let mature = |members: &[usize]| {
        let mut sum = Weighed::default();
        members
            .iter()
            .for_each(|&m| sum.add(&paths.paths[m].mature));
        sum.worth()
    };
    let thin = groups.iter().filter(|g| mature(&g.members) < LEAST);
    let members: Vec<usize> = thin
        .flat_map(|g| g.members.iter().copied())
        .filter(|&m| paths.paths[m].mature.samples > 0)
        .collect();
    let mut out = Vec::new();
    let mut open = vec![(members, 0)];
    while let Some((members, depth)) = open.pop() {
        if mature(&members) < LEAST {
            continue;
        }
        let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut rest = Vec::new();
        for member in members {
            match from_root(paths, member, depth) {
                Some(frame) => children.entry(&frame.name).or_default().push(member),
                None => rest.push(member),
            }
        }
        for child in children.into_values() {
            if mature(&child) >= LEAST {
                open.push((child, depth + 1));
            } else {
                rest.extend(child);
            }
        }
        if mature(&rest) >= LEAST && depth > 0 {
            out.push(sum(paths, rest, depth));
        }
    }
    out
}

fn from_root<'a>(paths: &'a Paths<'_>, path: usize, depth: usize) -> Option<&'a Frame> {
    let frames = &paths.paths[path].frames;
    let at = frames.len().checked_sub(depth + 1)?;
    Some(paths.frame(path, at))
}

/// Paths that part below `depth` frames: the deepest of these that is the program's own is to blame.
fn sum(paths: &Paths<'_>, mut members: Vec<usize>, depth: usize) -> Group {
    members.sort_unstable();
    let frames = &paths.paths[members[0]].frames;
    let shared = &frames[frames.len() - depth..];
    let named: Vec<&Frame> = shared.iter().map(|&f| &paths.frames[f]).collect();
    Group {
        culprit: shared[culprit::position(&named)],
        members,
        is_sum: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::series::{Dump, Series};
    use crate::profile::read;

    #[test]
    fn where_there_is_no_room_the_largest_stay() {
        let stacks: String = (1..=9)
            .map(|at| format!("@ 0x{at}00\n  t*: 1: {} [0: 0]\n", at % 5 * 1000 + 10))
            .collect();
        let text = format!("heap_v2/1\n{stacks}MAPPED_LIBRARIES:\n");
        let (profile, _) = read::parse(text.as_bytes(), "x").unwrap();
        let (path, at) = ("x".into(), 1.0);
        let series = Series::of("pid 1", vec![Dump { path, at, profile }]);
        let paths = Paths::new(&series.processes[0], None);
        let mut groups = by_culprit(&paths);
        assert_eq!(groups.len(), 9);
        assert_eq!(keep_largest(&paths, &mut groups, MOST), 0);
        let each = size_of::<Judged>() + (1 + lifetimes::BUCKETS) * size_of::<Weighed>();
        assert_eq!(keep_largest(&paths, &mut groups, 3 * each), 6);
        let bytes: Vec<f64> = groups.iter().map(|g| paths.bytes(&g.members)).collect();
        assert_eq!(bytes, [4010.0, 4010.0, 3010.0]);
    }
}

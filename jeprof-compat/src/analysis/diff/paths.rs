//! The call paths of two dumps by name, each with what became of it. Pure.
//!
//! In one process a stack is the same stack by its addresses, and only then it gets its names. In two
//! runs each stack died or was born, and paths meet by their names.

use std::collections::HashMap;

use super::across::Key;
use super::change::{Change, Cut};
use super::holding::Holding;
use super::{How, Options, Side};
use crate::profile::model::{LocationId, Profile, Sample, is_of_objects};
use crate::stacks::Interner;
use crate::stacks::culprit;
use crate::stacks::filter;
use crate::stacks::naming::{Frame, Granularity, Namesakes};

/// One call path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Indexes into [`Paths::frames`], leaf first; none where only the allocator is known.
    pub frames: Vec<usize>,
    /// Which of them is to blame.
    pub culprit: usize,
    /// What became of it.
    pub change: Change,
}

/// All call paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paths {
    /// Each as the larger part of what it changed has it.
    pub frames: Vec<Frame>,
    /// No two with the same frames.
    pub paths: Vec<Path>,
}

/// A stack of either dump.
struct Found<'a> {
    profile: &'a Profile,
    sample: &'a Sample,
    change: Change,
}

impl Paths {
    /// The paths of one kind of samples.
    pub fn of(before: &Side<'_>, after: &Side<'_>, how: How, options: &Options) -> Paths {
        let kind = options.kind.as_deref();
        let mut found = match how {
            How::Process => matched(before, after, kind),
            How::Relatives | How::Names => apart(before, after, kind),
        };
        // The first to name a frame gives it its line.
        found.sort_by(|a, b| b.change.gross().total_cmp(&a.change.gross()));
        let profiles = [before.profile, after.profile];
        let (lines, across) = (options.lines, how == How::Names);
        let sameness = move |frame: &Frame| {
            let key = match across {
                true => Key::of_run(frame),
                false => Key::of_process(frame),
            };
            Some((key, frame.line.filter(|_| lines)))
        };
        let namesakes = Namesakes::collect(profiles.into_iter());
        let mut builder = Builder {
            interner: Interner::new(namesakes, Granularity::Functions, sameness),
            is_objects: is_of_objects(kind),
            by_stack: HashMap::new(),
            paths: Vec::new(),
        };
        for found in &found {
            let sites = filter::outside_allocator(found.profile, found.sample);
            if options.filter.keeps(&sites) {
                builder.add(found, &sites);
            }
        }
        Paths {
            frames: builder.interner.into_frames(),
            paths: builder.paths,
        }
    }
}

/// Stacks of one process by their addresses.
fn matched<'a>(before: &Side<'a>, after: &Side<'a>, kind: Option<&str>) -> Vec<Found<'a>> {
    let is_reversed = before.seconds > after.seconds;
    let (first, second) = if is_reversed {
        (after, before)
    } else {
        (before, after)
    };
    let mut by_addresses: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut stacks: Vec<(Holding, Holding, &'a Profile, &'a Sample)> = Vec::new();
    for (side, is_second) in [(second, true), (first, false)] {
        let period = side.period(kind);
        for sample in side.profile.samples_of(kind) {
            let address = |id: &LocationId| side.profile.location(*id).address;
            let key = sample.stack.iter().map(address).collect();
            let at = *by_addresses.entry(key).or_insert(stacks.len());
            if at == stacks.len() {
                stacks.push((Holding::default(), Holding::default(), side.profile, sample));
            }
            let (old, new, ..) = &mut stacks[at];
            let holding = if is_second { new } else { old };
            holding.add(sample, period);
        }
    }
    let holdings = || stacks.iter().map(|stack| (&stack.0, &stack.1));
    let cut = cut(first, second).map(|cut| Cut {
        is_thinned: Change::is_thinned(holdings(), cut),
        ..cut
    });
    let found = stacks.into_iter().map(|(old, new, profile, sample)| {
        let change = Change::of_process(&old, &new, cut);
        Found {
            profile,
            sample,
            change: if is_reversed {
                change.reversed()
            } else {
                change
            },
        }
    });
    found.collect()
}

fn cut(first: &Side<'_>, second: &Side<'_>) -> Option<Cut> {
    let width = |side: &Side<'_>| Some(side.profile.process.epochs?.0.max(1));
    let widths = (width(first)?, width(second)?);
    let at = (first.seconds * 1000.0).round() as u64;
    (widths.1 % widths.0 == 0).then_some(Cut {
        at,
        widths,
        is_thinned: false,
    })
}

/// Stacks of two runs, none of which is in both.
fn apart<'a>(before: &Side<'a>, after: &Side<'a>, kind: Option<&str>) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for (side, is_after) in [(before, false), (after, true)] {
        let period = side.period(kind);
        for sample in side.profile.samples_of(kind) {
            let mut holding = Holding::default();
            holding.add(sample, period);
            let (none, profile) = (Holding::default(), side.profile);
            let change = match is_after {
                true => Change::of_runs(&none, &holding),
                false => Change::of_runs(&holding, &none),
            };
            found.push(Found {
                profile,
                sample,
                change,
            });
        }
    }
    found
}

struct Builder {
    /// Of one process a name is a frame, of two runs what is left of it without the run; with
    /// lines, each line is a frame of its own.
    interner: Interner<(Key, Option<u32>)>,
    /// The leaf of a stack is a class.
    is_objects: bool,
    by_stack: HashMap<Vec<usize>, usize>,
    paths: Vec<Path>,
}

impl Builder {
    fn add(&mut self, found: &Found<'_>, sites: &[filter::Site<'_>]) {
        let frames = self.interner.stack(found.profile, sites);
        if let Some(&at) = self.by_stack.get(&frames) {
            self.paths[at].change.add(&found.change);
            return;
        }
        let all = self.interner.frames();
        let named: Vec<&Frame> = frames.iter().map(|&f| &all[f]).collect();
        let culprit = culprit::of_stack(&named, self.is_objects);
        self.by_stack.insert(frames.clone(), self.paths.len());
        self.paths.push(Path {
            frames,
            culprit,
            change: found.change,
        });
    }
}

//! The call paths of two dumps by name, each with what became of it. Called by `diff`; pure.
//!
//! In one process a stack is the same stack by its addresses, and only then it gets its names. In two
//! runs each stack died or was born, and paths meet by their names.

use std::collections::HashMap;

use super::across::Key;
use super::change::{Change, Cut};
use super::stand::Stand;
use super::{How, Options, Side};
use crate::culprit;
use crate::filter;
use crate::model::{JAVA_HEAP, LocationId, Profile, Sample};
use crate::naming::{Frame, Granularity, Namesakes};

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
        let mut builder = Builder {
            namesakes: Namesakes::collect(profiles.into_iter()),
            lines: options.lines,
            across: how == How::Names,
            is_objects: kind == Some(JAVA_HEAP),
            by_key: HashMap::new(),
            by_stack: HashMap::new(),
            caches: HashMap::new(),
            out: Paths::default(),
        };
        for found in &found {
            let sites = filter::outside_allocator(found.profile, found.sample);
            if options.filter.keeps(&sites) {
                builder.add(found, &sites);
            }
        }
        builder.out
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
    let mut stacks: Vec<(Stand, Stand, &'a Profile, &'a Sample)> = Vec::new();
    for (side, is_second) in [(second, true), (first, false)] {
        let period = side.period(kind);
        for sample in side.profile.samples_of(kind) {
            let address = |id: &LocationId| side.profile.location(*id).address;
            let key = sample.stack.iter().map(address).collect();
            let at = *by_addresses.entry(key).or_insert(stacks.len());
            if at == stacks.len() {
                stacks.push((Stand::default(), Stand::default(), side.profile, sample));
            }
            let (old, new, ..) = &mut stacks[at];
            let stand = if is_second { new } else { old };
            stand.add(sample, period);
        }
    }
    // Who thins its samples out as they become many gives survivors another weight.
    let is_steady = first.period(kind) == second.period(kind) || kind.is_none();
    let cut = cut(first, second).filter(|_| is_steady);
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
    (widths.1 % widths.0 == 0).then_some(Cut { at, widths })
}

/// Stacks of two runs, none of which is in both.
fn apart<'a>(before: &Side<'a>, after: &Side<'a>, kind: Option<&str>) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for (side, is_after) in [(before, false), (after, true)] {
        let period = side.period(kind);
        for sample in side.profile.samples_of(kind) {
            let mut stand = Stand::default();
            stand.add(sample, period);
            let (none, profile) = (Stand::default(), side.profile);
            let change = match is_after {
                true => Change::of_runs(&none, &stand),
                false => Change::of_runs(&stand, &none),
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
    namesakes: Namesakes,
    /// A line is a frame of its own.
    lines: bool,
    /// Names are those of every run.
    across: bool,
    /// The leaf of a stack is a class: what is held, not who asked for it.
    is_objects: bool,
    by_key: HashMap<(Key, Option<u32>), usize>,
    by_stack: HashMap<Vec<usize>, usize>,
    /// Frames by profile, location and line.
    caches: HashMap<(*const Profile, LocationId, usize), usize>,
    out: Paths,
}

impl Builder {
    fn add(&mut self, found: &Found<'_>, sites: &[filter::Site<'_>]) {
        let frames: Vec<usize> = sites
            .iter()
            .map(|site| self.frame(found.profile, site))
            .collect();
        if let Some(&at) = self.by_stack.get(&frames) {
            self.out.paths[at].change.add(&found.change);
            return;
        }
        let named: Vec<&Frame> = frames.iter().map(|&f| &self.out.frames[f]).collect();
        let code = usize::from(self.is_objects && named.len() > 1);
        let culprit = match named.get(code..) {
            Some(code_frames) if !code_frames.is_empty() => code + culprit::position(code_frames),
            _ => 0,
        };
        self.by_stack.insert(frames.clone(), self.out.paths.len());
        self.out.paths.push(Path {
            frames,
            culprit,
            change: found.change,
        });
    }

    fn frame(&mut self, profile: &Profile, site: &filter::Site<'_>) -> usize {
        let place = (std::ptr::from_ref(profile), site.id, site.depth);
        if let Some(&at) = self.caches.get(&place) {
            return at;
        }
        let frame = self.namesakes.frame(site, Granularity::Functions);
        let key = if self.across {
            Key::of_run(&frame)
        } else {
            Key::of_process(&frame)
        };
        let line = frame.line.filter(|_| self.lines);
        let next = self.out.frames.len();
        let at = *self.by_key.entry((key, line)).or_insert(next);
        if at == next {
            self.out.frames.push(frame);
        }
        self.caches.insert(place, at);
        at
    }
}

//! The stacks of the last dump by name, with the evidence of each.

use super::cohort::Window;
use super::evidence::{Clock, Evidence};
use super::seen::{self, Held, Seen};
use crate::analysis::series::{Process, Track};
use crate::profile::model::{Sample, Weighed, is_of_objects};
use crate::stacks::Interner;
use crate::stacks::culprit;
use crate::stacks::filter;
use crate::stacks::naming::{Frame, Namesakes};

/// One stack.
#[derive(Clone, Debug)]
pub struct Path {
    /// Indexes into [`Paths::frames`], leaf first, never empty.
    pub frames: Vec<usize>,
    /// Which of them is to blame.
    pub culprit: usize,
    /// Its states.
    pub track: Track,
    /// Live samples in the common window.
    pub mature: Weighed,
}

/// All stacks of one kind of samples.
#[derive(Clone, Debug)]
pub struct Paths<'a> {
    /// Whose they are.
    pub process: &'a Process,
    /// Which kind of samples, malloc's without one.
    pub kind: Option<&'a str>,
    /// Frames, each with its own place.
    pub frames: Vec<Frame>,
    /// Stacks with live samples.
    pub paths: Vec<Path>,
    /// As of when each dump knows what lives.
    pub seen: Seen,
    /// Time.
    pub clock: Clock,
    /// Bytes between two samples.
    pub period: f64,
}

impl<'a> Paths<'a> {
    /// Names the stacks; the last dump is symbolized.
    pub fn new(process: &'a Process, kind: Option<&'a str>) -> Paths<'a> {
        let profile = process.last();
        let seen = Seen::of(process, kind);
        let mut paths = Paths {
            clock: clock(process, &seen),
            seen,
            process,
            kind,
            frames: Vec::new(),
            paths: Vec::new(),
            period: profile.period_of(kind).max(1.0),
        };
        let namesakes = Namesakes::collect(std::iter::once(profile));
        let mut interner = Interner::by_place(namesakes);
        let window = Window::common(&paths.clock);
        for track in process.tracks(kind) {
            let sample = &profile.samples_of(kind)[track.last];
            let sites = filter::outside_allocator(profile, sample);
            let frames = interner.stack(profile, &sites);
            let held = paths.held(track.last);
            let is_live = sample.facts.is_none() || held.samples > 0;
            if frames.is_empty() || !is_live {
                continue;
            }
            let named: Vec<&Frame> = frames.iter().map(|&f| &interner.frames()[f]).collect();
            let culprit = culprit::of_stack(&named, is_of_objects(kind));
            let mut evidence = Evidence::default();
            evidence.add(&held, paths.clock.count);
            let mature = evidence.born(window.epochs.clone());
            paths.paths.push(Path {
                frames,
                culprit,
                track,
                mature,
            });
        }
        paths.frames = interner.into_frames();
        paths
    }

    /// What the last dump knows of a stack.
    fn held(&self, at: usize) -> Held<'_> {
        let sample = &self.process.last().samples_of(self.kind)[at];
        self.seen
            .last()
            .map(|cut| cut.held(sample))
            .unwrap_or_default()
    }

    /// The evidence of some paths together.
    pub fn evidence(&self, members: &[usize]) -> Evidence {
        let mut evidence = Evidence::default();
        for &member in members {
            let held = self.held(self.paths[member].track.last);
            evidence.add(&held, self.clock.count);
        }
        evidence
    }

    /// What the last dump says of some paths.
    pub fn samples(&self, members: &[usize]) -> Vec<&Sample> {
        let samples = self.process.last().samples_of(self.kind);
        let sample = |m: &usize| samples.get(self.paths[*m].track.last);
        members.iter().filter_map(sample).collect()
    }

    /// The frame to blame for a stack of the last dump, be anything of it live or not.
    pub fn culprit_of(&self, sample: usize) -> Option<Frame> {
        let profile = self.process.last();
        let sample = profile.samples_of(self.kind).get(sample)?;
        let sites = filter::outside_allocator(profile, sample);
        let namesakes = Namesakes::collect(std::iter::once(profile));
        let mut interner = Interner::by_place(namesakes);
        let frames = interner.stack(profile, &sites);
        let named: Vec<&Frame> = frames.iter().map(|at| &interner.frames()[*at]).collect();
        let at = culprit::of_stack(&named, is_of_objects(self.kind));
        named.get(at).map(|frame| (*frame).clone())
    }

    /// The number of the stack of a path, where the dump has one.
    pub fn number(&self, member: usize) -> Option<u64> {
        let samples = self.process.last().samples_of(self.kind);
        let facts = samples[self.paths[member].track.last].facts.as_ref();
        facts.map(|facts| facts.id)
    }

    /// Bytes of some paths that are live in the last dump.
    pub fn bytes(&self, members: &[usize]) -> f64 {
        let bytes = |m: &usize| self.held(self.paths[*m].track.last).bytes;
        members.iter().map(bytes).sum()
    }

    /// Blocks of some paths that are live in the last dump.
    pub fn objects(&self, members: &[usize]) -> f64 {
        let objects = |m: &usize| self.held(self.paths[*m].track.last).blocks;
        members.iter().map(objects).sum()
    }

    /// The path among them with the most live bytes.
    pub fn heaviest(&self, members: &[usize]) -> usize {
        let bytes = |m: usize| self.held(self.paths[m].track.last).bytes;
        let most = members
            .iter()
            .copied()
            .max_by(|&a, &b| bytes(a).total_cmp(&bytes(b)));
        most.unwrap_or(0)
    }

    /// The frame of a path, leaf first.
    pub fn frame(&self, path: usize, at: usize) -> &Frame {
        &self.frames[self.paths[path].frames[at]]
    }
}

fn clock(process: &Process, seen: &Seen) -> Clock {
    let profile = process.last();
    let (_, count) = profile.process.epochs.unwrap_or((1000, 1));
    Clock {
        now: seen.last().map_or(0.0, |cut| cut.at),
        width: seen::width(profile),
        count: count.clamp(1, 1024) as usize,
    }
}

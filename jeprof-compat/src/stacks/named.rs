//! Stacks of names with one value each: what `graph`, text and folded draw. Made from symbolized
//! profiles by [`NamedProfile::build`]. Granularity, the allocator's own frames, `--focus`,
//! `--ignore` and the subtraction of `--base` are dealt with here, so that no view knows of them.
//!
//! Stacks keep recursion as it was: a cumulative sum counts a frame once a stack.

use std::collections::HashMap;

use super::Interner;
use super::by_thread::ByThread;
use super::selection::{KindTitle, Part, Selection, title};
use crate::profile::model::{Measure, Sample, ValueKind};
use crate::stacks::filter;
use crate::stacks::naming::{Frame, Namesakes};

/// Index into [`NamedProfile::frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub u32);

/// One stack of names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedStack {
    /// Leaf first, never empty, recursion kept.
    pub frames: Vec<FrameId>,
    /// Bytes or blocks; negative where the base had more.
    pub value: f64,
    /// Real samples behind the value, when every dump that took part said so.
    pub samples: Option<u64>,
}

/// What a view draws.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedProfile {
    /// Every frame that occurs in a stack, no two with the same name.
    pub frames: Vec<Frame>,
    /// No two with the same frames, none with a value of zero, in order of first appearance.
    pub stacks: Vec<NamedStack>,
    /// The whole profile, before `--focus` and `--ignore`: the `Total:` line.
    pub total: f64,
    /// What the values measure.
    pub measure: Measure,
    /// Which value the stacks carry.
    pub value: ValueKind,
    /// What is to be said beside the figures where they are not malloc's.
    pub kind: Option<KindTitle>,
    /// A base was subtracted.
    pub is_difference: bool,
    /// The values are the bytes of blocks that were freed within so many milliseconds.
    pub freed_within_ms: Option<f64>,
}

impl NamedProfile {
    /// Adds the parts up, stack by stack of names, whatever addresses each had.
    pub fn build(parts: &[Part<'_>], selection: &Selection) -> NamedProfile {
        let mut builder = Builder::new(parts, selection);
        for part in parts {
            builder.add(part);
        }
        builder.finish()
    }

    /// The frame behind an id.
    pub fn frame(&self, id: FrameId) -> &Frame {
        &self.frames[id.0 as usize]
    }

    /// Sum over the stacks that are shown: the hundred percent of every row.
    pub fn shown(&self) -> f64 {
        self.stacks.iter().map(|s| s.value).sum()
    }

    /// `(flat, cumulative)` of every frame, by frame id; a frame counts once a stack.
    pub fn sums(&self) -> Vec<(f64, f64)> {
        let mut sums = vec![(0.0, 0.0); self.frames.len()];
        let mut seen_in = vec![usize::MAX; self.frames.len()];
        for (index, stack) in self.stacks.iter().enumerate() {
            for (depth, frame) in stack.frames.iter().enumerate() {
                let at = frame.0 as usize;
                if depth == 0 {
                    sums[at].0 += stack.value;
                }
                if seen_in[at] != index {
                    seen_in[at] = index;
                    sums[at].1 += stack.value;
                }
            }
        }
        sums
    }
}

struct Builder<'a> {
    selection: &'a Selection,
    /// By name, and managed functions by their file, too.
    interner: Interner<(String, String)>,
    by_stack: HashMap<Vec<FrameId>, usize>,
    /// Sum of the sizes of everything that went into each stack.
    gross: Vec<f64>,
    /// The same for each line of each frame.
    lines: HashMap<(FrameId, u32), f64>,
    out: NamedProfile,
}

impl<'a> Builder<'a> {
    fn new(parts: &[Part<'_>], selection: &'a Selection) -> Self {
        let profiles = parts.iter().map(|p| p.profile);
        let namesakes = Namesakes::with_names(profiles, selection.is_short);
        let namesakes = namesakes.marking_inlined(selection.marks_inlined);
        let by_name = |frame: &Frame| Some((frame.name.clone(), frame.home().to_owned()));
        Builder {
            selection,
            interner: Interner::new(namesakes, selection.granularity, by_name),
            by_stack: HashMap::new(),
            gross: Vec::new(),
            lines: HashMap::new(),
            out: NamedProfile {
                measure: parts
                    .first()
                    .map_or(Measure::Memory, |part| part.profile.measure),
                value: selection.value,
                kind: title(parts, selection),
                is_difference: parts.iter().any(|part| part.sign < 0.0),
                freed_within_ms: selection.freed_within_ms,
                ..NamedProfile::default()
            },
        }
    }

    fn add(&mut self, part: &Part<'_>) {
        let by_thread = ByThread::new(part.profile, self.selection.granularity);
        for sample in part.profile.samples_of(self.selection.kind.as_deref()) {
            let value = part.sign * self.selection.value_of(sample);
            self.out.total += value;
            let mut sites = filter::outside_allocator(part.profile, sample);
            self.selection.filter.frames(&mut sites);
            if value == 0.0 || sites.is_empty() || !self.selection.filter.keeps(&sites) {
                continue;
            }
            if let Some(by_thread) = &by_thread {
                self.add_threads(by_thread, sample, value);
                continue;
            }
            let frames = self.interner.stack(part.profile, &sites).into_iter();
            let frames: Vec<_> = frames.map(|at| FrameId(at as u32)).collect();
            for (site, frame) in sites.iter().zip(&frames) {
                if let Some(line) = site.line.and_then(|l| l.line) {
                    *self.lines.entry((*frame, line)).or_default() += value.abs();
                }
            }
            let samples = self.selection.samples_of(sample);
            self.add_stack(frames, value, samples);
        }
    }

    fn add_threads(&mut self, by_thread: &ByThread, sample: &Sample, value: f64) {
        for (frame, share) in by_thread.frames(sample, self.selection.value) {
            let frame = FrameId(self.interner.named(frame) as u32);
            self.add_stack(vec![frame], value * share, None);
        }
    }

    fn add_stack(&mut self, frames: Vec<FrameId>, value: f64, samples: Option<u64>) {
        let Some(&at) = self.by_stack.get(&frames) else {
            self.by_stack.insert(frames.clone(), self.out.stacks.len());
            self.gross.push(value.abs());
            self.out.stacks.push(NamedStack {
                frames,
                value,
                samples,
            });
            return;
        };
        self.gross[at] += value.abs();
        let stack = &mut self.out.stacks[at];
        stack.value += value;
        stack.samples = stack.samples.zip(samples).map(|(a, b)| a + b);
    }

    /// What a base cancels leaves a rest behind the last digit: that is nothing too.
    fn finish(mut self) -> NamedProfile {
        let mut gross = self.gross.into_iter();
        let stacks = &mut self.out.stacks;
        stacks.retain(|s| gross.next().is_some_and(|g| s.value.abs() > 1e-9 * g));
        if self.selection.drops_negative {
            let dropped = stacks.iter().map(|s| s.value.min(0.0)).sum::<f64>();
            stacks.retain(|s| s.value > 0.0);
            self.out.total -= dropped;
        }
        let mut lines: Vec<_> = self.lines.into_iter().collect();
        // Of equals the smaller number stands last, and holds.
        lines.sort_by(|(a, x), (b, y)| x.total_cmp(y).then(b.cmp(a)));
        self.out.frames = self.interner.into_frames();
        for ((frame, line), _) in lines {
            self.out.frames[frame.0 as usize].line = Some(line);
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use profile_format::lifetimes;

    use super::*;
    use crate::profile::model::{Line, Location, LocationId, Profile, StackFacts, Values, Weighed};
    use crate::stacks::naming::Granularity;

    /// Stacks as `leaf<caller<root` with a value and a number of samples.
    fn profile(stacks: &[(&str, f64, u64)]) -> Profile {
        let mut profile = Profile::default();
        for &(stack, value, samples) in stacks {
            let mut sample = Sample {
                values: Values {
                    inuse_space: value,
                    ..Values::default()
                },
                facts: (samples > 0).then(|| StackFacts {
                    samples,
                    ..StackFacts::default()
                }),
                ..Sample::default()
            };
            let first = profile.locations.len() as u32;
            for name in stack.split('<').filter(|n| !n.is_empty()) {
                let line = Line {
                    function: name.into(),
                    ..Line::default()
                };
                let address = profile.locations.len() as u64;
                profile.locations.push(Location {
                    address,
                    lines: vec![line].into(),
                    ..Location::default()
                });
            }
            let places = first..profile.locations.len() as u32;
            sample.stack = places.map(LocationId).collect();
            profile.samples.push(sample);
        }
        profile
    }

    fn build(parts: &[(&Profile, f64)]) -> NamedProfile {
        let parts: Vec<_> = parts
            .iter()
            .map(|&(profile, sign)| Part { profile, sign })
            .collect();
        NamedProfile::build(&parts, &Selection::default())
    }

    #[test]
    fn managed_functions_of_one_name_in_two_files_are_two() {
        let mut one = profile(&[
            ("put<main", 4.0, 1),
            ("put<main", 2.0, 1),
            ("put<main", 1.0, 1),
        ]);
        for (at, file) in [(0, "a.py"), (2, "b.py"), (4, "a.py")] {
            one.locations[at].managed = true;
            one.locations[at].lines[0].file = Some(file.to_owned());
        }
        let named = build(&[(&one, 1.0)]);
        let rows = named.frames.iter().zip(named.sums());
        let put: Vec<_> = rows
            .filter(|(frame, _)| frame.name == "put")
            .map(|(frame, sums)| (frame.file.as_deref(), sums.0))
            .collect();
        assert_eq!(put, [(Some("a.py"), 5.0), (Some("b.py"), 2.0)]);
    }

    fn sums<'a>(profile: &'a NamedProfile, name: &str) -> (f64, f64) {
        let at = profile
            .frames
            .iter()
            .position(|f: &'a Frame| f.name == name)
            .unwrap();
        profile.sums()[at]
    }

    #[test]
    fn equal_names_are_one_stack() {
        let one = profile(&[("f<main", 10.0, 1), ("f<main", 5.0, 2), ("g<main", 1.0, 1)]);
        let named = build(&[(&one, 1.0)]);
        assert_eq!(named.stacks.len(), 2);
        assert_eq!(
            (named.stacks[0].value, named.stacks[0].samples),
            (15.0, Some(3))
        );
        assert_eq!(sums(&named, "main"), (0.0, 16.0));
    }

    #[test]
    fn recursion_counts_once_a_stack() {
        let named = build(&[(&profile(&[("f<g<f<main", 8.0, 0)]), 1.0)]);
        assert_eq!(sums(&named, "f"), (8.0, 8.0));
        assert_eq!(named.stacks[0].frames.len(), 4);
        assert_eq!(named.stacks[0].samples, None);
    }

    #[test]
    fn the_line_of_a_frame_is_where_most_comes_from() {
        let mut one = profile(&[("f<main", 10.0, 1), ("f<main", 5.0, 2), ("f<main", 6.0, 1)]);
        for (location, line) in [(0, 7), (2, 9), (4, 9), (1, 2), (3, 1)] {
            one.locations[location].lines[0].line = Some(line);
        }
        let lines: Vec<_> = build(&[(&one, 1.0)])
            .frames
            .iter()
            .map(|f| f.line)
            .collect();
        assert_eq!(lines, [Some(9), Some(2)]);
    }

    #[test]
    fn what_is_also_called_is_inlined_nowhere() {
        let mut one = profile(&[("f<main", 10.0, 1), ("f<main", 5.0, 1)]);
        one.locations[0].lines[0].inlined = true;
        let merged = build(&[(&one, 1.0)]);
        assert_eq!((merged.stacks.len(), merged.frames[0].inlined), (1, false));
        let part = Part {
            profile: &one,
            sign: 1.0,
        };
        let selection = Selection {
            marks_inlined: true,
            ..Selection::default()
        };
        let marked = NamedProfile::build(&[part], &selection);
        assert_eq!(sums(&marked, "f (inline)"), (10.0, 10.0));
        assert_eq!(sums(&marked, "f"), (5.0, 5.0));
    }

    #[test]
    fn what_was_freed_soon_is_told_by_its_lifetime() {
        let mut one = profile(&[("f<main", 10.0, 1), ("g<main", 5.0, 2)]);
        let lives = |ms: &[u64]| -> Vec<(u32, Weighed)> {
            let buckets = ms.iter().map(|ms| lifetimes::bucket(*ms) as u32);
            buckets.map(|at| (at, Weighed::alike(3, 300.0))).collect()
        };
        for (sample, ms) in one.samples.iter_mut().zip([&[0, 50, 5_000][..], &[200]]) {
            sample.facts.as_mut().unwrap().lives = lives(ms).into();
        }
        let within = |ms: f64| {
            let selection = Selection {
                freed_within_ms: Some(ms),
                ..Selection::default()
            };
            let part = Part {
                profile: &one,
                sign: 1.0,
            };
            NamedProfile::build(&[part], &selection)
        };
        assert_eq!(within(0.0).total, 300.0, "below the first bound");
        let soon = within(100.0);
        assert_eq!((soon.total, soon.stacks.len()), (600.0, 1));
        assert_eq!(soon.stacks[0].samples, Some(6));
        assert_eq!(within(10_000.0).total, 1200.0);
    }

    #[test]
    fn a_base_cancels_by_name() {
        let before = profile(&[("f<main", 0.3, 1), ("gone<main", 2.0, 1)]);
        let after = profile(&[("f<main", 0.1, 1), ("f<main", 0.2, 1), ("new<main", 4.0, 1)]);
        let named = build(&[(&after, 1.0), (&before, -1.0)]);
        let values: Vec<f64> = named.stacks.iter().map(|s| s.value).collect();
        assert_eq!(values, [4.0, -2.0]);
        assert!((named.total - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_only_the_allocator_did_is_in_the_total_alone() {
        let named = build(&[(&profile(&[("malloc", 8.0, 0), ("malloc<f", 2.0, 0)]), 1.0)]);
        assert_eq!((named.total, named.shown()), (10.0, 2.0));
    }

    #[test]
    fn threads_and_pools_are_frames_of_their_own() {
        let mut one = profile(&[("f<main", 10.0, 1), ("g<main", 5.0, 2), ("h<main", 1.0, 1)]);
        let names = [(1, "web-1"), (2, "web-2"), (3, "db")];
        one.threads = names.map(|(uid, name)| (uid, name.to_owned())).into();
        let held = |bytes: f64| Values {
            inuse_space: bytes,
            ..Values::default()
        };
        one.samples[0].threads = [(1, held(4.0)), (3, held(6.0))].into();
        one.samples[1].threads = [(2, held(5.0))].into();
        let rows = |granularity| -> Vec<(String, f64)> {
            let part = Part {
                profile: &one,
                sign: 1.0,
            };
            let selection = Selection {
                granularity,
                ..Selection::default()
            };
            let named = NamedProfile::build(&[part], &selection);
            let row = |s: &NamedStack| (named.frame(s.frames[0]).name.clone(), s.value);
            named.stacks.iter().map(row).collect()
        };
        let row = |name: &str, value: f64| (name.to_owned(), value);
        let nobody = row("(no thread is known)", 1.0);
        assert_eq!(
            rows(Granularity::Threads),
            [
                row("t1 web-1", 4.0),
                row("t3 db", 6.0),
                row("t2 web-2", 5.0),
                nobody.clone()
            ]
        );
        assert_eq!(
            rows(Granularity::Pools),
            [row("web-*", 9.0), row("db", 6.0), nobody]
        );
    }
}

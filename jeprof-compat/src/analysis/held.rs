//! What a dump holds, stack by stack: named frames, the one to blame, bytes with their variance. Pure.
//!
//! This is what leaves the dump for other engines. They add stacks of many processes up: so a stack is known
//! by its names, and variances add as the bytes do.

use super::diff::holding::Holding;
use crate::profile::model::{Profile, Sample, is_of_objects};
use crate::stacks::filter::{self, Filter};
use crate::stacks::naming::{Frame, Namesakes};
use crate::stacks::{Interner, culprit};

/// All live stacks of one kind of samples.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Each place of code once.
    pub frames: Vec<Frame>,
    /// In the order of the dump.
    pub stacks: Vec<Stack>,
}

/// One stack.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// Leaf first, indexes into [`Held::frames`]; never empty.
    pub frames: Vec<usize>,
    /// The frame to blame: an index into [`Held::frames`].
    pub culprit: usize,
    /// Live bytes.
    pub bytes: f64,
    /// Variance of that estimate.
    pub variance: f64,
    /// Live blocks.
    pub objects: f64,
    /// Real samples.
    pub samples: f64,
}

impl Held {
    /// What `profile`, which has its names, holds of a kind, malloc's without one.
    pub fn of(profile: &Profile, kind: Option<&str>, filter: &Filter) -> Held {
        let namesakes = Namesakes::collect(std::iter::once(profile));
        let mut interner = Interner::by_place(namesakes);
        let period = profile.period_of(kind);
        let mut stacks = Vec::new();
        for sample in profile.samples_of(kind) {
            let sites = filter::outside_allocator(profile, sample);
            if sites.is_empty() || sample.values.inuse_space <= 0.0 || !filter.keeps(&sites) {
                continue;
            }
            let frames = interner.stack(profile, &sites);
            let named: Vec<&Frame> = frames.iter().map(|at| &interner.frames()[*at]).collect();
            let at = culprit::of_stack(&named, is_of_objects(kind));
            stacks.push(stack(sample, period, frames[at], frames));
        }
        Held {
            frames: interner.into_frames(),
            stacks,
        }
    }
}

fn stack(sample: &Sample, period: f64, culprit: usize, frames: Vec<usize>) -> Stack {
    let mut holding = Holding::default();
    holding.add(sample, period);
    Stack {
        frames,
        culprit,
        bytes: holding.bytes,
        variance: holding.variance,
        objects: sample.values.inuse_objects,
        samples: holding.samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId, StackFacts, Values};

    #[test]
    fn a_stack_has_its_names_its_culprit_and_its_error() {
        let mut profile = Profile::default();
        for name in ["xmalloc", "session_open", "main"] {
            let line = Line {
                function: name.to_owned(),
                file: Some(format!("{name}.c")),
                line: Some(7),
                ..Line::default()
            };
            profile.locations.push(Location {
                lines: vec![line].into(),
                ..Location::default()
            });
        }
        profile.samples.push(Sample {
            stack: (0..3).map(LocationId).collect(),
            values: Values {
                inuse_space: 1000.0,
                inuse_objects: 2.0,
                ..Values::default()
            },
            facts: Some(StackFacts {
                samples: 2,
                variance: 9e4,
                ..StackFacts::default()
            }),
            ..Sample::default()
        });
        profile.samples.push(Sample::default());
        let held = Held::of(&profile, None, &Filter::default());
        assert_eq!(held.stacks.len(), 1, "what holds nothing is left out");
        let stack = &held.stacks[0];
        assert_eq!(held.frames[stack.culprit].name, "session_open");
        let figures = (stack.bytes, stack.variance, stack.objects, stack.samples);
        assert_eq!(figures, (1000.0, 9e4, 2.0, 2.0));
    }
}

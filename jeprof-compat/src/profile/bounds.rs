//! What a profile may cost those who use it. They go through every function of every stack, inlined ones too, and
//! write its name: a file of some kilobytes can thus stand for 10^10 functions, or for a name of a megabyte in
//! each of a million places.

use super::model::{Profile, Sample};

/// Functions in all stacks together. 100,000 stacks of a compiler have less than half of it.
const MOST_FUNCTIONS: u64 = 40 << 20;

/// Bytes of their names, as often as they stand in a stack.
const MOST_TEXT: u64 = 2 << 30;

/// Kinds of samples beside malloc's: each is judged, and has a part of the page. Our dumps have six at most.
const MOST_KINDS: usize = 32;

/// Frames of a stack. Those of a recursion that nothing stops have some 100,000, when the memory for stacks ends.
pub const DEEPEST: usize = 1 << 20;

/// Functions inlined into each other at one address. rustc's own code has some dozen.
pub const MOST_INLINED: usize = 1000;

/// Bytes of a name. Those of C++'s deepest templates have some 10,000.
const LONGEST: usize = 64 << 10;

/// A name as it is kept: a longer one ends in `…`.
pub fn name(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    format!("{}…", &text[..end.unwrap_or_default()])
}

/// Leaves out the kinds beyond what may be used, and says so.
pub fn bound_kinds(profile: &mut Profile) -> Option<String> {
    let kinds = &mut profile.other_kinds;
    let first_out = kinds.keys().nth(MOST_KINDS)?.clone();
    let out = kinds.split_off(&first_out).len();
    Some(format!(
        "{out} kinds of samples are left out: there are more than {MOST_KINDS}"
    ))
}

/// Leaves out the stacks beyond what may be used, and says so.
pub fn bound(profile: &mut Profile) -> Option<String> {
    bound_to(profile, MOST_FUNCTIONS, MOST_TEXT)
}

fn bound_to(profile: &mut Profile, functions: u64, text: u64) -> Option<String> {
    let cost = |location: &super::model::Location| {
        let text = location.lines.iter().map(|line| line.function.len() as u64);
        (location.lines.len().max(1) as u64, text.sum::<u64>())
    };
    let costs: Vec<(u64, u64)> = profile.locations.iter().map(cost).collect();
    let (mut left, mut text_left) = (functions, text);
    let mut fits = |sample: &Sample| {
        let sum = |(functions, text): (u64, u64), id: &super::model::LocationId| {
            let more = costs[id.0 as usize];
            (functions + more.0, text + more.1)
        };
        let (functions, text) = sample.stack.iter().fold((0, 0), sum);
        let fits = sample.stack.len() <= DEEPEST && functions <= left && text <= text_left;
        if fits {
            left -= functions;
            text_left -= text;
        }
        fits
    };
    let mut out = 0;
    let others = profile
        .other_kinds
        .values_mut()
        .map(|kind| &mut kind.samples);
    for samples in std::iter::once(&mut profile.samples).chain(others) {
        let all = samples.len();
        samples.retain(&mut fits);
        out += all - samples.len();
    }
    (out > 0).then(|| {
        let left_out = match out {
            1 => "1 stack is left out".to_owned(),
            n => format!("{n} stacks are left out"),
        };
        format!(
            "{left_out}: one has more than {} million frames, or all of them have more than {} million functions, \
             or more than {} MiB of names",
            DEEPEST >> 20,
            functions >> 20,
            text >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId, OtherKind};

    #[test]
    fn stacks_that_multiply_are_left_out() {
        let line = Line {
            function: "four".to_owned(),
            ..Line::default()
        };
        let location = Location {
            lines: vec![line; 10].into(),
            ..Location::default()
        };
        let sample = |places: usize| Sample {
            stack: vec![LocationId(0); places].into(),
            ..Sample::default()
        };
        let mut profile = Profile {
            locations: vec![location],
            samples: vec![sample(3), sample(100), sample(2)],
            ..Profile::default()
        };
        let mut short = profile.clone();
        assert_eq!(bound(&mut profile), None);
        let said = bound_to(&mut profile, 60, 1 << 20).expect("a warning");
        assert!(said.starts_with("1 stack is left out"), "{said}");
        assert_eq!(profile.samples.len(), 2);
        bound_to(&mut short, 1 << 20, 119).expect("a warning");
        assert_eq!(short.samples, [sample(2)]);
    }

    #[test]
    fn kinds_without_end_are_left_out() {
        let mut profile = Profile::default();
        let kind = |at: usize| (format!("k{at:02}"), OtherKind::default());
        profile.other_kinds = (0..MOST_KINDS).map(kind).collect();
        assert_eq!(bound_kinds(&mut profile), None);
        profile.other_kinds = (0..MOST_KINDS + 3).map(kind).collect();
        let said = bound_kinds(&mut profile).expect("a warning");
        assert!(
            said.starts_with("3 kinds of samples are left out"),
            "{said}"
        );
        assert_eq!(profile.other_kinds.len(), MOST_KINDS);
        assert!(profile.other_kinds.contains_key("k00"));
    }

    #[test]
    fn a_name_is_as_long_as_names_are() {
        assert_eq!(name("outer"), "outer");
        let long = "ü".repeat(LONGEST);
        assert_eq!(name(&long), format!("{}…", &long[..LONGEST]));
    }
}

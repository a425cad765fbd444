//! What our own line of a stack says, as the model has it; older versions of the line say less.

use profile_format::heap_v2::{Part, StackLine};
use profile_format::lifetimes;

use crate::profile::model::{Sample, StackFacts, Values, Weighed};

/// The last version that tells no weights of what was freed, and lifetimes by octaves.
const OCTAVES: u64 = 1;

/// Gives a sample the values and facts of its line.
pub fn describe(sample: &mut Sample, line: &StackLine<'_>, version: u64) {
    sample.values = Values {
        inuse_objects: line.live.objects(),
        inuse_space: line.live.bytes as f64,
        alloc_objects: line.accumulated.objects(),
        alloc_space: line.accumulated.bytes as f64,
    };
    let freed = freed_weight(line);
    let births = line
        .births
        .map(|part| (place(part.place), weighed(&part, 0.0)));
    let lives = line.lifetimes.map(|part| {
        let bucket = match version {
            ..=OCTAVES => lifetimes::of_version_1(part.place) as u32,
            _ => place(part.place),
        };
        (bucket, weighed(&part, freed))
    });
    sample.facts = Some(StackFacts {
        id: line.id,
        samples: line.live.samples,
        variance: line.variance as f64,
        births: births.collect(),
        alloc_samples: line.accumulated.samples,
        sizes: line.sizes,
        lives: lives.collect(),
    });
}

fn place(place: u64) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Samples of which the file does not say what they stand for stand for `each`; all for the same, where
/// it does not say the squares.
fn weighed(part: &Part, each: f64) -> Weighed {
    let bytes = match part.bytes {
        Some(bytes) => bytes as f64,
        None => part.samples as f64 * each,
    };
    let alike = Weighed::alike(part.samples, bytes);
    Weighed {
        squares: part.squares.map_or(alike.squares, |squares| squares as f64),
        ..alike
    }
}

/// What a freed sample stood for on average: what was ever allocated less what is live.
fn freed_weight(line: &StackLine<'_>) -> f64 {
    let (ever, live) = (line.accumulated, line.live);
    let samples = ever.samples.saturating_sub(live.samples);
    let bytes = ever.bytes.saturating_sub(live.bytes);
    match samples {
        0 => ever.bytes as f64 / ever.samples.max(1) as f64,
        n => bytes as f64 / n as f64,
    }
}

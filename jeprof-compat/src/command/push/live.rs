//! What is sent of a profile: what is live, without threads, and no more than servers take. Pure.
//!
//! Source of the limits: Pyroscope's defaults for one profile (`pkg/validation/limits.go`).

use crate::profile::model::{Line, Location, LocationId, Profile, Sample, Values};
use crate::stacks::filter::Filter;
use crate::view::format::pprof;

/// Stacks of a profile.
const MOST_STACKS: usize = 16_000;
/// Bytes of a profile, unpacked.
const MOST_BYTES: usize = 4 << 20;
/// What stands for the stacks that are too many.
const REST: &str = "[smaller stacks]";

/// As pprof, with the biggest stacks alone where all are too many: the rest is one, and the sum is right.
pub(super) fn pprof(profile: &Profile, kind: Option<&str>) -> Vec<u8> {
    let live = live(profile);
    let mut most = MOST_STACKS.min(live.samples_of(kind).len());
    loop {
        let mut part = live.clone();
        cut(&mut part, kind, most);
        let message = pprof::encode(&part, kind, &Filter::default());
        if message.len() <= MOST_BYTES || most <= 2 {
            return message;
        }
        most /= 2;
    }
}

/// Engines add what profiles have in common up, and what was ever allocated would be added again at each push;
/// a label of a sample makes a series.
fn live(profile: &Profile) -> Profile {
    let mut live = profile.clone();
    let others = live
        .other_kinds
        .values_mut()
        .flat_map(|kind| &mut kind.samples);
    for sample in live.samples.iter_mut().chain(others) {
        sample.threads = Box::default();
        sample.values = Values {
            alloc_objects: 0.0,
            alloc_space: 0.0,
            ..sample.values
        };
    }
    live
}

/// Leaves `most` stacks, the last of which is the sum of the smallest.
fn cut(profile: &mut Profile, kind: Option<&str>, most: usize) {
    let samples = match kind {
        None => Some(&mut profile.samples),
        Some(kind) => profile.other_kinds.get_mut(kind).map(|k| &mut k.samples),
    };
    let Some(samples) = samples.filter(|samples| samples.len() > most) else {
        return;
    };
    let size = |sample: &Sample| sample.values.inuse_space;
    samples.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let mut values = Values::default();
    for small in samples.drain(most - 1..) {
        values += small.values;
    }
    let rest = LocationId(profile.locations.len() as u32);
    samples.push(Sample {
        stack: vec![rest].into(),
        values,
        ..Sample::default()
    });
    profile.locations.push(Location {
        managed: true,
        lines: vec![Line {
            function: REST.to_owned(),
            ..Line::default()
        }]
        .into(),
        ..Location::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    use crate::profile::pprof_proto as proto;

    /// So many stacks of their own, with a name of so many bytes each.
    fn profile(stacks: u32, name: usize) -> Profile {
        let location = |at: u32| Location {
            address: 16 * u64::from(at) + 16,
            managed: true,
            lines: vec![Line {
                function: format!("{at:0name$}"),
                ..Line::default()
            }]
            .into(),
            ..Location::default()
        };
        let sample = |at: u32| Sample {
            stack: vec![LocationId(at)].into(),
            values: Values {
                inuse_objects: 1.0,
                inuse_space: f64::from(at + 1),
                alloc_space: 1e9,
                ..Values::default()
            },
            ..Sample::default()
        };
        Profile {
            locations: (0..stacks).map(location).collect(),
            samples: (0..stacks).map(sample).collect(),
            ..Profile::default()
        }
    }

    #[test]
    fn what_servers_refuse_is_cut_to_what_they_take_and_the_sum_stays() {
        for (stacks, name) in [(20, 5), (20_000, 5), (15_000, 2_000)] {
            let message = pprof(&profile(stacks, name), None);
            assert!(message.len() <= MOST_BYTES, "{}", message.len());
            let sent = proto::Profile::decode(&message[..]).expect("pprof");
            assert!(sent.sample.len() <= MOST_STACKS);
            assert_eq!(sent.sample.len() == stacks as usize, stacks == 20);
            let sum: i64 = sent.sample.iter().map(|sample| sample.value[1]).sum();
            let stacks = i64::from(stacks);
            assert_eq!(sum, stacks * (stacks + 1) / 2);
            let rest = sent.string_table.iter().any(|text| text == REST);
            assert_eq!(rest, stacks != 20);
        }
    }
}

//! As of when a dump knows what lives. Pure.
//!
//! A block of malloc is live until it is freed, so a dump knows all at its own time. An object of a collected
//! heap is known to live only if a collection has passed over it: what was born since the last one is mostly
//! garbage that nobody has looked at. So such a dump is a picture of the moment of that collection, and what was
//! born later is not in it; it is cut where the epoch ends in which nothing was born later. A dump before
//! the first collection knows nothing. Where the JVM's last collection was in the first half of the run ([`RECENT`]), the
//! picture would be one of the start: then all is taken as it is, and how long nobody has looked is told.
//! An object that a collection of the young found alive may be garbage later, and wait for one of all.

use std::collections::BTreeMap;

use crate::analysis::series::{Dump, Process};
use crate::profile::model::{Profile, Sample, Weighed};
use crate::profile::parts::Entries;

/// Share of the run that must have passed before the last collection.
const RECENT: f64 = 0.5;

/// What is known of the heap, dump by dump.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    dumps: Vec<Option<Cut>>,
    /// Seconds that no collection has looked at, where these are most of the run.
    pub unseen: Option<f64>,
}

/// Where a picture ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Seconds since the start of the process.
    pub at: f64,
    /// Birth epochs that are in it; `None`: all.
    epochs: Option<u32>,
}

/// What lived of a stack at such a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held<'a> {
    /// Bytes.
    pub bytes: f64,
    /// Blocks.
    pub blocks: f64,
    /// The variance of the bytes.
    pub variance: f64,
    /// Real samples.
    pub samples: u64,
    /// By birth epoch.
    pub births: Entries<'a>,
    /// Freed samples, by the bucket of their lifetime.
    pub lives: Entries<'a>,
}

impl Seen {
    /// Of one kind of samples, malloc's without one.
    pub fn of(process: &Process, kind: Option<&str>) -> Seen {
        let times = collections(process, kind);
        let whole = |dump: &Dump| Cut {
            at: dump.at,
            epochs: None,
        };
        let cut = |dump: &Dump| match number(&dump.profile, kind, "collections_swept") {
            Some(swept) => Some(Cut::before(*times.get(&swept)?, &dump.profile)),
            None => Some(match last_look(dump, kind) {
                Some(at) => Cut::before(at, &dump.profile),
                None => whole(dump),
            }),
        };
        let dumps: Vec<Option<Cut>> = process.dumps.iter().map(cut).collect();
        let last = dumps.last().and_then(|cut| Some(cut.as_ref()?.at));
        let end = process.dumps.last().map_or(0.0, |dump| dump.at);
        let is_swept = process
            .dumps
            .last()
            .is_some_and(|dump| number(&dump.profile, kind, "collections_swept").is_some());
        match last {
            Some(at) if at >= RECENT * end || !is_swept => Seen {
                dumps,
                unseen: None,
            },
            _ => Seen {
                dumps: process.dumps.iter().map(whole).map(Some).collect(),
                unseen: Some(end - last.unwrap_or(0.0)),
            },
        }
    }

    /// What a dump knows; `None`: nothing.
    pub fn dump(&self, at: usize) -> Option<&Cut> {
        self.dumps.get(at)?.as_ref()
    }

    /// What the last dump knows.
    pub fn last(&self) -> Option<&Cut> {
        self.dumps.last()?.as_ref()
    }

    /// The dumps that know something, with what they know.
    pub fn known(&self) -> impl DoubleEndedIterator<Item = (usize, &Cut)> {
        let dumps = self.dumps.iter().enumerate();
        dumps.filter_map(|(at, cut)| Some((at, cut.as_ref()?)))
    }
}

impl Cut {
    /// All that was born before the epoch of this moment.
    fn before(at: f64, profile: &Profile) -> Cut {
        let width = width(profile);
        let epochs = (at / width).floor().max(0.0);
        Cut {
            at: epochs * width,
            epochs: Some(epochs as u32),
        }
    }

    /// What is known to have lived of a stack.
    pub fn held<'a>(&self, sample: &'a Sample) -> Held<'a> {
        let facts = sample.facts.as_ref();
        let births = facts.map(|facts| facts.births.iter()).unwrap_or_default();
        let whole = Held {
            bytes: sample.values.inuse_space,
            blocks: sample.values.inuse_objects,
            variance: facts.map_or(0.0, |facts| facts.variance),
            samples: facts.map_or(0, |facts| facts.samples),
            births,
            lives: facts.map(|facts| facts.lives.iter()).unwrap_or_default(),
        };
        let Some(epochs) = self.epochs else {
            return whole;
        };
        let sum = |births: Entries<'_>| {
            let mut sum = Weighed::default();
            births.for_each(|(_, born)| sum.add(&born));
            sum
        };
        // By number: the epochs of a stack stand in order.
        let old = births.before(epochs);
        let (part, all) = (sum(old), sum(births));
        let share = part.bytes / all.bytes.max(f64::MIN_POSITIVE);
        Held {
            bytes: whole.bytes * share,
            blocks: whole.blocks * share,
            variance: whole.variance * share,
            samples: part.samples,
            births: old,
            ..whole
        }
    }
}

/// Seconds that an epoch of a dump takes.
pub fn width(profile: &Profile) -> f64 {
    let epochs = profile.process.epochs;
    epochs.map_or(1.0, |(width, _)| (width as f64 / 1000.0).max(0.001))
}

/// When a collector that counts all of its collections looked last, be it at the young alone; `None`: nothing waits
/// for a look.
fn last_look(dump: &Dump, kind: Option<&str>) -> Option<f64> {
    number(&dump.profile, kind, "all_collections")?;
    let since = number(&dump.profile, kind, "since_any_collection_ms");
    Some(since.map_or(0.0, |ms| (dump.at - ms as f64 / 1000.0).max(0.0)))
}

/// When the collections were, by their number: those that were the last one at a dump.
fn collections(process: &Process, kind: Option<&str>) -> BTreeMap<u64, f64> {
    let time = |dump: &Dump| {
        let count = number(&dump.profile, kind, "collections")?;
        let since = number(&dump.profile, kind, "since_collection_ms")?;
        Some((count, (dump.at - since as f64 / 1000.0).max(0.0)))
    };
    process.dumps.iter().filter_map(time).collect()
}

fn number(profile: &Profile, kind: Option<&str>, fact: &str) -> Option<u64> {
    let kind = profile.other_kinds.get(kind?)?;
    kind.get(fact)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{JAVA_HEAP, JS_HEAP, OtherKind, StackFacts, Values};

    /// A dump of epochs of two seconds that has seen so many of so many collections.
    fn dump(at: f64, swept: u64, made: u64, since_ms: u64) -> Dump {
        let facts = [
            ("collections", made),
            ("collections_swept", swept),
            ("since_collection_ms", since_ms),
        ];
        let known = facts
            .into_iter()
            .filter(|(key, _)| made > 0 || *key != "since_collection_ms");
        let kind = OtherKind {
            facts: known
                .map(|(key, number)| (key.to_owned(), number.to_string()))
                .collect(),
            ..OtherKind::default()
        };
        let mut profile = Profile::default();
        profile.process.epochs = Some((2000, 8));
        profile.other_kinds.insert(JAVA_HEAP.to_owned(), kind);
        Dump {
            path: "a.heap".into(),
            at,
            profile,
        }
    }

    #[test]
    fn a_dump_knows_what_its_last_sweep_knew() {
        let process = Process {
            name: "pid 1".to_owned(),
            dumps: vec![
                dump(1.0, 0, 0, 0),
                dump(6.5, 1, 1, 1400),
                dump(9.0, 1, 2, 100),
                dump(13.0, 4, 4, 0),
            ],
            exit: crate::analysis::series::Exit::default(),
        };
        let seen = Seen::of(&process, Some(JAVA_HEAP));
        let at = |dump| seen.dump(dump).map(|cut| cut.at);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [None, Some(4.0), Some(4.0), Some(12.0)]
        );
        assert_eq!(seen.unseen, None);
        let malloc = Seen::of(&process, None);
        assert_eq!(malloc.dump(2).map(|cut| cut.at), Some(9.0));
    }

    /// V8's and Ruby's collectors count those of the young, too.
    #[test]
    fn what_any_collection_has_looked_at_counts() {
        let at = |facts: &[(&str, &str)], kind| {
            let mut dump = dump(60.0, 0, 0, 0);
            let known = facts.iter();
            let known = known.map(|(key, fact)| ((*key).to_owned(), (*fact).to_owned()));
            let heap = OtherKind {
                facts: known.collect(),
                ..OtherKind::default()
            };
            dump.profile.other_kinds.insert(JS_HEAP.to_owned(), heap);
            let process = Process {
                name: "pid 1".to_owned(),
                dumps: vec![dump],
                exit: crate::analysis::series::Exit::default(),
            };
            Seen::of(&process, kind).last().map(|cut| cut.at)
        };
        let counts = ("all_collections", "7");
        let late = [counts, ("since_any_collection_ms", "3000")];
        assert_eq!(at(&late, Some(JS_HEAP)), Some(56.0));
        assert_eq!(at(&late, None), Some(60.0), "malloc");
        let now = [counts, ("since_any_collection_ms", "0")];
        assert_eq!(at(&now, Some(JS_HEAP)), Some(60.0));
        assert_eq!(at(&[("all_collections", "0")], Some(JS_HEAP)), Some(0.0));
        assert_eq!(at(&[], Some(JS_HEAP)), Some(60.0), "untold");
    }

    #[test]
    fn where_nobody_looked_for_long_that_is_told() {
        let seen = |dumps| {
            let process = Process {
                name: "pid 1".to_owned(),
                dumps,
                exit: crate::analysis::series::Exit::default(),
            };
            Seen::of(&process, Some(JAVA_HEAP))
        };
        let never = seen(vec![dump(5.0, 0, 0, 0), dump(9.0, 0, 0, 0)]);
        assert_eq!(never.unseen, Some(9.0));
        assert_eq!(never.last().map(|cut| cut.at), Some(9.0));
        let long_ago = seen(vec![dump(3.0, 1, 1, 900), dump(20.0, 1, 1, 17_900)]);
        assert_eq!(long_ago.unseen, Some(18.0));
        assert_eq!(long_ago.known().count(), 2);
    }

    #[test]
    fn what_was_born_later_is_left_out() {
        let sample = Sample {
            values: Values {
                inuse_space: 60.0,
                inuse_objects: 6.0,
                ..Values::default()
            },
            facts: Some(StackFacts {
                samples: 6,
                variance: 12.0,
                births: vec![(1, Weighed::alike(2, 20.0)), (5, Weighed::alike(4, 40.0))].into(),
                lives: vec![(3, Weighed::alike(1, 10.0))].into(),
                ..StackFacts::default()
            }),
            ..Sample::default()
        };
        let cut = |epochs| Cut { at: 10.0, epochs };
        let held = cut(Some(5)).held(&sample);
        assert_eq!(
            (held.bytes, held.blocks, held.variance, held.samples),
            (20.0, 2.0, 4.0, 2)
        );
        assert_eq!((held.births.count(), held.lives.count()), (1, 1));
        assert_eq!(cut(Some(1)).held(&sample).bytes, 0.0);
        assert_eq!(cut(None).held(&sample).bytes, 60.0);
    }
}

//! What of a managed heap was looked at. Pure.
//!
//! Objects of V8's heap, or of Ruby's, that are younger than the last collection of any kind may all be garbage:
//! nobody has looked at them. They are left out of what is judged.

use std::borrow::Cow;

use crate::analysis::series::Dump;
use crate::profile::model::{StackFacts, Weighed};

/// What a dump tells of a stack, without what no collection has looked at, and the share of its live bytes that
/// is left.
pub fn looked_at<'a>(
    dump: &Dump,
    kind: Option<&str>,
    facts: &'a StackFacts,
) -> (Cow<'a, StackFacts>, f64) {
    let Some(end) = end_of_looks(dump, kind) else {
        return (Cow::Borrowed(facts), 1.0);
    };
    let (width, _) = dump.profile.process.epochs.unwrap_or((1000, 1));
    let width = width as f64 / 1000.0;
    let is_old = |(epoch, _): &&(u32, Weighed)| (f64::from(*epoch) + 1.0) * width <= end;
    let old: Vec<(u32, Weighed)> = facts.births.iter().filter(is_old).copied().collect();
    let bytes = |births: &[(u32, Weighed)]| births.iter().map(|(_, born)| born.bytes).sum::<f64>();
    let all = bytes(&facts.births);
    let share = if all > 0.0 { bytes(&old) / all } else { 0.0 };
    let seen = StackFacts {
        samples: old.iter().map(|(_, born)| born.samples).sum(),
        variance: facts.variance * share,
        births: old,
        ..facts.clone()
    };
    (Cow::Owned(seen), share)
}

/// When the collector looked last, in seconds since the start; `None`: nothing waits for a look.
fn end_of_looks(dump: &Dump, kind: Option<&str>) -> Option<f64> {
    let heap = dump.profile.other_kinds.get(kind?)?;
    heap.get("all_collections")?;
    let since = heap.get("since_any_collection_ms");
    let since = since.and_then(|ms| ms.parse::<f64>().ok());
    Some(since.map_or(0.0, |ms| dump.at - ms / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{JS_HEAP, OtherKind, Profile};

    #[test]
    fn what_no_collection_has_looked_at_is_left_out() {
        let dump = |facts: &[(&str, &str)]| {
            let facts = facts
                .iter()
                .map(|(key, fact)| ((*key).into(), (*fact).into()));
            let kind = OtherKind {
                facts: facts.collect(),
                ..OtherKind::default()
            };
            let mut profile = Profile {
                other_kinds: [(JS_HEAP.to_owned(), kind)].into(),
                ..Profile::default()
            };
            profile.process.epochs = Some((2000, 30));
            Dump {
                path: "a.heap".into(),
                at: 60.0,
                profile,
            }
        };
        let facts = StackFacts {
            samples: 4,
            variance: 8.0,
            births: vec![(0, Weighed::alike(3, 30.0)), (28, Weighed::alike(1, 10.0))],
            ..StackFacts::default()
        };
        let left = |dump: &Dump, kind| {
            let (seen, share) = looked_at(dump, kind, &facts);
            (seen.samples, seen.variance, share)
        };
        let counts = ("all_collections", "7");
        let late = dump(&[counts, ("since_any_collection_ms", "3000")]);
        assert_eq!(left(&late, Some(JS_HEAP)), (3, 6.0, 0.75));
        assert_eq!(left(&late, None), (4, 8.0, 1.0), "malloc");
        let now = dump(&[counts, ("since_any_collection_ms", "1000")]);
        assert_eq!(left(&now, Some(JS_HEAP)), (4, 8.0, 1.0));
        let never = dump(&[("all_collections", "0")]);
        assert_eq!(left(&never, Some(JS_HEAP)), (0, 0.0, 0.0));
        let untold = dump(&[]);
        assert_eq!(left(&untold, Some(JS_HEAP)), (4, 8.0, 1.0));
    }
}

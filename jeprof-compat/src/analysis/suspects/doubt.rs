//! What holds a verdict back: a leak is none yet while what grows may still be freed. Pure.
//!
//! Sources: `ReservedCodeCacheSize` of HotSpot, 240 MB.
//!
//! Three things can be in doubt. Nobody has watched for long enough (`horizon`). A script holds the blocks, and its
//! collector has not looked since they were born (`collector`). Objects count as live until a collection finds them
//! dead: the ordinary collections pass over what is old, so only those that were asked for before the dumps
//! prove anything; and where there was none for most of the run (`seen`), nothing is known at all.

use super::Judged;
use super::collector::Collector;
use super::finding::{Reason, Verdict};
use super::horizon::Horizon;
use super::paths::Paths;
use crate::analysis::series::Process;
use crate::profile::model::JS_HEAP;
use crate::stacks::glue;
use crate::stacks::naming::Frame;

/// All that may hold back the verdicts of one kind of samples.
#[derive(Clone, Debug)]
pub struct Doubts {
    /// How far the verdicts see.
    pub horizon: Horizon,
    /// What is called live is, and no garbage that waits for its collection.
    pub is_collected: bool,
    collector: Option<Collector>,
    unseen: Option<f64>,
}

impl Doubts {
    /// What is in doubt about the samples of these paths.
    pub fn of(paths: &Paths<'_>, horizon: Horizon) -> Doubts {
        let (process, kind) = (paths.process, paths.kind);
        Doubts {
            horizon,
            is_collected: is_collected(process, kind),
            collector: Collector::of(process).filter(|_| kind.is_none_or(|kind| kind == JS_HEAP)),
            unseen: paths.seen.unseen,
        }
    }

    /// Holds a verdict back where there is a doubt.
    pub fn weigh(&self, judged: &mut Judged, paths: &Paths<'_>) {
        if judged.judgement.verdict.is_growth()
            && let Some(seconds) = self.unseen
        {
            judged.judgement.verdict = Verdict::Growing;
            judged.judgement.reason = Reason::Unseen { seconds };
        }
        if judged.judgement.verdict != Verdict::Leak {
            return;
        }
        let is_waiting = |collector: &Collector| collector.waits(paths, judged);
        let reason = match self.collector.as_ref().and_then(is_waiting) {
            Some(seconds) => Some(Reason::Uncollected { seconds }),
            None => self.horizon.is_near(judged, &paths.clock),
        };
        if reason.is_some() || !self.is_collected {
            judged.judgement.verdict = Verdict::Growing;
        }
        if let Some(reason) = reason {
            judged.judgement.reason = reason;
        }
    }
}

/// What the compilers of a JVM hold while a program warms up, at most: half of the code that they may make.
const WARM_UP: f64 = 128.0 * 1_048_576.0;

/// What compilers of a runtime hold grows as long as code is run for the first time, and ends with that.
pub fn excuse(judged: &mut Judged, culprit: &Frame) {
    let is_little = judged.evidence.bytes < WARM_UP;
    if glue::is_compiler(culprit) && is_little && judged.judgement.verdict.is_growth() {
        judged.judgement.verdict = Verdict::Bounded;
        judged.judgement.reason = Reason::WarmsUp;
        judged.judgement.climb = None;
    }
}

/// Is what the dumps call live really live?
fn is_collected(process: &Process, kind: Option<&str>) -> bool {
    let kind = kind.and_then(|kind| process.last().other_kinds.get(kind));
    let forced = kind.and_then(|kind| kind.get("collections_forced"));
    forced.is_none_or(|number| number.parse::<u64>().is_ok_and(|number| number > 0))
}

#[cfg(test)]
mod tests {
    use super::super::evidence::sample::{CLOCK, evidence};
    use super::super::group::Group;
    use super::super::verdict;
    use super::*;
    use crate::analysis::series::Dump;
    use crate::profile::model::{OtherKind, Profile};
    use crate::stacks::naming::FrameKind;

    #[test]
    fn only_collections_that_were_asked_for_prove_life() {
        let process = |fact: Option<&str>| {
            let facts = fact.map(|number| ("collections_forced".to_owned(), number.to_owned()));
            let kind = OtherKind {
                facts: facts.into_iter().collect(),
                ..OtherKind::default()
            };
            let profile = Profile {
                other_kinds: [("java_heap".to_owned(), kind)].into(),
                ..Profile::default()
            };
            Process {
                name: "pid 1".to_owned(),
                dumps: vec![Dump {
                    path: "a.heap".into(),
                    at: 1.0,
                    profile,
                }],
                exit: crate::analysis::series::Exit::default(),
            }
        };
        let collected = |fact, kind| is_collected(&process(fact), kind);
        assert!(!collected(Some("0"), Some("java_heap")));
        assert!(collected(Some("3"), Some("java_heap")));
        assert!(
            collected(None, Some("java_heap")),
            "a heap that counts none"
        );
        assert!(collected(Some("0"), None), "malloc");
    }

    #[test]
    fn compilers_that_hold_little_only_warm_up() {
        let births: Vec<(u32, u64, u64)> = (0..29).map(|epoch| (epoch, 40, 40 << 19)).collect();
        let judge = |name: &str, bytes: f64| {
            let mut evidence = evidence(&births, &[]);
            evidence.bytes = bytes;
            let mut judged = Judged {
                group: Group {
                    members: Vec::new(),
                    culprit: 0,
                    is_sum: false,
                },
                judgement: verdict::judge(&evidence, &CLOCK, 0),
                evidence,
            };
            assert!(judged.judgement.verdict.is_growth());
            let frame = Frame {
                name: name.to_owned(),
                kind: FrameKind::Managed,
                ..Frame::default()
            };
            excuse(&mut judged, &frame);
            judged.judgement.verdict
        };
        let mb = 1_048_576.0;
        assert_eq!(judge("[jit compiler thread]", 20.0 * mb), Verdict::Bounded);
        assert_eq!(judge("[jit compiler thread]", 500.0 * mb), Verdict::Leak);
        assert_eq!(judge("app.Cache.fill", 20.0 * mb), Verdict::Leak);
    }
}

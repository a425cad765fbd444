//! The account of RSS at one dump: what the resident memory is used for, as far as the dump says. Pure.
//!
//! The parts add up to RSS: each is cut to what is left of its kind of memory, since the live
//! heap is an estimate and the kernel counts a moment later.

use crate::profile::model::{JAVA_HEAP, JS_HEAP, PYTHON_OBJECTS, Profile};
use crate::profile::runtimes::Runtime;

/// A use of resident memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Live blocks of malloc, by estimate.
    LiveHeap,
    /// Objects of a JVM.
    JavaHeap,
    /// Objects of V8.
    V8Heap,
    /// Small objects of CPython, by estimate.
    PythonObjects,
    /// Stacks of threads.
    Stacks,
    /// Code made at run time.
    Code,
    /// Pages of libraries that were written to.
    Data,
    /// What the profiler takes itself.
    Profiler,
    /// Private memory that is none of these.
    Rest,
    /// Pages of files.
    Files,
    /// Memory that other processes may share.
    Shared,
}

impl Part {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Part::LiveHeap => "live heap",
            Part::JavaHeap => "Java heap",
            Part::V8Heap => "V8 heap",
            Part::PythonObjects => "Python objects",
            Part::Stacks => "thread stacks",
            Part::Code => "JIT code",
            Part::Data => "library data",
            Part::Profiler => "profiler",
            Part::Rest => "other private memory",
            Part::Files => "mapped files",
            Part::Shared => "shared memory",
        }
    }

    /// What it is, and what growth there means, in the process that a profile is of.
    pub fn meaning(self, profile: &Profile) -> &'static str {
        let has = |kind| profile.other_kinds.contains_key(kind);
        match self {
            Part::JavaHeap if has(JAVA_HEAP) => {
                "Objects of the JVM, live and dead: growth of those that live has its suspects."
            }
            Part::V8Heap if has(JS_HEAP) => {
                "Objects of JavaScript, live and dead: growth of those that live has its suspects."
            }
            Part::LiveHeap => {
                "What the program holds by malloc, by estimate: growth here has its suspects."
            }
            Part::JavaHeap => {
                "Objects of the JVM, live and dead: prof_java_heap:true says which classes and lines."
            }
            Part::V8Heap => {
                "Objects of JavaScript, live and dead: prof_js_heap:true says which lines made them."
            }
            Part::PythonObjects => {
                "Small objects of Python that live, by estimate, in arenas that malloc does not see: growth here has its suspects."
            }
            Part::Stacks => "Stacks of threads that were seen to allocate: growth here is threads.",
            Part::Code => "Code that a JIT made: it has a ceiling in every runtime.",
            Part::Data => "Pages of the program and its libraries that were written to.",
            Part::Profiler => "What malloscope itself uses.",
            Part::Rest => {
                "What the allocator keeps beyond the live heap, heaps of runtimes, other mappings: \
                 growth here is fragmentation or not malloc's; prof_mmap:true says who maps."
            }
            Part::Files => "Code and data files; the kernel can drop them.",
            Part::Shared => "Memory shared with other processes, and tmpfs.",
        }
    }
}

/// The account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Resident bytes in all.
    pub rss: f64,
    /// Its parts, in the order in which they are shown.
    pub parts: Vec<(Part, f64)>,
    /// Bytes of the live heap that are not in it.
    pub not_resident: f64,
}

impl Account {
    /// The account of a dump; `None` when it does not say how much is resident.
    pub fn of(profile: &Profile) -> Option<Account> {
        // A dump may say anything; a part is no less than nothing.
        let number = |key: &str| {
            let number = profile.process.get(key)?.parse::<f64>().ok()?;
            (number.is_finite() && number >= 0.0).then_some(number)
        };
        let recorded = |key: &str| number(key).unwrap_or(0.0);
        let rss = number("rss_bytes")?;
        let mut private = number("rss_anonymous_bytes")?;
        let mut shared = recorded("rss_shared_bytes");
        let all_live: f64 = profile.samples.iter().map(|s| s.values.inuse_space).sum();
        let take = |from: &mut f64, bytes: f64| {
            let part = bytes.clamp(0.0, *from);
            *from -= part;
            part
        };
        let java_shared = take(&mut shared, recorded("rss_java_heap_shared_bytes"));
        let java = take(&mut private, recorded("rss_java_heap_bytes"));
        let stacks = take(&mut private, recorded("rss_stacks_bytes"));
        let code = take(&mut private, recorded("rss_code_bytes"));
        let data = take(&mut private, recorded("rss_data_bytes"));
        // Others put memory at places of their own choice, too: Go does.
        let has_v8 = Runtime::of(profile).is_some_and(|runtime| runtime.kind == Some("js_heap"));
        let chosen = take(&mut private, recorded("rss_chosen_bytes"));
        let v8 = if has_v8 { chosen } else { 0.0 };
        private += chosen - v8;
        let own = take(&mut private, recorded("profiler_bytes"));
        let live = take(&mut private, all_live);
        let objects = profile.samples_of(Some(PYTHON_OBJECTS)).iter();
        let objects = take(&mut private, objects.map(|s| s.values.inuse_space).sum());
        let mut parts = vec![
            (Part::LiveHeap, live),
            (Part::JavaHeap, java + java_shared),
            (Part::V8Heap, v8),
            (Part::Rest, private),
            (Part::Stacks, stacks),
            (Part::Code, code),
            (Part::Data, data),
            (Part::Profiler, own),
            (Part::Files, recorded("rss_file_bytes")),
            (Part::Shared, shared),
        ];
        if objects > 0.0 {
            parts.insert(2, (Part::PythonObjects, objects));
        }
        Some(Account {
            rss,
            parts,
            not_resident: (all_live - live).max(0.0),
        })
    }

    /// Bytes of a part.
    pub fn get(&self, part: Part) -> f64 {
        let found = self.parts.iter().find(|(other, _)| *other == part);
        found.map_or(0.0, |(_, bytes)| *bytes)
    }

    /// The part that grew most since `before`, and by how much.
    pub fn most_grown(&self, before: &Account) -> Option<(Part, f64)> {
        let grown = self
            .parts
            .iter()
            .map(|(part, bytes)| (*part, bytes - before.get(*part)));
        grown
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .filter(|(_, bytes)| *bytes > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Mapping, ProcessFacts, Sample, Values};

    fn account(live: f64, facts: &[(&str, &str)]) -> Account {
        Account::of(&profile(live, facts)).expect("an account")
    }

    fn profile(live: f64, facts: &[(&str, &str)]) -> Profile {
        let entries = facts
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let values = Values {
            inuse_space: live,
            ..Values::default()
        };
        Profile {
            samples: vec![Sample {
                values,
                ..Sample::default()
            }],
            process: ProcessFacts {
                entries: entries.collect(),
                ..ProcessFacts::default()
            },
            ..Profile::default()
        }
    }

    #[test]
    fn the_heap_of_v8_is_known_in_a_node() {
        let mut facts = FACTS.to_vec();
        facts.push(("rss_chosen_bytes", "90"));
        assert_eq!(account(0.0, &facts).get(Part::V8Heap), 0.0, "no Node");
        let mut profile = profile(0.0, &facts);
        profile.mappings.push(Mapping {
            path: "/usr/bin/node".to_owned(),
            executable: true,
            ..Mapping::default()
        });
        let account = Account::of(&profile).expect("an account");
        assert_eq!(account.get(Part::V8Heap), 90.0);
        let sum: f64 = account.parts.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, account.rss);
    }

    const FACTS: [(&str, &str); 8] = [
        ("rss_bytes", "1000"),
        ("rss_anonymous_bytes", "700"),
        ("rss_file_bytes", "200"),
        ("rss_shared_bytes", "100"),
        ("rss_java_heap_bytes", "150"),
        ("rss_java_heap_shared_bytes", "60"),
        ("rss_stacks_bytes", "20"),
        ("rss_code_bytes", "30"),
    ];

    #[test]
    fn parts_add_up_to_the_whole() {
        let account = account(400.0, &FACTS);
        assert_eq!(
            account.parts.iter().map(|(_, b)| b).sum::<f64>(),
            account.rss
        );
        assert_eq!(account.get(Part::JavaHeap), 210.0);
        assert_eq!(account.get(Part::Rest), 100.0);
        assert_eq!(account.get(Part::Shared), 40.0);
    }

    #[test]
    fn an_estimate_above_what_is_resident_is_cut() {
        let account = account(9000.0, &FACTS);
        assert_eq!(account.get(Part::LiveHeap), 500.0);
        assert_eq!(account.not_resident, 8500.0);
        assert_eq!(account.get(Part::Rest), 0.0);
    }

    #[test]
    fn dumps_without_the_parts_have_the_rest_in_one() {
        let account = account(400.0, &FACTS[..3]);
        assert_eq!(account.get(Part::Rest), 300.0);
    }

    #[test]
    fn what_grew_most() {
        let before = account(400.0, &FACTS);
        let mut facts = FACTS;
        facts[0].1 = "1500";
        facts[1].1 = "1200";
        facts[4].1 = "600";
        let after = account(420.0, &facts);
        assert_eq!(after.most_grown(&before), Some((Part::JavaHeap, 450.0)));
        assert_eq!(before.most_grown(&before), None);
    }
}

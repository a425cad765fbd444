//! Threads by their names: which pool one belongs to, and a profile of some of them alone. Pure.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use super::model::{Profile, Sample, Values};

/// Share of a whole below which it is nothing.
const NOTHING: f64 = 1e-9;

/// `t3 billing-pool`, as every view calls a thread; `t3` where it has no name.
pub fn title(number: u64, name: &str) -> String {
    match name {
        "" => format!("t{number}"),
        name => format!("t{number} {name}"),
    }
}

/// The stem of names that are counted: `web-pool-` of `web-pool-12`. Nothing where a name is all number, or
/// has none at its end.
fn stem(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.len() < name.len() && stem.chars().any(char::is_alphabetic)).then_some(stem)
}

/// The pool of each name that shares its stem with another thread: `web-pool-*`; threads of the very same name
/// are a pool of that name.
pub fn pools<'a>(names: impl Iterator<Item = &'a str> + Clone) -> HashMap<String, String> {
    let mut members: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names.clone().filter(|name| !name.is_empty()) {
        *members.entry(stem(name).unwrap_or(name)).or_default() += 1;
    }
    let pool = |name: &'a str| {
        let (shared, end) = match stem(name) {
            Some(stem) => (stem, "*"),
            None => (name, ""),
        };
        (members.get(shared)? > &1).then(|| (name.to_owned(), format!("{shared}{end}")))
    };
    names.filter_map(pool).collect()
}

impl Profile {
    /// What malloc's samples hold by thread, or by pool: the name of each with its share of `sample`, the
    /// largest first.
    pub fn thread_shares(&self, samples: &[&Sample]) -> Vec<(String, f64)> {
        let pools = pools(self.threads.iter().map(|(_, name)| name.as_str()));
        let names: HashMap<u64, &str> = self
            .threads
            .iter()
            .map(|(number, name)| (*number, name.as_str()))
            .collect();
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        let threads = samples.iter().flat_map(|sample| &sample.threads);
        for (number, values) in threads {
            let called = match names.get(number) {
                Some(name) => pools.get(*name).map_or(*name, String::as_str).to_owned(),
                None => title(*number, ""),
            };
            *sums.entry(called).or_default() += values.inuse_space;
        }
        let whole: f64 = sums.values().sum();
        let shares = sums.into_iter().map(|(name, bytes)| (name, bytes / whole));
        let mut shares: Vec<(String, f64)> = shares.filter(|s| s.1 > NOTHING).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// Leaves what threads hold of which the title matches: `t3 billing-pool`. What is known of a stack as a
    /// whole is divided by their share of it. Samples that no thread is told of go.
    pub fn keep_threads(&mut self, wanted: &Regex) {
        let names: HashMap<u64, String> = self.threads.iter().cloned().collect();
        let is_wanted = |number: u64| {
            let name = names.get(&number).map_or("", String::as_str);
            wanted.is_match(&title(number, name))
        };
        let kinds = self.other_kinds.values_mut().map(|kind| &mut kind.samples);
        for samples in std::iter::once(&mut self.samples).chain(kinds) {
            samples.retain_mut(|sample| sample.keep_threads(&is_wanted));
        }
        self.threads.retain(|(number, _)| is_wanted(*number));
    }
}

impl Sample {
    /// False when nothing is left.
    fn keep_threads(&mut self, is_wanted: &impl Fn(u64) -> bool) -> bool {
        let mut threads = std::mem::take(&mut self.threads).into_vec();
        threads.retain(|(number, _)| is_wanted(*number));
        self.threads = threads.into();
        let mut left = Values::default();
        self.threads.iter().for_each(|(_, values)| left += *values);
        let part = |left: f64, whole: f64| if whole > 0.0 { left / whole } else { 0.0 };
        let live = part(left.inuse_space, self.values.inuse_space).min(1.0);
        let all = part(left.alloc_space, self.values.alloc_space).clamp(live, 1.0);
        self.values = left;
        if let Some(facts) = &mut self.facts {
            facts.samples = (facts.samples as f64 * live).round() as u64;
            facts.variance *= live;
            facts.alloc_samples = (facts.alloc_samples as f64 * all).round() as u64;
            facts.births = facts.births.map(|born| born.part(live));
            facts.lives = facts.lives.map(|freed| freed.part(all));
        }
        !self.threads.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{StackFacts, Weighed};

    fn values(bytes: f64) -> Values {
        Values {
            inuse_space: bytes,
            ..Values::default()
        }
    }

    fn profile() -> Profile {
        let threads = [(1, "main"), (2, "web-1"), (3, "web-2"), (4, "db")];
        Profile {
            threads: threads
                .map(|(number, name)| (number, name.to_owned()))
                .into(),
            samples: vec![Sample {
                values: values(100.0),
                threads: [(1, values(10.0)), (2, values(30.0)), (3, values(60.0))].into(),
                facts: Some(StackFacts {
                    samples: 10,
                    variance: 50.0,
                    births: vec![(0, Weighed::alike(10, 100.0))].into(),
                    ..StackFacts::default()
                }),
                ..Sample::default()
            }],
            ..Profile::default()
        }
    }

    #[test]
    fn names_that_are_counted_are_a_pool() {
        let names = [
            "web-1",
            "web-12",
            "G1 Conc#0",
            "db",
            "db",
            "main",
            "x86",
            "7",
            "8",
            "",
        ];
        let pools = pools(names.into_iter());
        assert_eq!(pools["web-1"], "web-*");
        assert_eq!(pools["db"], "db");
        for alone in ["G1 Conc#0", "main", "x86", "7", ""] {
            assert!(!pools.contains_key(alone), "{alone}");
        }
    }

    #[test]
    fn shares_are_of_pools() {
        let profile = profile();
        let shares = profile.thread_shares(&[&profile.samples[0]]);
        assert_eq!(
            shares,
            [("web-*".to_owned(), 0.9), ("main".to_owned(), 0.1)]
        );
    }

    #[test]
    fn a_part_of_a_stack_is_its_threads() {
        let mut one = profile();
        one.keep_threads(&Regex::new("web").expect("an expression"));
        let sample = &one.samples[0];
        assert_eq!(sample.values.inuse_space, 90.0);
        let facts = sample.facts.as_ref().expect("facts");
        assert_eq!((facts.samples, facts.variance), (9, 45.0));
        assert_eq!(facts.births.iter().next().expect("a part").1.bytes, 90.0);
        assert_eq!(one.threads.len(), 2);
        let mut none = profile();
        none.keep_threads(&Regex::new("^t4 ").expect("an expression"));
        assert!(none.samples.is_empty());
    }
}

//! The call sites of a program that runs, and how they grew while we looked. Pure but for the naming of
//! stacks that were not seen before.

use std::collections::{HashMap, VecDeque};

use crate::profile::model::Profile;
use crate::stacks::culprit;
use crate::stacks::naming::Frame;
use crate::stacks::{NamedProfile, Part, Selection};
use crate::symbolize::{Locator, symbolize};

/// Looks kept of each site.
const HISTORY: usize = 60;

/// A place that asks for memory.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The frame that a person can act on, where it is, and who calls it.
    pub name: String,
    /// Live bytes, the oldest look first.
    pub history: VecDeque<f64>,
    /// Real samples behind the last.
    pub samples: u64,
}

impl Site {
    /// Live bytes now.
    pub fn live(&self) -> f64 {
        self.history.back().copied().unwrap_or(0.0)
    }
}

/// What the rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What grew most, first.
    Growth,
    /// What holds most, first.
    Live,
}

/// All sites of one process.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    /// Names by the number of the stack, which it keeps in its process.
    names: HashMap<u64, String>,
    sites: HashMap<String, Site>,
    /// When the looks were taken, in milliseconds of the process.
    times: VecDeque<u64>,
}

impl Sites {
    /// Takes another look in. Only stacks that are new are symbolized; the leaf of one of objects is their
    /// class.
    pub fn look(&mut self, mut profile: Profile, locator: &Locator, is_objects: bool) {
        let uptime = profile.process.get("uptime_ms");
        let now = uptime.and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let mut sums: HashMap<String, (f64, u64)> = HashMap::new();
        let values: Vec<_> = profile
            .samples
            .iter()
            .filter_map(|sample| {
                let facts = sample.facts.as_ref()?;
                Some((facts.id, sample.values.inuse_space, facts.samples))
            })
            .collect();
        self.learn(&mut profile, locator, is_objects);
        for (id, bytes, samples) in values {
            let name = self.names.get(&id).cloned().unwrap_or_default();
            let sum = sums.entry(name).or_default();
            *sum = (sum.0 + bytes, sum.1 + samples);
        }
        self.take(now, &sums);
    }

    fn learn(&mut self, profile: &mut Profile, locator: &Locator, is_objects: bool) {
        let samples = std::mem::take(&mut profile.samples);
        let is_new = |id: &u64| !self.names.contains_key(id);
        let new: Vec<_> = samples
            .into_iter()
            .filter(|sample| sample.facts.as_ref().is_some_and(|facts| is_new(&facts.id)))
            .collect();
        if new.is_empty() {
            return;
        }
        profile.samples = new.clone();
        let _warnings = symbolize(std::slice::from_mut(profile), locator);
        for sample in new {
            let id = sample.facts.as_ref().map_or(0, |facts| facts.id);
            let mut sample = sample;
            // A stack that is empty by now has a name nevertheless.
            sample.values.inuse_space = sample.values.inuse_space.max(1.0);
            profile.samples = vec![sample];
            let part = Part { profile, sign: 1.0 };
            let named = NamedProfile::build(&[part], &Selection::default());
            self.names.insert(id, name(&named, is_objects));
        }
    }

    /// Adds the sums of one look, by name.
    fn take(&mut self, now: u64, sums: &HashMap<String, (f64, u64)>) {
        let looks = self.times.len();
        for name in sums.keys() {
            let site = self.sites.entry(name.clone()).or_default();
            if site.history.is_empty() {
                site.name.clone_from(name);
                site.history = vec![0.0; looks].into();
            }
        }
        for (name, site) in &mut self.sites {
            let (bytes, samples) = sums.get(name).copied().unwrap_or_default();
            site.samples = samples;
            site.history.push_back(bytes);
            if site.history.len() > HISTORY {
                site.history.pop_front();
            }
        }
        self.times.push_back(now);
        if self.times.len() > HISTORY {
            self.times.pop_front();
        }
        self.sites
            .retain(|_, site| site.history.iter().any(|bytes| *bytes > 0.0));
    }

    /// Bytes a minute over all looks that are kept: the slope of the straight line through them.
    pub fn growth(&self, site: &Site) -> f64 {
        let count = site.history.len() as f64;
        let minutes = |time: &u64| (*time - self.times[0]) as f64 / 60_000.0;
        let mean_time = self.times.iter().map(minutes).sum::<f64>() / count;
        let mean = site.history.iter().sum::<f64>() / count;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (time, bytes) in self.times.iter().map(minutes).zip(&site.history) {
            covariance += (time - mean_time) * (bytes - mean);
            variance += (time - mean_time).powi(2);
        }
        if variance == 0.0 {
            0.0
        } else {
            covariance / variance
        }
    }

    /// The sites in order.
    pub fn ordered(&self, order: Order) -> Vec<&Site> {
        let mut sites: Vec<_> = self.sites.values().collect();
        let growth = |site: &Site| match order {
            Order::Growth => self.growth(site).round(),
            Order::Live => 0.0,
        };
        // Of those that grow alike, the ones that hold more come first.
        sites.sort_by(|a, b| {
            let by_growth = growth(b).total_cmp(&growth(a));
            let by_live = b.live().total_cmp(&a.live());
            by_growth.then(by_live).then(a.name.cmp(&b.name))
        });
        sites
    }

    /// Live bytes of all.
    pub fn live(&self) -> f64 {
        self.sites.values().map(Site::live).sum()
    }
}

/// The frame to blame, its place and its caller.
fn name(profile: &NamedProfile, is_objects: bool) -> String {
    let Some(stack) = profile.stacks.first() else {
        return "(no frames)".to_owned();
    };
    let frames: Vec<&Frame> = stack.frames.iter().map(|id| profile.frame(*id)).collect();
    let at = culprit::of_stack(&frames, is_objects);
    let frame = frames[at];
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => frame.module.clone().unwrap_or_default(),
    };
    let caller = frames[at..].iter().find(|caller| caller.name != frame.name);
    let mut name = frame.name.clone();
    if let Some(caller) = caller {
        name += &format!(" < {}", caller.name);
    }
    if !place.is_empty() {
        name += &format!("  {place}");
    }
    name
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Sites with these histories, a look each ten seconds.
    pub fn sites(histories: &[(&str, &[f64])]) -> Sites {
        let mut sites = Sites::default();
        let looks = histories.iter().map(|(_, values)| values.len()).max();
        for look in 0..looks.unwrap_or(0) {
            let at = |values: &[f64]| values.get(look).copied().unwrap_or(0.0);
            let sums = histories
                .iter()
                .map(|(name, values)| ((*name).to_owned(), (at(values) * 1_048_576.0, 5)))
                .collect();
            sites.take(look as u64 * 10_000, &sums);
        }
        sites
    }

    #[test]
    fn growth_is_the_slope_and_orders_the_rows() {
        let sites = sites(&[
            ("big", &[100.0, 100.0, 100.0, 100.0]),
            ("leak", &[1.0, 2.0, 3.0, 4.0]),
            ("gone", &[5.0, 0.0, 0.0, 0.0]),
        ]);
        let names = |order| {
            let ordered = sites.ordered(order);
            ordered
                .iter()
                .map(|site| site.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Order::Growth), ["leak", "big", "gone"]);
        assert_eq!(names(Order::Live), ["big", "leak", "gone"]);
        let leak = sites.ordered(Order::Growth)[0].clone();
        assert!(
            (sites.growth(&leak) / 1_048_576.0 - 6.0).abs() < 1e-9,
            "MB a minute"
        );
        assert!((sites.live() / 1_048_576.0 - 104.0).abs() < 1e-9);
    }

    #[test]
    fn where_nothing_grows_the_biggest_comes_first() {
        let sites = sites(&[("a", &[1.0, 1.0]), ("b", &[9.0, 9.0]), ("c", &[5.0, 5.0])]);
        let ordered = sites.ordered(Order::Growth);
        let names: Vec<_> = ordered.iter().map(|site| site.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "a"]);
    }

    #[test]
    fn what_comes_later_was_nothing_before() {
        let mut sites = sites(&[("first", &[1.0; 70])]);
        sites.take(700_000, &[("late".to_owned(), (9.0, 1))].into());
        let late = sites.ordered(Order::Growth)[0];
        assert_eq!((late.name.as_str(), late.history.len()), ("late", HISTORY));
        assert_eq!(late.history.front(), Some(&0.0));
    }
}

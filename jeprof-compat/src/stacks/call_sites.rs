//! The places in a program's own code that hold the most: the culprits, not the wrappers of malloc.
//! Pure.

use std::collections::HashMap;

use crate::stacks::culprit;
use crate::stacks::naming::Frame;
use crate::stacks::{FrameId, NamedProfile};

/// A place that asks for memory.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSite {
    /// The frame a person can act on.
    pub frame: Frame,
    /// Its caller, in most of the cases.
    pub caller: Option<Frame>,
    /// What is live there.
    pub value: f64,
}

/// The biggest call sites, largest first.
pub fn biggest(profile: &NamedProfile, count: usize) -> Vec<CallSite> {
    let mut sums: HashMap<FrameId, f64> = HashMap::new();
    let mut callers: HashMap<FrameId, HashMap<FrameId, f64>> = HashMap::new();
    for stack in &profile.stacks {
        let frames: Vec<&Frame> = stack.frames.iter().map(|id| profile.frame(*id)).collect();
        let at = culprit::position(&frames);
        let id = stack.frames[at];
        *sums.entry(id).or_default() += stack.value;
        // A recursive call is not the caller.
        let caller = stack.frames[at..].iter().find(|frame| **frame != id);
        if let Some(caller) = caller {
            *callers.entry(id).or_default().entry(*caller).or_default() += stack.value;
        }
    }
    let mut sites: Vec<(FrameId, f64)> = sums.into_iter().filter(|s| s.1 > 0.0).collect();
    sites.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sites.truncate(count);
    sites
        .into_iter()
        .map(|(id, value)| CallSite {
            frame: profile.frame(id).clone(),
            caller: callers.get(&id).and_then(|c| main_caller(profile, c)),
            value,
        })
        .collect()
}

fn main_caller(profile: &NamedProfile, callers: &HashMap<FrameId, f64>) -> Option<Frame> {
    let most = callers
        .iter()
        .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)))?;
    Some(profile.frame(*most.0).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::graph::tests::profile;

    fn names(profile: &NamedProfile) -> Vec<(String, String, f64)> {
        let name = |frame: Frame| frame.name;
        biggest(profile, 2)
            .into_iter()
            .map(|s| {
                (
                    s.frame.name,
                    s.caller.map(name).unwrap_or_default(),
                    s.value,
                )
            })
            .collect()
    }

    #[test]
    fn wrappers_are_not_to_blame() {
        let mut profile = profile(&[
            "main;parse;xmalloc 10",
            "main;load;strdup 20",
            "main;parse;parse;xmalloc 15",
            "main;small 1",
        ]);
        let strdup = profile.frames.iter_mut().find(|f| f.name == "strdup");
        strdup.unwrap().module = Some("libc.so.6".to_owned());
        assert_eq!(
            names(&profile),
            [
                ("parse".to_owned(), "main".to_owned(), 25.0),
                ("load".to_owned(), "main".to_owned(), 20.0)
            ]
        );
    }
}

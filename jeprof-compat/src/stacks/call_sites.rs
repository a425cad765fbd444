//! The places in a program's own code that hold the most: the culprits, not the wrappers of malloc.
//! Pure.

use std::collections::HashMap;

use crate::profile::model::is_of_objects;
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
    let kind = profile.kind.as_ref().map(|kind| kind.name.as_str());
    for stack in &profile.stacks {
        let frames: Vec<&Frame> = stack.frames.iter().map(|id| profile.frame(*id)).collect();
        let at = culprit::of_stack(&frames, is_of_objects(kind));
        let id = stack.frames[at];
        *sums.entry(id).or_default() += stack.value;
        if let Some(caller) = caller(profile, &stack.frames[at..]) {
            *callers.entry(id).or_default().entry(caller).or_default() += stack.value;
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

/// The caller of the first of these frames that says most: glue says nothing, and a recursive call is no caller.
fn caller(profile: &NamedProfile, frames: &[FrameId]) -> Option<FrameId> {
    let (first, rest) = frames.split_first()?;
    let others: Vec<FrameId> = rest.iter().filter(|id| *id != first).copied().collect();
    let named: Vec<&Frame> = others.iter().map(|id| profile.frame(*id)).collect();
    others.get(culprit::position(&named)).copied()
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

    #[test]
    fn glue_is_no_caller() {
        let mut profile = profile(&["main;write;libffi.so.8+0x7e2a;mcache_set 10"]);
        let module = |frame: &mut Frame, name: &str| frame.module = Some(name.to_owned());
        for frame in &mut profile.frames {
            match frame.name.as_str() {
                "libffi.so.8+0x7e2a" => module(frame, "libffi.so.8.1.2"),
                _ => module(frame, "app"),
            }
        }
        assert_eq!(
            names(&profile),
            [("mcache_set".to_owned(), "write".to_owned(), 10.0)]
        );
    }
}

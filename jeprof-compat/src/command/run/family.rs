//! A process and all that it started, as far as they still belong together. Reads `/proc`.

use std::fs;

/// Deepest tree of processes that is looked through.
const DEPTH: usize = 16;

/// `pid` first, whether it is there or not, and those below it.
pub(super) fn of(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut level = vec![pid];
    for _ in 1..DEPTH {
        level = level.iter().flat_map(|pid| children(*pid)).collect();
        all.extend(&level);
    }
    all
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let lists = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().map(|pid| pid.parse().ok());
            pids.flatten().collect::<Vec<u32>>()
        })
        .collect()
}

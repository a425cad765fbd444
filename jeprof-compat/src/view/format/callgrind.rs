//! Stacks in the format of callgrind, for KCachegrind and `callgrind_annotate`. A pure writer. The
//! format: `docs/cl-format` of valgrind, version 1.
//!
//! Frames are source lines here: what a line asked for itself is its cost, and a call stands at the
//! line it is made from. A call counts once a stack however often the stack recurses through it, so
//! that no cost exceeds the total.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::figures::hidden::printable;
use crate::stacks::NamedProfile;
use crate::stacks::naming::Frame;

/// Bytes and blocks.
type Cost = [u64; 2];

/// A function: its module, its file, its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    object: String,
    file: String,
    name: String,
}

#[derive(Default)]
struct Costs {
    /// By the function's line.
    own: BTreeMap<u32, Cost>,
    /// By the line of the call, and what is called, at its line.
    calls: BTreeMap<(u32, Function, u32), Cost>,
}

/// Writes stacks by bytes and by blocks, made with a frame a line; `command` is what ran.
pub fn write(
    bytes: &NamedProfile,
    blocks: &NamedProfile,
    command: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut functions: BTreeMap<Function, Costs> = BTreeMap::new();
    let mut total = [0; 2];
    for (event, profile) in [bytes, blocks].into_iter().enumerate() {
        for stack in profile.stacks.iter().filter(|stack| stack.value >= 0.5) {
            let value = stack.value.round() as u64;
            let frames: Vec<&Frame> = stack.frames.iter().map(|&id| profile.frame(id)).collect();
            total[event] += value;
            add(&mut functions, &frames, event, value);
        }
    }
    writeln!(out, "# callgrind format\nversion: 1")?;
    writeln!(out, "creator: malloscope {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "cmd: {}\npositions: line", word(command))?;
    writeln!(out, "events: inuse_bytes inuse_objects")?;
    writeln!(out, "summary: {} {}\n", total[0], total[1])?;
    for (function, costs) in &functions {
        writeln!(
            out,
            "ob={}\nfl={}\nfn={}",
            function.object, function.file, function.name
        )?;
        for (line, cost) in &costs.own {
            writeln!(out, "{line} {} {}", cost[0], cost[1])?;
        }
        for ((line, callee, at), cost) in &costs.calls {
            writeln!(
                out,
                "cob={}\ncfi={}\ncfn={}\ncalls={} {at}\n{line} {} {}",
                callee.object,
                callee.file,
                callee.name,
                cost[1].max(1),
                cost[0],
                cost[1]
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out, "totals: {} {}", total[0], total[1])
}

fn add(functions: &mut BTreeMap<Function, Costs>, frames: &[&Frame], event: usize, value: u64) {
    let Some(leaf) = frames.first() else { return };
    let costs = functions.entry(function(leaf)).or_default();
    costs.own.entry(line(leaf)).or_default()[event] += value;
    let mut seen = BTreeSet::new();
    for pair in frames.windows(2) {
        let (callee, caller) = (pair[0], pair[1]);
        let call = (line(caller), function(callee), line(callee));
        let caller = function(caller);
        // One that calls itself has its cost already.
        if caller != call.1 && seen.insert((caller.clone(), call.clone())) {
            let calls = &mut functions.entry(caller).or_default().calls;
            calls.entry(call).or_default()[event] += value;
        }
    }
}

fn function(frame: &Frame) -> Function {
    let text = |text: Option<&str>| match text.map(word) {
        Some(text) if !text.is_empty() => text,
        _ => "???".to_owned(),
    };
    Function {
        object: text(frame.module.as_deref()),
        file: text(frame.file.as_deref()),
        name: text(Some(&frame.full)),
    }
}

fn line(frame: &Frame) -> u32 {
    frame.line.unwrap_or(0)
}

/// On one line; a name that begins with a parenthesis would be a number for a name.
fn word(text: &str) -> String {
    let text = printable(text);
    match text.strip_prefix('(') {
        Some(rest) => format!("[{rest}"),
        None => text,
    }
}

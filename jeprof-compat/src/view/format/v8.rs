//! Stacks as V8's `.heapprofile`, for Chrome's DevTools and the viewers of Node's heap profiles. A pure writer.
//!
//! The format is a tree of calls with the bytes of each. It knows files and lines, but neither modules nor
//! blocks. DevTools counts lines from 0, and wants a number for each node.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::stacks::naming::Frame;
use crate::stacks::{FrameId, NamedProfile};

#[derive(Serialize)]
struct File<'a> {
    head: Node<'a>,
    samples: [u8; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    call_frame: CallFrame<'a>,
    self_size: u64,
    id: u64,
    children: Vec<Node<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame<'a> {
    function_name: &'a str,
    script_id: &'static str,
    url: &'a str,
    line_number: i64,
    column_number: i64,
}

/// A call and what it holds itself, with the calls below it.
#[derive(Default)]
struct Call {
    own: f64,
    below: BTreeMap<FrameId, Call>,
}

/// Writes the stacks of one profile.
pub fn write(profile: &NamedProfile, out: &mut impl Write) -> io::Result<()> {
    let mut root = Call::default();
    for stack in profile.stacks.iter().filter(|stack| stack.value > 0.0) {
        let mut at = &mut root;
        for frame in stack.frames.iter().rev() {
            at = at.below.entry(*frame).or_default();
        }
        at.own += stack.value;
    }
    let mut next = 0;
    let head = node(profile, None, &root, &mut next);
    serde_json::to_writer(&mut *out, &File { head, samples: [] })?;
    writeln!(out)
}

fn node<'a>(
    profile: &'a NamedProfile,
    frame: Option<FrameId>,
    call: &Call,
    next: &mut u64,
) -> Node<'a> {
    *next += 1;
    let id = *next;
    let below = call.below.iter();
    Node {
        call_frame: call_frame(frame.map(|id| profile.frame(id))),
        self_size: call.own.round() as u64,
        id,
        children: below
            .map(|(frame, call)| node(profile, Some(*frame), call, next))
            .collect(),
    }
}

fn call_frame(frame: Option<&Frame>) -> CallFrame<'_> {
    let line = frame.and_then(|frame| frame.line);
    CallFrame {
        function_name: frame.map_or("(root)", |frame| &frame.full),
        script_id: "0",
        url: frame
            .and_then(|frame| frame.file.as_deref())
            .unwrap_or_default(),
        line_number: line.map_or(-1, |line| i64::from(line) - 1),
        column_number: -1,
    }
}

//! V8's `.heapprofile`: JSON with a tree of calls, the sampled bytes at each. Node writes it with
//! `--heap-prof`, DevTools as an "allocation sampling" profile.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::assembly::{Assembly, too_big};
use crate::profile::bounds;
use crate::profile::model::{Language, Line, LocationId, Profile, Sample, Values};

/// Deeper files are hostile: V8's own stack ends long before.
const DEEPEST: usize = 20_000;

/// Nodes and samples together have fewer brackets in any real file: 20,000 calls have 60,000.
const MOST_BRACKETS: usize = 8 << 20;

/// Room for as many calls of the reader.
const READERS_STACK: usize = 512 << 20;

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    head: Node<'a>,
    #[serde(default)]
    samples: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    #[serde(borrow)]
    call_frame: CallFrame<'a>,
    #[serde(default)]
    self_size: f64,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    children: Vec<Node<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame<'a> {
    #[serde(default, borrow)]
    function_name: Cow<'a, str>,
    #[serde(default, borrow)]
    url: Cow<'a, str>,
    #[serde(default)]
    line_number: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    #[serde(default)]
    node_id: u64,
}

/// Reads a whole file.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    let (depth, brackets) = brackets(bytes);
    if depth > DEEPEST {
        bail!("{name}: nested deeper than {DEEPEST}");
    }
    if brackets > MOST_BRACKETS {
        bail!("{name}: larger than any profile of V8");
    }
    let read = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(READERS_STACK);
        let thread = reader.spawn_scoped(scope, || samples(bytes))?;
        thread.join().unwrap_or_else(|_| bail!("cannot be read"))
    });
    let (profile, full) = read.with_context(|| name.to_owned())?;
    if profile.samples.is_empty() {
        bail!("{name}: no memory is in it");
    }
    let full = full.map(|call| too_big(format_args!("{name}: call {call}")));
    Ok((profile, full.into_iter().collect()))
}

/// The profile, and the number of the call at which there was no room for more.
fn samples(bytes: &[u8]) -> Result<(Profile, Option<usize>)> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    reader.disable_recursion_limit();
    let file = File::deserialize(&mut reader)?;
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for block in &file.samples {
        *counts.entry(block.node_id).or_default() += 1;
    }
    let mut walk = Walk {
        counts,
        path: Vec::new(),
        calls: 0,
        out: Assembly::default(),
    };
    walk.node(&file.head);
    let full = walk.out.is_full().then_some(walk.calls);
    Ok((walk.out.finish(), full))
}

/// What is known on the way through the tree.
struct Walk {
    /// Blocks by the call that allocated them.
    counts: HashMap<u64, u64>,
    path: Vec<LocationId>,
    calls: usize,
    out: Assembly,
}

impl Walk {
    fn node(&mut self, node: &Node<'_>) {
        if self.out.is_full() {
            return;
        }
        self.calls += 1;
        let is_root = self.path.is_empty() && node.call_frame.function_name == "(root)";
        if !is_root {
            self.path.push(self.out.named(line(&node.call_frame)));
        }
        if node.self_size > 0.0 {
            self.out.push(Sample {
                stack: self.path.iter().rev().copied().collect(),
                values: Values {
                    inuse_objects: self.counts.get(&node.id).copied().unwrap_or(0) as f64,
                    inuse_space: node.self_size,
                    ..Values::default()
                },
                ..Sample::default()
            });
        }
        for child in &node.children {
            self.node(child);
        }
        if !is_root {
            self.path.pop();
        }
    }
}

fn line(frame: &CallFrame<'_>) -> Line {
    let name = match &*frame.function_name {
        "" => "(anonymous)",
        name => name,
    };
    Line {
        function: bounds::name(name),
        file: Some(bounds::name(&frame.url)).filter(|url| !url.is_empty()),
        // V8 counts from 0, and -1 is no line.
        line: u32::try_from(frame.line_number + 1).ok().filter(|l| *l > 0),
        language: Some(Language::JavaScript),
        ..Line::default()
    }
}

/// How deep brackets are nested and how many there are, those in strings left out.
fn brackets(bytes: &[u8]) -> (usize, usize) {
    let mut count = 0;
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                count += 1;
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (deepest, count)
}

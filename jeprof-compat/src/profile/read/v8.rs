//! V8's `.heapprofile`: JSON with a tree of calls, the sampled bytes at each. Node writes it with
//! `--heap-prof`, DevTools as an "allocation sampling" profile.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::assembly::Assembly;
use crate::profile::model::{Language, Line, LocationId, Profile, Sample, Values};

/// Deeper files are hostile: V8's own stack ends long before.
const DEEPEST: usize = 20_000;

/// Room for as many calls of the reader.
const READERS_STACK: usize = 512 << 20;

#[derive(Deserialize)]
struct File {
    head: Node,
    #[serde(default)]
    samples: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    call_frame: CallFrame,
    #[serde(default)]
    self_size: f64,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    children: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame {
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    url: String,
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
    if depth(bytes) > DEEPEST {
        bail!("{name}: nested deeper than {DEEPEST}");
    }
    let read = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(READERS_STACK);
        let thread = reader.spawn_scoped(scope, || samples(bytes))?;
        thread.join().unwrap_or_else(|_| bail!("cannot be read"))
    });
    let profile = read.with_context(|| name.to_owned())?;
    if profile.samples.is_empty() {
        bail!("{name}: no memory is in it");
    }
    Ok((profile, Vec::new()))
}

fn samples(bytes: &[u8]) -> Result<Profile> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    reader.disable_recursion_limit();
    let file = File::deserialize(&mut reader)?;
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for block in &file.samples {
        *counts.entry(block.node_id).or_default() += 1;
    }
    let mut out = Assembly::default();
    walk(&file.head, &mut Vec::new(), &counts, &mut out);
    Ok(out.finish())
}

fn walk(node: &Node, path: &mut Vec<LocationId>, counts: &HashMap<u64, u64>, out: &mut Assembly) {
    let is_root = path.is_empty() && node.call_frame.function_name == "(root)";
    if !is_root {
        path.push(out.named(line(&node.call_frame)));
    }
    if node.self_size > 0.0 {
        let stack = path.iter().rev().copied().collect();
        out.push(Sample {
            stack,
            values: Values {
                inuse_objects: counts.get(&node.id).copied().unwrap_or(0) as f64,
                inuse_space: node.self_size,
                ..Values::default()
            },
            ..Sample::default()
        });
    }
    for child in &node.children {
        walk(child, path, counts, out);
    }
    if !is_root {
        path.pop();
    }
}

fn line(frame: &CallFrame) -> Line {
    let name = match frame.function_name.as_str() {
        "" => "(anonymous)",
        name => name,
    };
    Line {
        function: name.to_owned(),
        file: Some(frame.url.clone()).filter(|url| !url.is_empty()),
        // V8 counts from 0, and -1 is no line.
        line: u32::try_from(frame.line_number + 1).ok().filter(|l| *l > 0),
        language: Some(Language::JavaScript),
        ..Line::default()
    }
}

/// How deep brackets are nested, those in strings left out.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

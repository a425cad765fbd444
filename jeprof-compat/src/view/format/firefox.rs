//! Stacks for the Firefox Profiler, which opens the file in a browser. A pure writer. The format: the "processed
//! profile format" of github.com/firefox-devtools/profiler, version 60; its newer versions read the older ones.
//!
//! Bytes and blocks are a thread each, as those of DHAT are there, at one moment. The crate
//! `fxprof-processed-profile` has neither files and lines for names that are known nor weights above 2 GiB.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::stacks::NamedProfile;
use crate::stacks::naming::Frame;

/// Of the tables below.
const VERSION: u32 = 60;

/// A resource that is a library.
const LIBRARY: u32 = 1;

/// Writes the same stacks by several values; `name` is what the file is about.
pub fn write(profiles: &[NamedProfile], name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut shared = Shared::default();
    let threads: Vec<Value> = profiles
        .iter()
        .zip(0..)
        .map(|(profile, tid)| thread(profile, tid, &mut shared))
        .collect();
    let file = json!({
        "meta": meta(name),
        "libs": [],
        "shared": shared.tables(),
        "threads": threads,
        "counters": [],
    });
    serde_json::to_writer(&mut *out, &file)?;
    writeln!(out)
}

/// Nothing of the moment of writing: the same dump gives the same bytes.
fn meta(name: &str) -> Value {
    json!({
        "product": name,
        "importedFrom": concat!("malloscope ", env!("CARGO_PKG_VERSION")),
        "interval": 1,
        "startTime": 0,
        "processType": 0,
        "stackwalk": 1,
        "debug": false,
        "version": 24,
        "preprocessedProfileVersion": VERSION,
        "symbolicated": true,
        "categories": [{ "name": "Other", "color": "grey", "subcategories": ["Other"] }],
        "markerSchema": [],
    })
}

fn thread<'a>(profile: &'a NamedProfile, tid: u32, shared: &mut Shared<'a>) -> Value {
    let (name, unit) = match profile.value.is_objects() {
        true => ("live blocks", "samples"),
        false => ("live bytes", "bytes"),
    };
    let (mut stacks, mut weights) = (Vec::new(), Vec::new());
    for stack in profile.stacks.iter().filter(|stack| stack.value > 0.0) {
        let root_first = stack.frames.iter().rev();
        let leaf = root_first.fold(None, |caller, id| {
            Some(shared.stack(caller, profile.frame(*id)))
        });
        stacks.push(leaf);
        weights.push(stack.value.round() as u64);
    }
    json!({
        "name": name,
        "isMainThread": true,
        "processType": "default",
        "processStartupTime": 0,
        "processShutdownTime": null,
        "registerTime": 0,
        "unregisterTime": null,
        "pausedRanges": [],
        "pid": "0",
        "tid": tid,
        "samples": {
            "length": stacks.len(),
            "time": vec![0; stacks.len()],
            "stack": stacks,
            "weight": weights,
            "weightType": unit,
        },
        "markers": {
            "length": 0, "data": [], "name": [], "startTime": [], "endTime": [], "phase": [], "category": [],
        },
    })
}

/// What all threads use, each thing once.
#[derive(Default)]
struct Shared<'a> {
    strings: Numbered<&'a str>,
    sources: Numbered<&'a str>,
    modules: Numbered<&'a str>,
    /// By name and home.
    functions: Numbered<(&'a str, &'a str)>,
    frames: Vec<&'a Frame>,
    stacks: Numbered<(Option<usize>, usize)>,
}

/// Things by their number, which is that of their first use.
struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered {
            all: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Numbered<T> {
    fn of(&mut self, thing: T) -> usize {
        let all = &mut self.all;
        *self.numbers.entry(thing).or_insert_with(|| {
            all.push(thing);
            all.len() - 1
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Functions {
    length: usize,
    name: Vec<usize>,
    #[serde(rename = "isJS")]
    is_js: Vec<bool>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Vec<bool>,
    resource: Vec<i64>,
    source: Vec<Option<usize>>,
    line_number: Vec<Option<u32>>,
    column_number: Vec<Option<u32>>,
}

impl<'a> Shared<'a> {
    fn stack(&mut self, caller: Option<usize>, frame: &'a Frame) -> usize {
        let function = self.functions.of((&frame.name, frame.home()));
        if function == self.frames.len() {
            self.frames.push(frame);
        }
        self.stacks.of((caller, function))
    }

    fn functions(&mut self) -> Functions {
        let frames = std::mem::take(&mut self.frames);
        let count = frames.len();
        let resource = |modules: &mut Numbered<&'a str>, frame: &'a Frame| {
            let number = frame.module.as_deref().map(|module| modules.of(module));
            number.map_or(-1, |number| number as i64)
        };
        let functions = Functions {
            length: count,
            name: frames.iter().map(|f| self.strings.of(&f.name)).collect(),
            is_js: vec![false; count],
            relevant_for_js: vec![false; count],
            resource: frames
                .iter()
                .map(|f| resource(&mut self.modules, f))
                .collect(),
            source: frames
                .iter()
                .map(|f| f.file.as_deref().map(|file| self.sources.of(file)))
                .collect(),
            line_number: vec![None; count],
            column_number: vec![None; count],
        };
        self.frames = frames;
        functions
    }

    fn tables(mut self) -> Value {
        let functions = self.functions();
        let count = functions.length;
        let nothing = || vec![Value::Null; count];
        let lines: Vec<Option<u32>> = self.frames.iter().map(|f| f.line).collect();
        let files: Vec<usize> = self
            .sources
            .all
            .iter()
            .map(|f| self.strings.of(f))
            .collect();
        let modules: Vec<usize> = self
            .modules
            .all
            .iter()
            .map(|m| self.strings.of(m))
            .collect();
        let (prefixes, leaves): (Vec<_>, Vec<_>) = self.stacks.all.iter().copied().unzip();
        json!({
            "stringArray": self.strings.all,
            "sources": {
                "length": files.len(), "uuid": vec![Value::Null; files.len()], "filename": files,
            },
            "funcTable": functions,
            "frameTable": {
                "length": count,
                "func": (0..count).collect::<Vec<_>>(),
                "line": lines,
                "address": vec![-1; count],
                "inlineDepth": vec![0; count],
                "category": vec![0; count],
                "subcategory": vec![0; count],
                "nativeSymbol": nothing(),
                "innerWindowID": vec![0; count],
                "column": nothing(),
            },
            "stackTable": { "length": leaves.len(), "frame": leaves, "prefix": prefixes },
            "resourceTable": {
                "length": modules.len(),
                "type": vec![LIBRARY; modules.len()],
                "lib": vec![Value::Null; modules.len()],
                "name": modules,
                "host": vec![Value::Null; modules.len()],
            },
            "nativeSymbols": { "length": 0, "libIndex": [], "address": [], "name": [], "functionSize": [] },
        })
    }
}

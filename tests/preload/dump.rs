//! A second reader of the dumps, for the tests alone.
//!
//! Written from the grammar at the head of `profile-format`, not from that crate's reader, so that
//! a mistake which writer and reader share does not cancel out. It panics on what it does not
//! understand.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One stack and what stands about it.
#[derive(Debug, Default)]
pub struct Stack {
    /// Return addresses, leaf first.
    pub frames: Vec<u64>,
    /// Objects and bytes of the `t*` line: distorted, as other readers expect it.
    pub counts: (u64, u64),
    /// Number of the stack in its process.
    pub id: u64,
    /// Live samples, objects in 1/1000, bytes.
    pub live: (u64, u64, u64),
    /// Live samples by birth: epoch, samples, bytes at birth.
    pub births: Vec<(u64, u64, u64)>,
    /// Samples ever taken.
    pub samples_ever: u64,
    /// Estimated bytes ever allocated.
    pub bytes_ever: u64,
}

impl Stack {
    /// Whether a frame lies in `range`.
    pub fn passes(&self, range: &std::ops::Range<u64>) -> bool {
        self.frames.iter().any(|pc| range.contains(pc))
    }
}

/// A dump as read.
#[derive(Debug)]
pub struct Dump {
    /// Where it was.
    pub path: PathBuf,
    /// Mean bytes between samples, of the first line.
    pub period: u64,
    /// The facts, by key.
    pub facts: HashMap<String, String>,
    /// The lines of the threads in the head.
    pub threads: Vec<String>,
    /// All stacks, those without live bytes included.
    pub stacks: Vec<Stack>,
    /// Live samples: address, size, number of the stack.
    pub live: Vec<(u64, u64, u64)>,
    /// Class, method, file and line of the managed frames, by pseudo-address.
    pub managed: HashMap<u64, String>,
    /// The lines of the mappings.
    pub maps: Vec<String>,
}

impl Dump {
    /// Reads a whole dump; one that was cut off is a failure.
    #[track_caller]
    pub fn read(path: &Path) -> Dump {
        // Names are bytes: Java's own encoding of some letters is not UTF-8.
        let bytes = fs::read(path).expect("a dump");
        let text = String::from_utf8_lossy(&bytes);
        let (first, rest) = text.split_once('\n').expect("a first line");
        let period = first
            .strip_prefix("heap_v2/")
            .expect("heap_v2")
            .parse()
            .expect("period");
        assert!(rest.starts_with("# malloscope 2\n"), "{}", path.display());
        assert!(text.ends_with("# end\n"), "{} was cut off", path.display());
        let mut dump = Dump {
            path: path.to_owned(),
            period,
            facts: HashMap::new(),
            threads: Vec::new(),
            stacks: Vec::new(),
            live: Vec::new(),
            managed: HashMap::new(),
            maps: Vec::new(),
        };
        let mut in_maps = false;
        let mut open: Option<Stack> = None;
        for line in rest.lines() {
            in_maps |= line == "MAPPED_LIBRARIES:";
            if let Some(frames) = line.strip_prefix('@') {
                open = Some(Stack {
                    frames: addresses(frames),
                    ..Stack::default()
                });
            } else if let Some(counts) = line.strip_prefix("  t*: ") {
                if let Some(stack) = &mut open {
                    stack.counts = pair(counts);
                }
            } else if line.starts_with("  t") && open.is_none() && dump.stacks.is_empty() {
                dump.threads.push(line.to_owned());
            } else if let Some(comment) = line.strip_prefix("# ") {
                dump.comment(comment, &mut open);
            } else if in_maps && !line.is_empty() && !line.starts_with('#') {
                dump.maps.push(line.to_owned());
            }
        }
        dump
    }

    fn comment(&mut self, comment: &str, open: &mut Option<Stack>) {
        let (key, rest) = comment.split_once(' ').unwrap_or((comment, ""));
        match key {
            "stack" => {
                let stack = stack(rest, open.take().unwrap_or_default());
                self.stacks.push(stack);
            }
            "frame" => {
                let mut fields = rest.split('\t');
                let address = hex(fields.next().expect("address"));
                let [_, class, name, file, line] = fields.collect::<Vec<_>>()[..] else {
                    panic!("{rest}")
                };
                let dot = if class.is_empty() { "" } else { "." };
                let named = format!("{class}{dot}{name} {file}:{line}");
                self.managed.insert(address, named);
            }
            "live" => {
                let mut words = rest.split(' ');
                let mut word = || words.next().expect("three words");
                let address = hex(word());
                let size = word().parse().expect("size");
                self.live
                    .push((address, size, word().parse().expect("stack")));
            }
            _ => {
                self.facts.insert(key.to_owned(), rest.to_owned());
            }
        }
    }

    /// A fact that is a number.
    #[track_caller]
    pub fn number(&self, key: &str) -> u64 {
        let value = self
            .facts
            .get(key)
            .unwrap_or_else(|| panic!("no fact {key}"));
        value.parse().unwrap_or_else(|_| panic!("{key} is {value}"))
    }

    /// Live samples taken below a function in `range`: address and size, in order.
    pub fn live_below(&self, range: &std::ops::Range<u64>) -> Vec<(u64, u64)> {
        let stacks: HashMap<u64, bool> = self
            .stacks
            .iter()
            .map(|stack| (stack.id, stack.passes(range)))
            .collect();
        let ours = self.live.iter().filter(|(_, _, stack)| stacks[stack]);
        let mut live: Vec<_> = ours.map(|&(address, size, _)| (address, size)).collect();
        live.sort_unstable();
        live
    }

    /// The managed frames of a stack by name, leaf first.
    pub fn names(&self, stack: &Stack) -> Vec<&str> {
        let named = stack.frames.iter().filter_map(|pc| self.managed.get(pc));
        named.map(String::as_str).collect()
    }

    /// Estimated live bytes of all stacks.
    pub fn live_bytes(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.live.2).sum()
    }
}

fn stack(text: &str, mut stack: Stack) -> Stack {
    let (facts, frames) = text.split_once(" @").unwrap_or((text, ""));
    if !frames.is_empty() {
        stack.frames = addresses(frames);
    }
    let mut words = facts.split(' ');
    stack.id = words
        .next()
        .and_then(|id| id.parse().ok())
        .expect("number of a stack");
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        match key {
            "live" => stack.live = triple(value),
            "births" => stack.births = value.split(',').map(birth).collect(),
            "alloc" => (stack.samples_ever, _, stack.bytes_ever) = triple(value),
            _ => (),
        }
    }
    stack
}

fn birth(text: &str) -> (u64, u64, u64) {
    let numbers = text.split(':').map(|n| n.parse().expect("a number"));
    let [epoch, samples, bytes, _squares] = numbers.collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    (epoch, samples, bytes)
}

fn triple(text: &str) -> (u64, u64, u64) {
    let parts: Vec<_> = text.split(':').collect();
    let [samples, objects, bytes] = parts[..] else {
        panic!("{text}")
    };
    let milli = objects.parse::<f64>().expect("objects") * 1000.0;
    (
        samples.parse().expect("samples"),
        milli.round() as u64,
        bytes.parse().expect("bytes"),
    )
}

fn pair(text: &str) -> (u64, u64) {
    let (objects, rest) = text.split_once(": ").expect("counts");
    let bytes = rest.split(' ').next().expect("bytes");
    (
        objects.parse().expect("objects"),
        bytes.parse().expect("bytes"),
    )
}

fn addresses(text: &str) -> Vec<u64> {
    text.split_whitespace().map(hex).collect()
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("an address")
}

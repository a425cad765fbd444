//! What a dump says, by our own reader, whose lines must all be whole. Used by the tests here.

use std::collections::BTreeMap;

use profile_format::escape::Text;
use profile_format::heap_v2::{Counts, Event, Reader, StackLine};
use profile_format::unbias::Sampling;

/// A whole dump.
#[derive(Debug, Default)]
pub struct Seen {
    /// What the header says.
    pub period: u64,
    /// The facts by key.
    pub facts: BTreeMap<String, String>,
    /// Width and number.
    pub epochs: (u64, u64),
    /// Names by number.
    pub threads: BTreeMap<u64, String>,
    /// Stacks by number.
    pub stacks: BTreeMap<u64, Stack>,
    /// Address, size and stack of the live samples.
    pub live: Vec<(u64, u64, u64)>,
    /// The names behind the pseudo-addresses.
    pub managed: BTreeMap<u64, String>,
    /// Path and build id.
    pub build_ids: Vec<(String, String)>,
    /// How many areas are mapped.
    pub mappings: usize,
}

/// A stack.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Stack {
    /// Leaf first.
    pub frames: Vec<u64>,
    /// It stands in an `@` block, where other readers see it.
    pub block: bool,
    /// Live bytes as other readers find them.
    pub scaled: f64,
    /// Bytes ever, as other readers find them.
    pub scaled_ever: f64,
    /// Threads that own samples.
    pub threads: Vec<u64>,
    /// Live samples.
    pub samples: u64,
    /// Live bytes.
    pub bytes: u64,
    /// Bytes ever.
    pub bytes_ever: u64,
    /// Of the live bytes.
    pub variance: u128,
    /// Smallest and largest.
    pub sizes: Option<(u64, u64)>,
    /// Live samples of all epochs.
    pub births: u64,
    /// What they stood for when they were born.
    pub born_bytes: u64,
    /// Freed samples of all lifetimes.
    pub freed: u64,
}

impl Seen {
    /// Reads `file`.
    pub fn of(file: &[u8]) -> Seen {
        let reader = Reader::new(file).expect("a header");
        let sampling = reader.header().sampling;
        let mut seen = Seen::default();
        if let Sampling::Poisson(period) = sampling {
            seen.period = period;
        }
        let mut open = None;
        for event in reader {
            seen.event(event.expect("a line"), sampling, &mut open);
        }
        seen
    }

    fn event(&mut self, event: Event<'_>, sampling: Sampling, open: &mut Option<Stack>) {
        match event {
            Event::Version(version) => assert_eq!(version, 2),
            Event::Fact { key, value } => {
                self.facts.insert(key.to_owned(), string(value));
            }
            Event::Epochs { width_ms, count } => self.epochs = (width_ms, count),
            Event::Stack(frames) => {
                let (frames, block) = (frames.collect(), true);
                *open = Some(Stack {
                    frames,
                    block,
                    ..Stack::default()
                });
            }
            Event::Counts {
                thread,
                counts,
                name,
            } => match (open, thread) {
                (Some(stack), thread) => stack.count(thread, counts, sampling),
                (None, Some(uid)) => {
                    self.threads.insert(uid, string(name));
                }
                (None, None) => {}
            },
            Event::StackFacts(line) => {
                let last = line.births.last().map_or(0, |part| part.place);
                assert!(last < self.epochs.1);
                let stack = match line.frames {
                    Some(frames) => Stack {
                        frames: frames.collect(),
                        ..Stack::default()
                    },
                    None => open.take().expect("a stack"),
                };
                self.stacks.insert(line.id, stack.with(&line));
            }
            Event::Live {
                address,
                size,
                stack,
            } => self.live.push((address, size, stack)),
            Event::BuildId(id) => self.build_ids.push((string(id.path), id.hex.to_owned())),
            Event::Frame(frame) => {
                let (kind, class) = (string(frame.kind), string(frame.class));
                let (name, file) = (string(frame.name), string(frame.file));
                let named = format!("{kind} {class} {name} {file} {}", frame.line);
                self.managed.insert(frame.address, named);
            }
            Event::Mapping(_) => self.mappings += 1,
            _ => {}
        }
    }
}

impl Stack {
    fn count(&mut self, thread: Option<u64>, counts: Counts, sampling: Sampling) {
        if let Some(uid) = thread {
            return self.threads.push(uid);
        }
        let ever = (counts.accumulated_objects, counts.accumulated_bytes);
        self.scaled = sampling.scale(counts.objects, counts.bytes).1;
        self.scaled_ever = sampling.scale(ever.0, ever.1).1;
    }

    fn with(self, line: &StackLine<'_>) -> Stack {
        Stack {
            samples: line.live.samples,
            bytes: line.live.bytes,
            bytes_ever: line.accumulated.bytes,
            variance: line.variance,
            sizes: line.sizes,
            births: line.births.map(|part| part.samples).sum(),
            born_bytes: line.births.filter_map(|part| part.bytes).sum(),
            freed: line.lifetimes.map(|part| part.samples).sum(),
            ..self
        }
    }
}

fn string(text: Text<'_>) -> String {
    String::from_utf8(text.bytes().collect()).expect("UTF-8")
}

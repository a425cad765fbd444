//! The `heap_v2` text in its threaded and its one-line layout, jemalloc's and our own. The grammar is
//! `profile-format`'s.
//!
//! Counts become estimates here. Where our own lines state the true sums those are taken, since
//! the counts are only integers from which other readers find the same bytes.

use anyhow::{Result, anyhow, bail};
use profile_format::escape::Text;
use profile_format::heap_v2::{
    Counts, Event, Frames, ManagedFrame, PSEUDO_FRAMES, ParseError, Problem, Reader, StackLine,
};
use profile_format::unbias::Sampling;

use super::assembly::{Assembly, names_left_out, too_big};
use super::clojure;
use super::losses::losses;
use super::{facts, go, missing};
use crate::profile::bounds::{self, DEEPEST};
use crate::profile::model::{Language, Line, Profile, Sample, Values};

/// Reads a whole file that errors and warnings call `name`; `before` lines stand before these bytes in it.
pub fn parse(bytes: &[u8], name: &str, before: usize) -> Result<(Profile, Vec<String>)> {
    let mut reader = Reader::new(bytes).map_err(|e| anyhow!("{name}: {}", moved(e, before)))?;
    let header = reader.header();
    let mut text = HeapText::new(header.sampling);
    while let Some(event) = reader.next() {
        text.out.count_record();
        match event {
            Ok(event) => text.event(event),
            Err(error) => text.trouble(moved(error, before)),
        }
        if text.out.is_full() {
            let line = before + reader.line();
            text.warnings.push(too_big(format_args!("line {line}")));
            break;
        }
    }
    if header.one_line {
        let left = go::names(bytes, &mut text.out);
        text.warnings
            .extend(left.map(|line| names_left_out(before + line)));
    }
    text.finish(name)
}

fn moved(error: ParseError, lines: usize) -> ParseError {
    ParseError {
        line: error.line + lines,
        ..error
    }
}

/// The addresses of a stack in hexadecimal, as all texts of this family write them; of one that is too deep to be
/// kept so many that it is seen to be.
pub fn frames(text: &[u8]) -> Option<Vec<u64>> {
    Some(Frames::parse(text)?.take(DEEPEST + 1).collect())
}

struct HeapText {
    sampling: Sampling,
    out: Assembly,
    /// The stack whose counts are being read.
    open: Option<Sample>,
    /// What its threads hold: most stacks have one, and a list that grows takes room for four.
    threads: Vec<(u64, Values)>,
    /// They were read already.
    counted: bool,
    /// Counts before the first stack are those of the whole process.
    in_head: bool,
    /// Our own lines are in the file, so pseudo-addresses are what they seem.
    ours: bool,
    /// The version of these lines.
    version: u64,
    warnings: Vec<String>,
    troubles: Vec<ParseError>,
}

impl HeapText {
    fn new(sampling: Sampling) -> HeapText {
        let mut out = Assembly::default();
        out.profile.period = match sampling {
            Sampling::None => 0,
            Sampling::Poisson(period) => period,
            Sampling::Linear(period) => period as u64,
        };
        HeapText {
            sampling,
            out,
            open: None,
            threads: Vec::new(),
            counted: false,
            in_head: true,
            ours: false,
            version: 0,
            warnings: Vec::new(),
            troubles: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        let profile = &mut self.out.profile;
        match event {
            Event::Percent(text) => self.percent(&string(text)),
            Event::Version(version) => self.version(version),
            Event::Fact { key, value } => {
                profile
                    .process
                    .entries
                    .push((key.to_owned(), string(value)));
            }
            Event::Epochs { width_ms, count } => profile.process.epochs = Some((width_ms, count)),
            Event::Stack(frames) => self.stack(frames),
            Event::Counts {
                thread,
                counts,
                name,
            } => self.counts(thread, counts, name),
            Event::StackFacts(line) => self.stack_facts(&line),
            Event::Frame(frame) => self.out.name_managed(frame.address, managed_line(&frame)),
            Event::BuildId(id) => self.out.build_id(id.start, id.hex, &string(id.path)),
            Event::Mapping(line) => self.out.map(&line),
            Event::Folder { name, folder } => self.out.folder(name, folder),
            Event::KindFact { kind, key, value } => {
                let fact = (key.to_owned(), string(value));
                self.out.kind(string(kind)).facts.push(fact);
            }
            Event::KindStack { kind, line } => self.kind_stack(string(kind), &line),
            Event::Live { .. } | Event::End => {}
        }
    }

    /// gperftools puts `%` lines before the header; `jeprof` shows them like this.
    fn percent(&mut self, text: &str) {
        self.warnings.push(match text.strip_prefix("warn") {
            Some(warning) => format!("WARNING: {}", warning.trim()),
            None => format!("Ignoring unknown command from profile header: %{text}"),
        });
    }

    fn version(&mut self, version: u64) {
        self.ours = true;
        self.version = version;
        self.out.profile.leaf_is_hook = true;
        let known = profile_format::heap_v2::VERSION;
        if version > known {
            self.warnings.push(format!(
                "the dump is of version {version}, this program knows version {known}"
            ));
        }
    }

    fn stack(&mut self, frames: Frames<'_>) {
        self.close();
        self.in_head = false;
        self.open = Some(self.sample(frames));
    }

    fn sample(&mut self, frames: Frames<'_>) -> Sample {
        let frames: Vec<u64> = frames.take(DEEPEST + 1).collect();
        let ours = self.ours;
        let is_managed = |address| ours && (PSEUDO_FRAMES..1 << 63).contains(&address);
        Sample {
            stack: self.out.stack(&frames, is_managed),
            ..Sample::default()
        }
    }

    fn counts(&mut self, thread: Option<u64>, counts: Counts, name: Text<'_>) {
        let values = self.values(counts);
        self.counted |= thread.is_none();
        match (&mut self.open, thread) {
            (Some(sample), None) => sample.values += values,
            (Some(_), Some(uid)) => self.threads.push((uid, values)),
            (None, Some(uid)) if self.in_head && !name.is_empty() => {
                self.out.profile.threads.push((uid, string(name)));
            }
            (None, _) => {}
        }
    }

    fn values(&self, counts: Counts) -> Values {
        let (inuse_objects, inuse_space) = self.sampling.scale(counts.objects, counts.bytes);
        let (alloc_objects, alloc_space) = self
            .sampling
            .scale(counts.accumulated_objects, counts.accumulated_bytes);
        Values {
            inuse_objects,
            inuse_space,
            alloc_objects,
            alloc_space,
        }
    }

    fn stack_facts(&mut self, line: &StackLine<'_>) {
        if let Some(frames) = line.frames {
            self.close();
            self.open = Some(self.sample(frames));
        }
        let Some(sample) = &mut self.open else {
            return;
        };
        facts::describe(sample, line, self.version);
        self.counted = true;
        if line.frames.is_some() {
            self.close();
        }
    }

    /// It stands for itself: the stack of malloc before it may still go on.
    fn kind_stack(&mut self, kind: String, line: &StackLine<'_>) {
        let mut sample = self.sample(line.frames.unwrap_or_default());
        facts::describe(&mut sample, line, self.version);
        self.out.push_kind(kind, sample);
    }

    /// A line that cannot be read ends its stack: what follows may belong to another one.
    fn trouble(&mut self, error: ParseError) {
        self.close();
        self.troubles.push(error);
    }

    /// A stack whose counts never came is not one of nothing, it is one that was lost.
    fn close(&mut self) {
        let counted = std::mem::take(&mut self.counted);
        let threads = self.threads.drain(..).collect();
        if let Some(sample) = self.open.take().filter(|_| counted) {
            self.out.push(Sample { threads, ..sample });
        }
    }

    fn finish(mut self, name: &str) -> Result<(Profile, Vec<String>)> {
        self.close();
        let mut profile = self.out.finish();
        profile.cut_off = self.troubles.iter().any(is_cut);
        if let Some(first) = self.troubles.first() {
            if profile.samples.is_empty() && profile.other_kinds.is_empty() {
                bail!("{name}: {first}");
            }
            self.warnings.push(spoiled(&self.troubles));
        }
        self.warnings.extend(losses(&profile.process));
        self.warnings.extend(missing::stacks(&profile));
        self.warnings.extend(missing::memory(&profile));
        let warnings = self.warnings.into_iter().map(|w| format!("{name}: {w}"));
        Ok((profile, warnings.collect()))
    }
}

fn is_cut(error: &ParseError) -> bool {
    matches!(error.problem, Problem::CutOff(_))
}

/// One line for all that could not be read; that the file was cut off goes before the rest.
fn spoiled(troubles: &[ParseError]) -> String {
    let cut = troubles.iter().rfind(|error| is_cut(error));
    let shown = cut.or(troubles.first());
    let shown = shown.map_or_else(String::new, ParseError::to_string);
    match troubles.len().saturating_sub(1) {
        0 => format!("{shown}; the rest is read"),
        1 => format!("{shown}, and 1 more line; the rest is read"),
        more => format!("{shown}, and {more} more lines; the rest is read"),
    }
}

fn string(text: Text<'_>) -> String {
    let bytes: Vec<u8> = text.bytes().collect();
    bounds::name(&String::from_utf8_lossy(&bytes))
}

/// `java.util.zip.Deflater.init`; Ruby writes `Zlib::Deflate#deflate`.
fn managed_line(frame: &ManagedFrame<'_>) -> Line {
    let (kind, class, name) = (string(frame.kind), string(frame.class), string(frame.name));
    let is_class = name.is_empty();
    let function = match (class.is_empty(), name.is_empty(), kind.as_str()) {
        (true, _, _) => name,
        // What was allocated, not the allocating function: a class alone.
        (false, true, _) => class,
        // A method of the class itself: the class ends with a dot.
        (false, false, "ruby") if class.ends_with('.') => format!("{class}{name}"),
        (false, false, "ruby") => format!("{class}#{name}"),
        (false, false, _) => format!("{class}.{name}"),
    };
    Line {
        short: clojure::function(
            &string(frame.class),
            &string(frame.name),
            &string(frame.file),
        ),
        function,
        file: Some(string(frame.file)).filter(|f| !f.is_empty()),
        line: u32::try_from(frame.line).ok().filter(|&l| l != 0),
        is_class,
        is_cut: kind == "cut",
        language: Language::from_key(&kind),
        ..Line::default()
    }
}

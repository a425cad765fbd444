//! Whatever the writer is given, in whatever order, the reader finds.

use profile_format::escape::Text;
use profile_format::heap_v2::{
    Counts, Estimate, Event, ManagedFrame, Part, Parts, Reader, StackFacts, StackLine, Weighed,
    Writer,
};
use profile_format::unbias::Sampling;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::sample::Bytes;

type Raw = Vec<u8>;

/// One line, owning what it says.
#[derive(Clone, Debug, PartialEq)]
enum Line {
    Fact(&'static str, Raw),
    Words(Vec<Raw>),
    Number(&'static str, u64),
    Counter(&'static str, u64),
    Epochs(u64, u64),
    Counts(Option<u64>, Counts, Raw),
    Stack(Vec<u64>),
    Facts(Box<Facts>),
    Frame(u64, [Raw; 4], u64),
    Live(u64, u64, u64),
    BuildId(u64, Raw, Raw),
    KindFact(&'static str, &'static str, Raw),
    KindStack(&'static str, Box<Facts>),
}

#[derive(Clone, Debug, PartialEq)]
struct Facts {
    id: u64,
    live: Estimate,
    variance: u128,
    accumulated: Estimate,
    sizes: Option<(u64, u64)>,
    births: Vec<Weighed>,
    lifetimes: Vec<Weighed>,
    frames: Option<Vec<u64>>,
}

/// Text as hosts have it: any bytes, often those that mean something in a line.
fn text() -> impl Strategy<Value = Raw> {
    let spiteful = prop::sample::select(b" \t\n\r%#@:[]=0a\0\x7f\xff".to_vec());
    vec(prop_oneof![any::<u8>(), spiteful], 0..12)
}

fn word() -> impl Strategy<Value = Raw> {
    text().prop_filter("a word is not empty", |word| !word.is_empty())
}

/// Numbers of all lengths, not only long ones.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

fn counts() -> impl Strategy<Value = Counts> {
    [number(), number(), number(), number()].prop_map(
        |[objects, bytes, accumulated_objects, accumulated_bytes]| Counts {
            objects,
            bytes,
            accumulated_objects,
            accumulated_bytes,
        },
    )
}

fn estimate() -> impl Strategy<Value = Estimate> {
    [number(), number(), number()].prop_map(|[samples, objects_milli, bytes]| Estimate {
        samples,
        objects_milli,
        bytes,
    })
}

fn weighed() -> impl Strategy<Value = Weighed> {
    let few = prop_oneof![Just(0u64), number()];
    (few, number(), any::<u128>()).prop_map(|(samples, bytes, squares)| Weighed {
        samples,
        bytes,
        squares,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let births = vec(weighed(), 0..33);
    let lifetimes = vec(weighed(), 0..130);
    let frames = option::of(vec(any::<u64>(), 0..5));
    let sizes = option::of((number(), number()));
    (
        (number(), estimate(), any::<u128>(), estimate()),
        (sizes, births, lifetimes, frames),
    )
        .prop_map(|(numbers, lists)| {
            let (id, live, variance, accumulated) = numbers;
            let (sizes, births, lifetimes, frames) = lists;
            Facts {
                id,
                live,
                variance,
                accumulated,
                sizes,
                births,
                lifetimes,
                frames,
            }
        })
}

fn line() -> impl Strategy<Value = Line> {
    let key = || prop::sample::select(vec!["host", "x", "rss_bytes", "ended"]);
    let kind = || prop::sample::select(vec!["java_heap", "mmap", "a b%", "\u{e9}\n"]);
    prop_oneof![
        (key(), text()).prop_map(|(key, text)| Line::Fact(key, text)),
        vec(word(), 0..4).prop_map(Line::Words),
        (key(), number()).prop_map(|(key, number)| Line::Number(key, number)),
        (key(), number()).prop_map(|(key, number)| Line::Counter(key, number)),
        (1..u64::MAX, number()).prop_map(|(width, count)| Line::Epochs(width, count)),
        counts().prop_map(|counts| Line::Counts(None, counts, Raw::new())),
        (number(), counts(), text()).prop_map(|(t, c, name)| Line::Counts(Some(t), c, name)),
        vec(any::<u64>(), 0..40).prop_map(Line::Stack),
        facts().prop_map(|facts| Line::Facts(Box::new(facts))),
        (number(), [text(), text(), text(), text()], number())
            .prop_map(|(address, texts, line)| Line::Frame(address, texts, line)),
        (number(), number(), number()).prop_map(|(a, s, id)| Line::Live(a, s, id)),
        (number(), vec(any::<u8>(), 1..21), text()).prop_map(|(s, id, p)| Line::BuildId(s, id, p)),
        (kind(), key(), text()).prop_map(|(kind, key, text)| Line::KindFact(kind, key, text)),
        (kind(), facts()).prop_map(|(kind, mut facts)| {
            facts.frames.get_or_insert_default();
            Line::KindStack(kind, Box::new(facts))
        }),
    ]
}

fn write(out: &mut Writer<Bytes>, line: &Line) {
    let Ok(()) = match line {
        Line::Fact(key, text) => out.fact(key, text),
        Line::Words(words) => out.words("command", words.iter().map(Vec::as_slice)),
        Line::Number(key, number) => out.number(key, *number),
        Line::Counter(key, number) => out.counter(key, *number),
        Line::Epochs(width, count) => out.epochs(*width, *count),
        Line::Counts(None, counts, _) => out.total(*counts),
        Line::Counts(Some(uid), counts, name) => out.thread(*uid, *counts, name),
        Line::Stack(frames) => out.stack(frames),
        Line::Facts(facts) => {
            let freed = facts.lifetimes.iter().copied().enumerate();
            out.stack_facts(&facts.line(), freed, facts.frames.as_deref())
        }
        Line::Frame(address, [kind, class, name, file], line) => out.frame(&ManagedFrame {
            address: *address,
            kind: Text::plain(kind),
            class: Text::plain(class),
            name: Text::plain(name),
            file: Text::plain(file),
            line: *line,
        }),
        Line::Live(address, size, stack) => out.live(*address, *size, *stack),
        Line::BuildId(start, id, path) => out.build_id(*start, id, path),
        Line::KindFact(kind, key, text) => out.kind_fact(kind, key, text),
        Line::KindStack(kind, facts) => {
            let frames = facts.frames.as_deref().unwrap_or_default();
            let freed = facts.lifetimes.iter().copied().enumerate();
            out.kind_stack(kind, &facts.line(), freed, frames)
        }
    };
}

impl Facts {
    fn line(&self) -> StackFacts<'_> {
        StackFacts {
            id: self.id,
            live: self.live,
            variance: self.variance,
            accumulated: self.accumulated,
            sizes: self.sizes,
            births: &self.births,
        }
    }
}

/// Holds what was read against what was written.
fn check(written: &Line, read: &Event<'_>) {
    let fact = |key: &str, text: &[u8]| {
        let Event::Fact { key: found, value } = read else {
            panic!("{read:?} for {written:?}");
        };
        assert_eq!((key, text), (*found, &*bytes(*value)));
    };
    match (written, read) {
        (Line::Fact(key, text), _) => fact(key, text),
        (Line::Words(words), _) => fact("command", &words.join(&b' ')),
        (Line::Number(key, number), _) => fact(key, number.to_string().as_bytes()),
        (Line::Counter(key, number), _) => {
            fact(&format!("counter_{key}"), number.to_string().as_bytes());
        }
        (Line::Epochs(width, epochs), Event::Epochs { width_ms, count }) => {
            assert_eq!((width, epochs), (width_ms, count));
        }
        (Line::Stack(frames), Event::Stack(found)) => {
            assert_eq!(frames, &found.collect::<Vec<_>>());
        }
        (Line::Facts(facts), Event::StackFacts(line)) => check_facts(facts, line),
        (
            Line::KindFact(name, key, text),
            Event::KindFact {
                kind,
                key: k,
                value,
            },
        ) => {
            assert_eq!(
                (name.as_bytes(), key, text),
                (&*bytes(*kind), k, &bytes(*value))
            );
        }
        (Line::KindStack(name, facts), Event::KindStack { kind, line }) => {
            assert_eq!(name.as_bytes(), bytes(*kind));
            check_facts(facts, line);
        }
        _ => assert_eq!(Some(written), simple(read).as_ref()),
    }
}

/// Lines that come back as they went out.
fn simple(event: &Event<'_>) -> Option<Line> {
    Some(match event {
        Event::Counts {
            thread,
            counts,
            name,
        } => Line::Counts(*thread, *counts, bytes(*name)),
        Event::Frame(frame) => {
            let texts = [frame.kind, frame.class, frame.name, frame.file];
            Line::Frame(frame.address, texts.map(bytes), frame.line)
        }
        Event::Live {
            address,
            size,
            stack,
        } => Line::Live(*address, *size, *stack),
        Event::BuildId(id) => {
            let digits = id.hex.as_bytes().chunks(2);
            let pair = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            Line::BuildId(
                id.start,
                digits.map(pair).collect::<Option<_>>()?,
                bytes(id.path),
            )
        }
        _ => return None,
    })
}

fn check_facts(facts: &Facts, line: &StackLine<'_>) {
    assert_eq!(
        (facts.id, facts.live, facts.accumulated, facts.sizes),
        (line.id, line.live, line.accumulated, line.sizes)
    );
    let has_error = facts.live.samples != 0;
    assert_eq!(if has_error { facts.variance } else { 0 }, line.variance);
    check_parts(&facts.births, line.births);
    check_parts(&facts.lifetimes, line.lifetimes);
    assert_eq!(facts.frames, line.frames.map(Iterator::collect));
}

/// Places without a sample are left out.
fn check_parts(written: &[Weighed], read: Parts<'_>) {
    let some = (0..).zip(written).filter(|(_, part)| part.samples != 0);
    let parts = some.map(|(place, part)| Part {
        place,
        samples: part.samples,
        bytes: Some(part.bytes),
        squares: Some(part.squares),
    });
    assert!(parts.eq(read));
}

fn bytes(text: Text<'_>) -> Vec<u8> {
    text.bytes().collect()
}

proptest! {
    #[test]
    fn every_line_comes_back(period: u64, lines in vec(line(), 0..30)) {
        let Ok(mut out) = Writer::new(Bytes::default(), period);
        for line in &lines {
            write(&mut out, line);
        }
        let Ok(()) = out.begin_maps();
        let Ok(()) = out.raw(b"10-20 r-xp 00000000 00:00 0 /a\n");
        let Ok(Bytes(file)) = out.finish();

        let mut reader = Reader::new(&file).unwrap();
        prop_assert_eq!(reader.header().sampling, Sampling::Poisson(period));
        prop_assert!(matches!(reader.next(), Some(Ok(Event::Version(2)))));
        for line in &lines {
            check(line, &reader.next().unwrap().unwrap());
        }
        prop_assert!(matches!(reader.next(), Some(Ok(Event::Mapping(_)))));
        prop_assert!(matches!(reader.next(), Some(Ok(Event::End))));
        prop_assert!(reader.next().is_none());
    }
}

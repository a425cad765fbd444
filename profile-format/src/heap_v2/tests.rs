//! What the writer writes, the reader reads; and what others write.

use super::*;
use crate::escape::Text;
use crate::unbias::Sampling;
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// Everything read, in words.
fn events(input: &[u8]) -> Vec<String> {
    Reader::new(input)
        .expect("a header")
        .map(|event| event.map_or_else(error, show))
        .collect()
}

fn error(error: ParseError) -> String {
    format!("! {error}")
}

fn show(event: Event<'_>) -> String {
    let text =
        |text: Text<'_>| String::from_utf8_lossy(&text.bytes().collect::<Vec<_>>()).into_owned();
    match event {
        Event::Stack(frames) => format!("stack {:x?}", frames.collect::<Vec<_>>()),
        Event::Counts {
            thread,
            counts: c,
            name,
        } => format!(
            "counts {thread:?} {} {} {} {} {}",
            c.objects,
            c.bytes,
            c.accumulated_objects,
            c.accumulated_bytes,
            text(name)
        ),
        Event::StackFacts(line) => stack_line(line),
        Event::Fact { key, value } => format!("fact {key}={}", text(value)),
        Event::Frame(f) => format!(
            "frame {:x} {}|{}|{}|{}|{}",
            f.address,
            text(f.kind),
            text(f.class),
            text(f.name),
            text(f.file),
            f.line
        ),
        Event::BuildId(id) => format!("build id {:x} {} {}", id.start, id.hex, text(id.path)),
        Event::KindFact { kind, key, value } => {
            format!("{}: fact {key}={}", text(kind), text(value))
        }
        Event::KindStack { kind, line } => format!("{}: {}", text(kind), stack_line(line)),
        Event::Percent(rest) => format!("percent {}", text(rest)),
        Event::Mapping(m) => format!("map {:x} {}", m.start, String::from_utf8_lossy(m.path)),
        Event::Folder { name, folder } => format!(
            "folder {}={}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(folder)
        ),
        other => format!("{other:?}"),
    }
}

fn stack_line(line: StackLine<'_>) -> String {
    format!(
        "facts {} {:?} {} {:?} {:?} {} {} {:x?}",
        line.id,
        line.live,
        line.variance,
        line.accumulated,
        line.sizes,
        parts(line.births),
        parts(line.lifetimes),
        line.frames.map(|frames| frames.collect::<Vec<_>>())
    )
}

fn parts(parts: Parts<'_>) -> String {
    let number = |n: Option<u128>| n.map_or(String::new(), |n| format!(":{n}"));
    let show = |p: Part| {
        let (bytes, squares) = (number(p.bytes.map(u128::from)), number(p.squares));
        format!("{}:{}{bytes}{squares}", p.place, p.samples)
    };
    parts.map(show).collect::<Vec<_>>().join(",")
}

fn part(samples: u64, bytes: u64) -> Weighed {
    Weighed {
        samples,
        bytes,
        squares: 9,
    }
}

fn whole_dump() -> Vec<u8> {
    let mut out = Writer::new(Vec::new(), 524_288).unwrap();
    out.number("pid", 7).unwrap();
    out.words("command", [&b"a b"[..], b"-x"].into_iter())
        .unwrap();
    out.fact("host", b"h\n1").unwrap();
    out.epochs(2000, 17).unwrap();
    let counts = Counts {
        objects: 1,
        bytes: 100,
        accumulated_objects: 2,
        accumulated_bytes: 200,
    };
    out.total(counts).unwrap();
    out.thread(3, counts, b"50% \tdone").unwrap();
    out.stack(&[0x1000, 0x7fff_0000_0001, PSEUDO_FRAMES])
        .unwrap();
    out.total(counts).unwrap();
    out.thread(3, counts, b"").unwrap();
    let facts = StackFacts {
        id: 9,
        live: Estimate {
            samples: 1,
            objects_milli: 5_243_381,
            bytes: 524_338,
        },
        variance: u128::MAX,
        accumulated: Estimate {
            samples: 2,
            objects_milli: 10_486_007,
            bytes: 1_048_676,
        },
        sizes: Some((100, 100)),
        // Those without a sample are left out of the file.
        births: &[Weighed::default(), part(1, 524_338)],
    };
    let freed = [(2, part(4, 8)), (5, Weighed::default())].into_iter();
    out.stack_facts(&facts, freed, None).unwrap();
    let empty = StackFacts {
        id: 10,
        ..StackFacts::default()
    };
    let none = core::iter::empty;
    out.stack_facts(&empty, none(), Some(&[0x2000])).unwrap();
    out.frame(&ManagedFrame {
        address: PSEUDO_FRAMES,
        kind: Text::plain(b"java"),
        class: Text::plain(b"a.B"),
        name: Text::plain(b"<init>\t"),
        file: Text::default(),
        line: 12,
    })
    .unwrap();
    out.live(0x5000, 100, 9).unwrap();
    out.kind_number("java heap", "period", 524_288).unwrap();
    out.kind_fact("java heap", "note", b"live\nonce").unwrap();
    out.kind_stack("java heap", &empty, none(), &[PSEUDO_FRAMES])
        .unwrap();
    out.build_id(0x1000, &[0xab, 0x01], b"/a b").unwrap();
    out.begin_maps().unwrap();
    out.raw(b"1000-2000 r-xp 00000000 00:00 0 /a b\n").unwrap();
    out.finish().unwrap()
}

#[test]
fn a_whole_dump_comes_back() {
    let expected = [
        "Version(2)",
        "fact pid=7",
        "fact command=a b -x",
        "fact host=h\n1",
        "Epochs { width_ms: 2000, count: 17 }",
        "counts None 1 100 2 200 ",
        "counts Some(3) 1 100 2 200 50% \tdone",
        "stack [1000, 7fff00000001, 4d00000000000000]",
        "counts None 1 100 2 200 ",
        "counts Some(3) 1 100 2 200 ",
        "facts 9 Estimate { samples: 1, objects_milli: 5243381, bytes: 524338 } \
         340282366920938463463374607431768211455 \
         Estimate { samples: 2, objects_milli: 10486007, bytes: 1048676 } \
         Some((100, 100)) 1:1:524338:9 2:4:8:9 None",
        "facts 10 Estimate { samples: 0, objects_milli: 0, bytes: 0 } 0 \
         Estimate { samples: 0, objects_milli: 0, bytes: 0 } None   Some([2000])",
        "frame 4d00000000000000 java|a.B|<init>\t||12",
        "Live { address: 20480, size: 100, stack: 9 }",
        "java heap: fact period=524288",
        "java heap: fact note=live\nonce",
        "java heap: facts 10 Estimate { samples: 0, objects_milli: 0, bytes: 0 } 0 \
         Estimate { samples: 0, objects_milli: 0, bytes: 0 } None   Some([4d00000000000000])",
        "build id 1000 ab01 /a b",
        "map 1000 /a b",
        "End",
    ];
    assert_eq!(events(&whole_dump()), expected);
}

#[test]
fn jemallocs_own() {
    let dump =
        b"heap_v2/131072\n  t*: 17: 85 [0: 0]\n  t0: 17: 85 [0: 0] main % 41\n  t12: 0: 0 [0: 0]\n\
        @ 0x7f1 0x7f2\n  t*: 17: 85 [0: 0]\n  t0: 17: 85 [0: 0]\n# pid 3\n\nMAPPED_LIBRARIES:\n\
        7f0-7ff r-xp 00000000 fe:01 9 /lib/x.so\n";
    let reader = Reader::new(dump).unwrap();
    assert_eq!(reader.header().sampling, Sampling::Poisson(131_072));
    assert_eq!(
        events(dump),
        [
            "counts None 17 85 0 0 ",
            "counts Some(0) 17 85 0 0 main % 41",
            "counts Some(12) 0 0 0 0 ",
            "stack [7f1, 7f2]",
            "counts None 17 85 0 0 ",
            "counts Some(0) 17 85 0 0 ",
            "map 7f0 /lib/x.so",
        ]
    );
}

#[test]
fn one_line_a_stack() {
    let dump = b"%warn old\nheap profile:   2:  300 [     3:   400] @ heap_v2/524288\r\n\
        \x20 2:  300 [   3: 400] @ 0x1 0x2\n# a comment\n\nMAPPED_LIBRARIES:\n";
    let reader = Reader::new(dump).unwrap();
    assert!(reader.header().one_line);
    assert_eq!(
        reader
            .header()
            .totals
            .map(|totals| totals.accumulated_bytes),
        Some(400)
    );
    assert_eq!(
        events(dump),
        [
            "percent warn old",
            "stack [1, 2]",
            "counts None 2 300 3 400 "
        ]
    );
}

#[test]
fn maps_of_gperftools_may_be_indented_and_name_their_build() {
    let dump = b"heap profile: 1: 1 [1: 1] @ heapprofile\n--- Memory map: ---\n  build=/b\n \
                 00400000-00500000: $build/zoo\n";
    assert_eq!(events(dump), ["folder build=/b", "map 400000 $build/zoo"]);
}

#[test]
fn the_word_in_the_header_decides_how_counts_are_scaled() {
    let cases = [
        ("1: 2 [3: 4] @ heap_v2/524288", Sampling::Poisson(524_288)),
        ("1: 2 [3: 4] @ heapz_v2/1", Sampling::Poisson(1)),
        ("1: 2 [3: 4] @ http://h:1/pprof/heap_v2/7", Sampling::None),
        ("1: 2 [3: 4] @ heap_v2", Sampling::Poisson(131_072)),
        ("1: 2 [3: 4] @ heap/1000", Sampling::Poisson(500)),
        ("1: 2 [3: 4] @ heap", Sampling::Linear(131_072.0)),
        ("1: 2 [3: 4] @ heapprofile", Sampling::None),
        ("1: 2 [3: 4] @ growthz/1", Sampling::None),
        ("1: 2 [3: 4]", Sampling::None),
        ("1: 2 [1: 2]", Sampling::Linear(131_072.0)),
    ];
    for (line, sampling) in cases {
        let file = format!("heap profile: {line}\n");
        assert_eq!(
            Reader::new(file.as_bytes()).unwrap().header().sampling,
            sampling,
            "{line}"
        );
    }
}

#[test]
fn bad_lines_are_named_and_passed_over() {
    let dump = b"heap_v2/1\n@ 0x1 main\n  t*: 1: 1 [0 0]\n@ 0x2\nMAPPED_LIBRARIES:\nnonsense\n";
    assert_eq!(
        events(dump),
        [
            "! line 2: expected `@` and hexadecimal addresses",
            "! line 3: expected `t*: OBJECTS: BYTES [OBJECTS: BYTES]`",
            "stack [2]",
            "! line 6: expected a line of /proc/<pid>/maps",
        ]
    );
}

#[test]
fn other_kinds_say_what_is_missing_in_them() {
    let dump = b"heap_v2/1\n# malloscope 1\n#@ mmap hint 1\n#@ mmap fact\n#@ mmap\n\
        #@ mmap stack 1 live=1:1:8\n#@ mmap stack 1 @ 0x\n#@ mmap fact a\n#@ mmap stack 2 @\n# end\n";
    assert_eq!(
        events(dump)[1..],
        [
            "! line 4: expected `#@ KIND fact KEY TEXT`",
            "! line 5: expected `#@ KIND fact|stack ...`",
            "! line 6: expected `#@ KIND stack ID KEY=VALUE... @ FRAMES`",
            "! line 7: expected `#@ KIND stack ID KEY=VALUE... @ FRAMES`",
            "mmap: fact a=",
            "mmap: facts 2 Estimate { samples: 0, objects_milli: 0, bytes: 0 } 0 \
             Estimate { samples: 0, objects_milli: 0, bytes: 0 } None   Some([])",
            "End",
        ]
    );
}

#[test]
fn what_is_no_profile_is_refused() {
    for input in [
        &b""[..],
        b"%x\n",
        b"\n",
        b"heap_v2/\n",
        b"--- symbol\n",
        b"\x00\x00",
    ] {
        let error = Reader::new(input).unwrap_err();
        assert_eq!(error.problem, Problem::NotAProfile);
        assert!(error.to_string().contains("not a heap profile"));
    }
}

/// Every beginning of a file gives the events of the whole, then says that it was cut off.
fn each_beginning(dump: &[u8]) {
    let whole = events(dump);
    let header = dump.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in header..dump.len() - 1 {
        let mut found = events(&dump[..length]);
        let last = found.pop().expect("at least the error");
        assert!(last.contains("the file ends before"), "{length}: {last}");
        assert_eq!(found, whole[..found.len()], "{length}");
    }
}

#[test]
fn a_file_cut_off_anywhere_gives_what_is_before() {
    let dump = whole_dump();
    each_beginning(&dump);
    // The last line is whole without its newline.
    assert_eq!(events(&dump[..dump.len() - 1]), events(&dump));
}

/// Nobody can say where the mappings of another's file end, nor that a file of one line a stack
/// has any.
#[test]
fn files_of_others_are_cut_off_before_their_mappings_only() {
    let maps = b"\nMAPPED_LIBRARIES:\n";
    let threaded = b"heap_v2/4\n  t*: 1: 2 [0: 0]\n@ 0x7f1\n  t*: 1: 2 [0: 0]\n";
    let dump = [&threaded[..], maps].concat();
    each_beginning(&dump);
    let one_line = b"heap profile: 1: 2 [3: 4] @ heap_v2/4\n1: 2 [3: 4] @ 0x1 0x2";
    assert_eq!(events(one_line), ["stack [1, 2]", "counts None 1 2 3 4 "]);
    let last = [&dump[..], b"7f0-7ff r-xp 00000000 fe:01 9 /lib/x.so"].concat();
    assert_eq!(events(&last).last().unwrap(), "map 7f0 /lib/x.so");
}

#[test]
fn texts_keep_their_blanks_and_lines_of_nobody_are_passed_over() {
    let dump = b"heap_v2/1\n# pid 3\n#bare\n# malloscope 2\n#bare\n#\n# \n# a  b \n# c\n\
        \x20 t1: 0: 0 [0: 0]  name \nMAPPED_LIBRARIES:\n7f-80 r-xp 0 0:0 1 /a\r\n# end\nx\n";
    assert_eq!(
        events(dump),
        [
            "Version(2)",
            "fact a= b ",
            "fact c=",
            "counts Some(1) 0 0 0 0  name ",
            "map 7f /a\r",
            "End",
        ]
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(header in "(heap_v2/[0-9]{1,3}|heap profile: 1: 2 \\[3: 4\\] @ heap_v2/9)\n", body: Vec<u8>) {
        let mut input = header.into_bytes();
        input.extend(body);
        events(&input);
    }

    #[test]
    fn no_lines_panic(lines in proptest::collection::vec(
        "(@|# stack|# frame|# live|# build_id|#@|#@ k fact|#@ k stack|# epochs|  t[*0-9]?:|MAPPED_LIBRARIES:)[ -~\t]{0,40}", 0..20))
    {
        let mut input = String::from("heap_v2/1\n# malloscope 1\n");
        for line in lines {
            input.push_str(&line);
            input.push('\n');
        }
        events(input.as_bytes());
    }

    #[test]
    fn spoiled_dumps_do_not_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut dump = whole_dump();
        let at = at.index(dump.len());
        dump[at] = byte;
        if let Ok(reader) = Reader::new(&dump) {
            reader.for_each(|event| { event.map_or_else(error, show); });
        }
    }
}

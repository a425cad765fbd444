//! Fuzzing without a fuzzer: a fixed number of damaged copies of good files, the same in every
//! run. `fuzz/` holds the targets for the real one.

use profile_format::heap_v2::{Event, Problem, Reader};
use profile_format::maps;

use crate::random::Random;
use crate::sample::{GPERFTOOLS, JEMALLOC, ours};

const COPIES: usize = 3000;

/// What damage likes to put into a file: the words of the grammar, and numbers at their bounds.
const PIECES: [&[u8]; 22] = [
    b"\n",
    b" ",
    b"\t",
    b"#",
    b"@ 0x",
    b"%",
    b"0",
    b"18446744073709551615",
    b"18446744073709551616",
    b"ffffffffffffffff",
    b"\n# malloscope 2\n",
    b"\n# end\n",
    b"\nMAPPED_LIBRARIES:\n",
    b"\n# stack 1 live=1:1.1:1 births=0:1:1:1, lives=3:1:1 @ 0x1\n",
    b"\n# frame 0x1\t\t\t",
    b"\n#@ mmap fact ",
    b"\n#@ mmap stack 1 live=1:1:1 @ 0x1\n",
    b"\n  t*: 1: 1 [1: 1]",
    b"1: 0 [1: 1] @ 0x1\n",
    b"heap_v2/0\n",
    b"\xff\xfe",
    b":",
];

fn damage(random: &mut Random, file: &mut Vec<u8>, other: &[u8]) {
    let range = random.part(file.len());
    match random.below(6) {
        0 => drop(file.drain(range)),
        1 => {
            let piece = file[range].to_vec();
            let at = random.below(file.len());
            file.splice(at..at, piece);
        }
        2 => {
            let piece = other[random.part(other.len())].to_vec();
            file.splice(range, piece);
        }
        3 => file.truncate(range.start),
        4 => drop(file.splice(range, PIECES[random.below(PIECES.len())].iter().copied())),
        _ => file[range]
            .iter_mut()
            .for_each(|byte| *byte = random.next() as u8),
    }
}

/// Reads all there is, down to the last list, and checks what every reading must keep.
fn read_all(file: &[u8]) -> usize {
    let Ok(mut reader) = Reader::new(file) else {
        return 0;
    };
    let sampling = reader.header().sampling;
    let lines = file.split(|byte| *byte == b'\n').count();
    let (mut events, mut line, mut cut_off) = (0, 0, false);
    while let Some(item) = reader.next() {
        events += 1;
        assert!(!cut_off, "nothing comes behind the end");
        assert!(reader.line() >= line && reader.line() <= lines);
        assert!(events <= 2 * lines, "at most two events a line");
        line = reader.line();
        match item {
            Ok(Event::Counts { counts, name, .. }) => {
                let (objects, bytes) = sampling.scale(counts.objects, counts.bytes);
                assert!(objects.is_finite() && bytes.is_finite(), "{counts:?}");
                assert!(name.bytes().count() <= file.len());
            }
            Ok(Event::StackFacts(facts) | Event::KindStack { line: facts, .. }) => {
                let lists = facts.births.count() + facts.lifetimes.count();
                assert!(lists + facts.frames.map_or(0, Iterator::count) <= file.len());
            }
            Ok(Event::Stack(frames)) => assert!(frames.count() <= file.len()),
            Ok(Event::Mapping(mapping)) => assert!(mapping.path.len() <= file.len()),
            Ok(_) => {}
            Err(error) => {
                assert!((1..=lines).contains(&error.line));
                cut_off = matches!(error.problem, Problem::CutOff(_));
            }
        }
    }
    assert!(reader.next().is_none(), "the end is the end");
    events
}

#[test]
fn damaged_files_are_read_to_their_end() {
    let samples = [ours(), JEMALLOC.to_vec(), GPERFTOOLS.to_vec()];
    let mut random = Random(0x6d61_6c6c_6f73);
    let mut read = 0;
    for copy in 0..COPIES {
        let mut file = samples[copy % samples.len()].clone();
        let other = &samples[random.below(samples.len())];
        for _ in 0..=random.below(4) {
            damage(&mut random, &mut file, other);
        }
        read += usize::from(read_all(&file) > 0);
    }
    assert!(read > COPIES / 2, "most copies still have a header: {read}");
}

#[test]
fn good_files_have_no_errors() {
    for file in [&*ours(), JEMALLOC, GPERFTOOLS] {
        let reader = Reader::new(file).unwrap();
        assert_eq!(reader.filter(Result::is_err).count(), 0);
        assert!(read_all(file) > 3);
    }
}

#[test]
fn damaged_maps_are_survived() {
    let lines = [
        &b"7f12-7f34 rw-s 00001000 00:01 5        /memfd:doublemapper (deleted)"[..],
        b"40000000-40015000: /lib/ld-2.3.2.so",
    ];
    let mut random = Random(1);
    for copy in 0..COPIES {
        let mut line = lines[copy % 2].to_vec();
        damage(&mut random, &mut line, lines[0]);
        if let Some(mapping) = maps::parse(&line) {
            assert!(mapping.path.len() < line.len());
        }
    }
}

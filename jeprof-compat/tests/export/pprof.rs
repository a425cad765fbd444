//! `malloscope convert --to pprof`, decoded by the rules of protobuf alone.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::{LEAKY, bytes, total};

/// A message of protobuf, read by the wire format alone: number of the field to its values.
#[derive(Default)]
struct Message(BTreeMap<u64, Vec<Field>>);

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Message {
    fn parse(mut bytes: &[u8]) -> Message {
        let mut message = Message::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(value),
                2 => {
                    let (own, rest) = bytes.split_at(value as usize);
                    bytes = rest;
                    Field::Bytes(own.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            message.0.entry(tag >> 3).or_default().push(field);
        }
        message
    }

    fn all(&self, number: u64) -> Vec<Message> {
        let fields = self.0.get(&number).map_or(&[][..], Vec::as_slice);
        let message = |field: &Field| match field {
            Field::Bytes(bytes) => Message::parse(bytes),
            Field::Number(_) => panic!("{number} is no message"),
        };
        fields.iter().map(message).collect()
    }

    fn number(&self, number: u64) -> u64 {
        match self.0.get(&number).and_then(|fields| fields.first()) {
            Some(Field::Number(value)) => *value,
            _ => 0,
        }
    }

    /// Repeated numbers stand in one field, packed.
    fn packed(&self, number: u64) -> Vec<u64> {
        let mut out = Vec::new();
        for field in self.0.get(&number).map_or(&[][..], Vec::as_slice) {
            match field {
                Field::Number(value) => out.push(*value),
                Field::Bytes(bytes) => {
                    let mut bytes = &bytes[..];
                    while !bytes.is_empty() {
                        out.push(varint(&mut bytes));
                    }
                }
            }
        }
        out
    }

    fn strings(&self, number: u64) -> Vec<String> {
        let text = |field: &Field| match field {
            Field::Bytes(bytes) => String::from_utf8(bytes.clone()).expect("UTF-8"),
            Field::Number(_) => panic!("{number} is no text"),
        };
        self.0[&number].iter().map(text).collect()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

fn pprof(directory: &str, arguments: &[&str]) -> Message {
    let packed = bytes(
        directory,
        &[&["convert", "--to", "pprof"], arguments].concat(),
    );
    let mut message = Vec::new();
    GzDecoder::new(&packed[..])
        .read_to_end(&mut message)
        .expect("gzip");
    Message::parse(&message)
}

#[test]
fn pprof_has_the_same_total_and_refers_to_what_is_there() {
    let profile = pprof("leaky", &LEAKY);
    let strings = profile.strings(6);
    assert_eq!(strings[0], "");
    let text = |at: u64| strings[at as usize].as_str();
    let types: Vec<(&str, &str)> = profile
        .all(1)
        .iter()
        .map(|t| (text(t.number(1)), text(t.number(2))))
        .collect();
    let all = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    assert_eq!(types, all);
    assert_eq!(
        (text(profile.number(14)), profile.number(12)),
        ("inuse_space", 4096)
    );
    let ids =
        |number: u64| -> Vec<u64> { profile.all(number).iter().map(|m| m.number(1)).collect() };
    let (mappings, locations, functions) = (ids(3), ids(4), ids(5));
    for id in mappings.iter().chain(&locations).chain(&functions) {
        assert_ne!(*id, 0);
    }
    for location in profile.all(4) {
        let mapping = location.number(2);
        assert!(mapping == 0 || mappings.contains(&mapping));
        for line in location.all(4) {
            assert!(functions.contains(&line.number(1)));
        }
    }
    let mut sums = [0i64; 4];
    for sample in profile.all(2) {
        let at = sample.packed(1);
        assert!(!at.is_empty() && at.iter().all(|id| locations.contains(id)));
        let values = sample.packed(2);
        assert_eq!(values.len(), 4);
        sums.iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += value as i64);
        let label = &sample.all(3)[0];
        assert_eq!(
            (text(label.number(1)), text(label.number(2))),
            ("thread", "0")
        );
    }
    assert!(
        (sums[3] as f64 - total()).abs() <= 1.0,
        "{sums:?} {}",
        total()
    );
    let names: Vec<&str> = profile.all(5).iter().map(|f| text(f.number(2))).collect();
    assert!(
        names.contains(&"shop::buy(int)") && !names.contains(&"malloc"),
        "{names:?}"
    );
    let leaky = profile
        .all(3)
        .into_iter()
        .find(|m| text(m.number(5)).ends_with("/leaky") && m.number(7) == 1);
    let flags = leaky.map(|m| [8, 9].map(|flag| m.number(flag)));
    assert_eq!(flags, Some([1, 1]));
}

#[test]
fn pprof_of_our_own_dumps_has_managed_frames_and_other_kinds() {
    let profile = pprof(
        "java",
        &[
            "gzip.heap",
            "--kind",
            "java_heap",
            "--focus",
            "ExceptionLogger",
        ],
    );
    let strings = profile.strings(6);
    assert_eq!(profile.all(1).len(), 4);
    assert!(
        strings
            .iter()
            .any(|s| s == "com.example.logging.ExceptionLogger.log")
    );
    assert!(
        strings.iter().any(|s| s == "samples of java_heap"),
        "{strings:?}"
    );
    let twice = pprof("java", &["gzip.heap"]).strings(6);
    assert_eq!(twice, pprof("java", &["gzip.heap"]).strings(6));
}

/// pprof says that files are missing where a mapping has no name, but not where it stands in brackets.
#[test]
fn pprof_does_not_look_for_the_file_of_generated_code() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("anonymous.heap");
    let dump = "heap_v2/1024\n@ 0x1010 0x2010\n  t*: 1: 1024 [0: 0]\nMAPPED_LIBRARIES:\n\
        00001000-00003000 r-xp 00000000 00:00 0 \n";
    std::fs::write(&file, dump).expect("a dump");
    let profile = pprof("leaky", &[file.to_str().expect("UTF-8")]);
    let strings = profile.strings(6);
    let files: Vec<&str> = profile
        .all(3)
        .iter()
        .map(|m| strings[m.number(5) as usize].as_str())
        .collect();
    assert_eq!(files, ["[anon]"]);
}

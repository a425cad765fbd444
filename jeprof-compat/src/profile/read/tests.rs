//! Files that were made to cost much, at limits that are lower for tests.

use std::io::Write;

use super::parse;

/// Three stacks, each with so many addresses of its own, in a text where `head` stands before each.
fn many_addresses(first: &str, head: &str) -> Vec<u8> {
    const EACH: u64 = 15_000;
    let mut bytes = first.as_bytes().to_vec();
    for stack in 0..3 {
        bytes.extend(head.as_bytes());
        let addresses = stack * EACH..(stack + 1) * EACH;
        addresses.for_each(|address| write!(bytes, " {:x}", address + 1).expect("memory"));
        bytes.push(b'\n');
    }
    bytes
}

#[test]
fn every_reader_stops_where_there_is_no_more_room_and_says_where() {
    let texts = [
        ("--- contention:\ncycles/second = 1000\n", "1 1 @", "line 5"),
        ("--- heapz 1 ---\n", "1 1 @", "line 4"),
        (
            "heap profile: 1: 8 [1: 8] @ heap/524288\n",
            "1: 8 [1: 8] @",
            "line 4",
        ),
        ("# x\nheap_v2/1\n", "  t*: 1: 8 [0: 0]\n@", "line 8"),
    ];
    for (first, head, place) in texts {
        let bytes = many_addresses(first, head);
        let (_, warnings) = parse(&bytes, "x").expect("a profile");
        let said = format!("x: {place}: more than 16 MiB of stacks and names");
        assert!(
            warnings.iter().any(|w| w.starts_with(&said)),
            "{first}: {warnings:?}"
        );
    }
    let mut words = vec![0, 3, 0, 10_000, 0];
    for stack in 0..90 {
        words.extend([1, 1 << 9]);
        words.extend((0..1 << 9).map(|at| (stack << 9) + at + 1));
    }
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|word: &u64| word.to_le_bytes())
        .collect();
    let (_, warnings) = parse(&bytes, "x").expect("a profile");
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("byte 3") && w.ends_with("the rest is not read")),
        "{warnings:?}"
    );
}

#[test]
fn a_tree_of_calls_does_not_multiply() {
    let call = "{\"callFrame\":{},\"selfSize\":1,\"children\":[";
    let leaf = "{\"callFrame\":{},\"selfSize\":1}";
    let deep = 9000;
    let text = format!(
        "{{\"head\":{}{}{}}}",
        call.repeat(deep),
        vec![leaf; 1000].join(","),
        "]}".repeat(deep)
    );
    let (_, warnings) = parse(text.as_bytes(), "x").expect("a profile");
    assert!(warnings[0].starts_with("x: call 2"), "{warnings:?}");
    let wide = format!(
        "{{\"head\":{call}{}]}}}}",
        vec!["{\"callFrame\":{}}"; 4 << 20].join(",")
    );
    let error = parse(wide.as_bytes(), "x").expect_err("too large");
    assert!(format!("{error:#}").ends_with("larger than any profile of V8"));
}

#[test]
fn functions_of_one_address_and_frames_of_one_stack_have_an_end() {
    let inlined = vec!["f"; 2000].join("--");
    let symbols = format!(
        "--- symbol\n0x1 {inlined}\n---\n--- heap\nheap_v2/1\n@ 0x1\n t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n"
    );
    let go = format!(
        "heap profile: 1: 8 [1: 8] @ heap/8\n1: 8 [1: 8] @ 0x1\n{}",
        "#\t0x1\tf\n".repeat(2000)
    );
    for text in [symbols, go] {
        let (profile, _) = parse(text.as_bytes(), "x").expect("a profile");
        assert_eq!(profile.locations[0].lines.len(), 1000);
    }
    let deep = format!(
        "heap_v2/1\n@{}\n t*: 1: 8 [0: 0]\n@ 0x1\n t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n",
        " 1".repeat((1 << 20) + 1)
    );
    let folded = format!("a;b 1\na{} 1\n", ";a".repeat(1 << 20));
    for text in [deep, folded] {
        let (profile, warnings) = parse(text.as_bytes(), "x").expect("a profile");
        assert_eq!(profile.samples.len(), 1);
        assert!(
            warnings[0].starts_with("x: 1 stack is left out"),
            "{warnings:?}"
        );
    }
}

#[test]
fn one_long_string_in_a_million_places_does_not_take_all_memory() {
    let field = |tag: u8, body: &[u8]| {
        let mut length = body.len();
        let mut bytes = vec![tag << 3 | 2];
        while length > 127 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, body.to_vec()].concat()
    };
    let long = vec![b'n'; 1 << 20];
    let strings: [&[u8]; 4] = [b"", b"inuse_space", b"bytes", &long];
    let mut head = field(1, &[0x08, 1, 0x10, 2]);
    strings
        .iter()
        .for_each(|string| head.extend(field(6, string)));
    head.extend(field(5, &[0x08, 1, 0x10, 3]));
    let location = field(4, &[0x08, 1, 0x22, 2, 0x08, 1]);
    let sample = field(2, &[0x0a, 1, 1, 0x12, 1, 1]);
    let mapping = field(3, &[0x28, 3]);
    for (part, place) in [(location, "location"), (mapping, "mapping")] {
        let bytes = [&head[..], &part.repeat(2000), &sample].concat();
        let (_, warnings) = parse(&bytes, "x").expect("a profile");
        let said = warnings[0].starts_with(&format!("x: {place} "));
        assert!(
            said && warnings[0].ends_with("the rest is not read"),
            "{warnings:?}"
        );
    }
}

#[test]
fn what_all_stacks_share_and_what_names_a_folder_is_found_at_once() {
    let mut words = vec![0, 3, 0, 10_000, 0];
    for _ in 0..20 {
        words.extend([1, 1 << 16]);
        words.extend([7].repeat(1 << 16));
    }
    words.extend([0, 1, 0]);
    let bytes: Vec<u8> = words
        .iter()
        .flat_map(|word: &u64| word.to_le_bytes())
        .collect();
    let (profile, _) = parse(&bytes, "x").expect("a profile");
    assert!(profile.samples.iter().all(|sample| sample.stack.len() == 1));
    let mut text = "heap_v2/1\n@ 1\n t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n".to_owned();
    text.extend((0..20_000).map(|at| format!("a{at}=/b\n")));
    text.extend((0..20_000).map(|at| format!("{at:x}-{:x} r-xp 0 0:0 0 $a{at}/c\n", at + 1)));
    let (profile, _) = parse(text.as_bytes(), "x").expect("a profile");
    assert!(
        profile
            .mappings
            .iter()
            .all(|mapping| mapping.path == "/b/c")
    );
}

#[test]
fn a_file_has_not_a_million_warnings() {
    let text = format!(
        "{}heap_v2/1\n@ 1\n t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n",
        "%warn a\n".repeat(1000)
    );
    let (_, warnings) = parse(text.as_bytes(), "x").expect("a profile");
    assert_eq!(warnings.len(), 41);
    assert_eq!(warnings[20], "x: 960 more warnings are left out");
}

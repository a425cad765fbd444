//! Any bytes as a dump: `cargo +nightly fuzz run heap_v2`. `profile-format/tests/format/damaged.rs`
//! checks the same in every test run, on a fixed set of damaged files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_format::heap_v2::{Event, Reader};

fuzz_target!(|file: &[u8]| {
    let Ok(reader) = Reader::new(file) else {
        return;
    };
    let sampling = reader.header().sampling;
    for event in reader.flatten() {
        match event {
            Event::Counts { counts, name, .. } => {
                let (objects, bytes) = sampling.scale(counts.objects, counts.bytes);
                assert!(objects.is_finite() && bytes.is_finite());
                assert!(name.bytes().count() <= file.len());
            }
            Event::Stack(frames) => assert!(frames.count() <= file.len()),
            Event::StackFacts(facts) => {
                let lists = facts.births.count() + facts.lifetimes.count();
                assert!(lists + facts.frames.map_or(0, Iterator::count) <= file.len());
            }
            _ => {}
        }
    }
});

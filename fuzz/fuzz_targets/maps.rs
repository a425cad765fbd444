//! Any bytes as a line of `/proc/<pid>/maps`: `cargo +nightly fuzz run maps`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_format::maps;

fuzz_target!(|line: &[u8]| {
    if let Some(mapping) = maps::parse(line) {
        assert!(mapping.path.len() < line.len());
    }
});

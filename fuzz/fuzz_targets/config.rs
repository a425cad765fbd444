//! Any bytes as a conf string, from either variable: `cargo +nightly fuzz run config`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use malloscope::config::{self, Config, Source};

fuzz_target!(|text: &[u8]| {
    for source in [Source::MalloscopeConf, Source::MallocConf] {
        let mut config = Config::DEFAULT;
        let mut messages = 0;
        config::parse(source, text, &mut config, &mut |_| messages += 1);
        assert!(messages <= text.len() + 1);

        // What was read once is read the same again.
        let mut again = Config::DEFAULT;
        config::parse(source, text, &mut again, &mut |_| {});
        assert_eq!(config, again);
    }
});

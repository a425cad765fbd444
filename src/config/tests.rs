//! The grammar, each message, and that no input is too wild.
use proptest::prelude::*;

use super::table::{OPTIONS, set_option};
use super::*;

fn read(source: Source, text: &[u8]) -> (Config, Vec<String>) {
    let mut config = Config::DEFAULT;
    let mut said = Vec::new();
    parse(source, text, &mut config, &mut |message| {
        said.push(String::from_utf8_lossy(&message.pieces().concat()).into_owned());
    });
    (config, said)
}

fn ours(text: &str) -> (Config, Vec<String>) {
    read(Source::MalloscopeConf, text.as_bytes())
}

fn said(text: &str) -> Vec<String> {
    ours(text).1
}

#[test]
fn the_recipe_every_jemalloc_user_knows() {
    let (config, said) = read(
        Source::MallocConf,
        b"prof:true,lg_prof_interval:30,lg_prof_sample:17",
    );
    assert_eq!(said, [""; 0]);
    assert!(config.prof && config.prof_active);
    assert_eq!(
        (config.lg_prof_sample.lg_first(), config.interval_bytes()),
        (17, Some(1 << 30))
    );
    assert_eq!(config.prof_prefix.as_bytes(), b"jeprof");
}

#[test]
fn defaults_are_jemallocs() {
    let config = Config::DEFAULT;
    let off = [
        config.prof,
        config.prof_accum,
        config.prof_final,
        config.prof_leak,
    ];
    assert_eq!(off, [false; 4]);
    assert!(config.prof_active && config.prof_thread_active_init && config.prof_unbias);
    assert_eq!(
        (
            config.lg_prof_sample,
            config.prof_bt_max,
            config.interval_bytes()
        ),
        (Rate::Auto, 128, None)
    );
    assert_eq!(
        config.prof_mem_max as usize,
        crate::table::arena::DEFAULT_CEILING
    );
    assert_eq!(ours("").0, config);
    assert_eq!(config.prof_prefix.as_bytes(), b"malloscope");
}

#[test]
fn every_key_of_the_table_takes_its_default() {
    for option in OPTIONS {
        let pair = format!("{}:{}", option.key, option.default.trim_matches('"'));
        assert_eq!(ours(&pair), (Config::DEFAULT, vec![]), "{pair}");
    }
}

#[test]
fn unknown_keys() {
    assert_eq!(said("bogus:1,prof:true"), ["Invalid conf pair: bogus:1"]);
    assert_eq!(said(":1"), ["Invalid conf pair: :1"]);
    assert_eq!(said("PROF:true"), ["Invalid conf pair: PROF:true"]);
    let (config, said) = read(
        Source::MallocConf,
        b"narenas:4,prof_bogus:1,metadata_thp:auto,prof:true",
    );
    assert_eq!(said, ["Invalid conf pair: prof_bogus:1"]);
    assert!(config.prof);
}

#[test]
fn bad_values() {
    for value in ["yes", "1", "", "TRUE", "true ", "true;prof_final:true"] {
        let pair = format!("prof:{value}");
        assert_eq!(said(&pair), [format!("Invalid conf value: {pair}")]);
    }
    assert_eq!(
        said("lg_prof_sample:1k"),
        ["Invalid conf value: lg_prof_sample:1k"]
    );
    assert_eq!(
        said("prof_time_resolution:low"),
        ["Invalid conf value: prof_time_resolution:low"]
    );
    let (config, _) = ours("lg_prof_sample:17,lg_prof_sample:x");
    assert_eq!(config.lg_prof_sample, Rate::Fixed(17));
}

#[test]
fn ranges() {
    let (config, said) = ours("lg_prof_interval:99,prof_mem_max:1,prof_keep:-1,lg_prof_sample:-1");
    let pairs = [
        "lg_prof_interval:99",
        "prof_mem_max:1",
        "prof_keep:-1",
        "lg_prof_sample:-1",
    ];
    assert_eq!(
        said,
        pairs.map(|pair| format!("Out-of-range conf value: {pair}"))
    );
    assert_eq!(config, Config::DEFAULT);
    let (config, said) = ours("lg_prof_sample:64,prof_bt_max:0,lg_prof_interval:-1");
    assert_eq!(said, [""; 0], "clipped in silence");
    assert_eq!(
        (config.lg_prof_sample.lg_first(), config.prof_bt_max),
        (63, 1)
    );
    assert_eq!(ours("prof_bt_max:99999999999").0.prof_bt_max, 1024);
    assert_eq!(
        ours("lg_prof_interval:63").0.interval_bytes(),
        Some(1 << 63)
    );
}

#[test]
fn malformed_strings_keep_what_came_before() {
    for tail in [
        "prof_final=true",
        " prof_final:true",
        ",prof_final:true",
        "prof final:true",
    ] {
        let (config, said) = ours(&format!("prof:true,{tail},prof_accum:true"));
        assert_eq!(said, ["Malformed conf string"], "{tail}");
        assert!(config.prof && !config.prof_final && !config.prof_accum);
    }
    assert_eq!(said("prof:true,prof_final"), ["Conf string ends with key"]);
    let (config, said) = ours("prof:true,");
    assert_eq!(said, ["Conf string ends with comma"]);
    assert!(config.prof);
}

#[test]
fn later_wins() {
    let (config, _) = ours("prof:true,lg_prof_sample:10,prof:false,lg_prof_sample:0x0b");
    assert_eq!(
        (config.prof, config.lg_prof_sample),
        (false, Rate::Fixed(11))
    );
    let mut config = config;
    parse(
        Source::MalloscopeConf,
        b"prof:true",
        &mut config,
        &mut |_| {},
    );
    assert_eq!(
        (config.prof, config.lg_prof_sample),
        (true, Rate::Fixed(11))
    );
}

#[test]
fn prefixes() {
    let prefix = |source, text: &[u8]| read(source, text).0.prof_prefix.as_bytes().to_vec();
    assert_eq!(
        prefix(Source::MallocConf, b"prof_prefix:/tmp/a b:c"),
        b"/tmp/a b:c"
    );
    assert_eq!(prefix(Source::MalloscopeConf, b"prof_prefix:"), b"");
    assert_eq!(prefix(Source::MalloscopeConf, b"prof:true"), b"malloscope");
}

#[test]
fn confirm_says_all_wherever_it_stands() {
    let (_, said) = read(
        Source::MallocConf,
        b"lg_prof_sample:99,narenas:1,confirm_conf:true",
    );
    assert_eq!(
        said,
        [
            "malloc_conf #4 (value of the environment variable MALLOC_CONF): \
             \"lg_prof_sample:99,narenas:1,confirm_conf:true\"",
            "-- Set conf value: lg_prof_sample:99",
            "-- Set conf value: confirm_conf:true",
        ]
    );
}

#[test]
fn what_we_do_not_have_is_answered() {
    assert_eq!(
        said("prof_log:true"),
        ["prof_log is not supported: use prof_accum:true and the dumps themselves"]
    );
    for pair in [
        "prof_recent_alloc_max:-1",
        "prof_stats:true",
        "prof_time_resolution:high",
    ] {
        let said = said(pair);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains(" is not supported: "), "{said:?}");
    }
    assert_eq!(
        said("prof_recent_alloc_max:-2"),
        ["Out-of-range conf value: prof_recent_alloc_max:-2"]
    );
}

#[test]
fn leak_options_imply_each_other() {
    let settled = |text| {
        let (mut config, _) = ours(text);
        let mut said = Vec::new();
        settle(&mut config, &mut |message| said.push(message.is_error()));
        (config, said)
    };
    let (config, said) =
        settled("prof_leak:true,lg_prof_interval:20,prof_gdump:true,prof_final:true");
    assert!(config.prof && !config.prof_gdump && said.is_empty());
    assert_eq!(config.interval_bytes(), None);
    let (config, said) = settled("prof:true,prof_leak_error:true,lg_prof_interval:20");
    assert!(config.prof_leak && config.interval_bytes() == Some(1 << 20));
    assert_eq!(said, [true]);
}

#[test]
fn the_rate_is_automatic_in_our_variable_and_jemallocs_in_its_own() {
    let rate = |source, text: &[u8]| read(source, text).0.lg_prof_sample;
    assert_eq!(rate(Source::MalloscopeConf, b"prof:true"), Rate::Auto);
    assert_eq!(rate(Source::MallocConf, b"prof:true"), Rate::Fixed(19));
    let auto = b"lg_prof_sample:17,lg_prof_sample:auto";
    assert_eq!(rate(Source::MallocConf, auto), Rate::Auto);
    let (config, said) = ours("prof_budget:0,lg_prof_sample:automatic");
    assert_eq!((config.prof_budget, said.len()), (10, 2));
}

#[test]
fn only_errors_abort() {
    let errors = |text: &str| {
        let mut errors = 0;
        let mut count = |message: Message<'_>| errors += usize::from(message.is_error());
        parse(
            Source::MalloscopeConf,
            text.as_bytes(),
            &mut Config::DEFAULT.clone(),
            &mut count,
        );
        errors
    };
    assert_eq!(errors("confirm_conf:true,prof:true,prof_log:true"), 0);
    assert_eq!(errors("experimental_x:1"), 0);
    assert_eq!(errors("bogus:1,prof:x,prof_keep:-1,"), 4);
}

#[test]
fn tables_have_a_row_for_each_option() {
    let (mut table, mut text) = (String::new(), String::new());
    table_markdown(&mut table).expect("a String takes all");
    help(&mut text).expect("a String takes all");
    assert_eq!(table.lines().count(), OPTIONS.len() + 2);
    assert!(table.contains(
        "| `lg_prof_sample` | `auto` | `auto`, 0 to 63, clipped | Mean bytes between two samples, as a \
         power of two. 0 records every allocation. `auto`: between 13 and 19"
    ));
    assert!(table.contains("| `prof_prefix` | `malloscope` | text | The beginning"));
    assert!(text.contains("prof:false  (true, false)\n    Profile. This cannot"));
}

#[test]
fn a_relative_prefix_stays_below_the_directory_it_was_given_in() {
    let here = std::env::current_dir().expect("a directory");
    for (given, expected) in [
        ("x/y", format!("{}/x/y", here.display())),
        ("/x/y", "/x/y".to_owned()),
        ("", String::new()),
    ] {
        let (mut config, _) = read(
            Source::MalloscopeConf,
            format!("prof_prefix:{given}").as_bytes(),
        );
        config.anchor_prefix();
        assert_eq!(config.prof_prefix.as_bytes(), expected.as_bytes());
    }
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        (0..OPTIONS.len()).prop_map(|at| OPTIONS[at].key.as_bytes().to_vec()),
        prop::sample::select(vec![":", ",", "true", "0x", "-1", "=", " "])
            .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    // Miri would take minutes for the generator alone.
    #[cfg_attr(miri, ignore)]
    #[test]
    fn no_string_is_too_wild(text in noise(), foreign: bool) {
        let source = if foreign { Source::MallocConf } else { Source::MalloscopeConf };
        let (mut config, said) = read(source, &text);
        settle(&mut config, &mut |_| {});
        // A pair says at most one line, and the string one more at its start and end each.
        prop_assert!(said.len() <= text.iter().filter(|&&byte| byte == b',').count() + 3);
        prop_assert!(config.lg_prof_sample.lg_first() <= 63 && (1..=1024).contains(&config.prof_bt_max));
    }
}

#[test]
fn defaults_read_as_themselves() {
    for option in OPTIONS {
        let mut config = Config::DEFAULT;
        let text = option.default.trim_matches('"');
        assert_eq!(
            set_option(&mut config, option.key.as_bytes(), text.as_bytes()),
            Some(Ok(())),
            "{}",
            option.key
        );
        assert_eq!(config, Config::DEFAULT, "{}", option.key);
    }
}

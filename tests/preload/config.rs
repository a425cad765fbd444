//! What the library says about its configuration, and that it is silent without any.

use crate::harness::{Preload, Run, name};

/// Exit status of `churn.c`, which must come through.
pub const STATUS: Option<i32> = Some(7);

#[track_caller]
fn churn(preload: Preload) -> Run {
    let run = preload.run();
    assert_eq!(
        (run.status.code(), run.stdout.as_str()),
        (STATUS, "done\n"),
        "{}",
        run.stderr
    );
    run
}

/// The lines on stderr for these options, without our prefix.
#[track_caller]
fn said(options: &str) -> Vec<String> {
    let run = churn(Preload::new("churn.c").bare_conf(options));
    let line = |line: &str| {
        let text = line.strip_prefix("<malloscope>: ");
        text.unwrap_or_else(|| panic!("no prefix: {line}"))
            .to_owned()
    };
    run.stderr.lines().map(line).collect()
}

#[test]
fn without_configuration_nothing_happens() {
    let run = churn(Preload::new("churn.c"));
    assert_eq!((run.stderr.as_str(), run.dump_files().len()), ("", 0));
}

#[test]
fn other_peoples_keys_in_malloc_conf_are_not_ours() {
    let conf = "narenas:4,dirty_decay_ms:0,background_thread:true,nonsense:1";
    let run = churn(Preload::new("churn.c").env("MALLOC_CONF", conf));
    assert_eq!((run.stderr.as_str(), run.dump_files().len()), ("", 0));
}

#[test]
fn the_recipe_for_jemalloc_works_as_it_is() {
    let conf = "prof:true,lg_prof_interval:23,lg_prof_sample:17,background_thread:true";
    let run = churn(Preload::new("churn.c").env("MALLOC_CONF", conf));
    assert_eq!(run.stderr, "");
    let files = run.dump_files();
    assert!(
        (4..=6).contains(&files.len()),
        "48 MiB make five dumps of 8: {files:?}"
    );
    assert!(
        files.iter().all(|path| name(path).starts_with("jeprof.")),
        "{files:?}"
    );
    assert_eq!(run.dumps()[0].period, 1 << 17);
}

#[test]
fn our_own_variable_comes_first() {
    let preload = Preload::new("churn.c").conf("prof:true,prof_final:true,lg_prof_sample:15");
    let run = churn(preload.env("MALLOC_CONF", "prof:true,lg_prof_sample:13"));
    assert_eq!(run.final_dump().period, 1 << 15);
}

#[test]
fn what_cannot_be_read_is_said_in_jemallocs_words() {
    assert_eq!(said("prof:false"), [""; 0]);
    assert_eq!(said("profile:true"), ["Invalid conf pair: profile:true"]);
    assert_eq!(said("prof:maybe"), ["Invalid conf value: prof:maybe"]);
    assert_eq!(
        said("lg_prof_interval:64"),
        ["Out-of-range conf value: lg_prof_interval:64"]
    );
    assert_eq!(said("prof,lg_prof_sample:17"), ["Malformed conf string"]);
    assert_eq!(said("prof"), ["Conf string ends with key"]);
    assert_eq!(said("prof:false,"), ["Conf string ends with comma"]);
    let refused = said("prof_log:true");
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].starts_with("prof_log is not supported"),
        "{refused:?}"
    );
}

#[test]
fn what_was_understood_still_counts_after_a_mistake() {
    let run = churn(Preload::new("churn.c").conf("prof:true,nonsense:1,prof_final:true"));
    assert_eq!(run.stderr, "<malloscope>: Invalid conf pair: nonsense:1\n");
    assert_eq!(run.dumps().len(), 1);
}

#[test]
fn confirm_conf_repeats_what_was_set() {
    let lines = said("confirm_conf:true,lg_prof_sample:16");
    assert!(
        lines[0].contains("MALLOSCOPE_CONF") && lines[0].contains("lg_prof_sample:16"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"-- Set conf value: lg_prof_sample:16".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn abort_conf_aborts() {
    use std::os::unix::process::ExitStatusExt;
    let run = Preload::new("churn.c")
        .bare_conf("abort_conf:true,nonsense:1")
        .run();
    assert_eq!(run.status.signal(), Some(6), "{}", run.stderr);
}

//! In the company of other allocators and profilers: before us, behind us, or linked in.

use crate::config::STATUS;
use crate::harness::{Preload, compile, library, name, system_library};

const JEMALLOC: &str = "libjemalloc.so.2";

#[test]
fn being_preloaded_twice_is_harmless() {
    let conf = "prof:true,prof_final:true,lg_prof_sample:17";
    let run = Preload::new("statistics.c")
        .conf(conf)
        .behind_us(library())
        .run()
        .succeeded();
    assert!(run.final_dump().live_bytes() > 100_000_000);
}

#[test]
fn malloc_conf_belongs_to_the_jemalloc_behind_us() {
    let conf = "prof:true,lg_prof_interval:23,lg_prof_sample:14";
    let profiled = || Preload::new("churn.c").behind_us(system_library(JEMALLOC));
    let run = profiled().env("MALLOC_CONF", conf).run();
    assert_eq!((run.status.code(), run.stderr.as_str()), (STATUS, ""));
    let asked = profiled().env("MALLOC_CONF", format!("{conf},confirm_conf:true"));
    let said = asked.run().stderr;
    assert_eq!(
        said.matches("MALLOSCOPE_CONF would configure us").count(),
        1,
        "{said}"
    );
    // Its own dumps, not ours: they lack our second line.
    for file in run.dump_files() {
        let text = std::fs::read_to_string(&file).expect("a dump");
        assert!(!text.contains("# malloscope"), "{}", name(&file));
    }
}

#[test]
fn both_variables_configure_both_profilers() {
    let preload = Preload::new("churn.c").env("MALLOC_CONF", "narenas:2");
    let preload = preload.conf("prof:true,prof_final:true,lg_prof_sample:14");
    let run = preload.behind_us(system_library(JEMALLOC)).run();
    assert_eq!((run.status.code(), run.stderr.as_str()), (STATUS, ""));
    assert!(run.final_dump().live_bytes() > 500_000);
}

#[test]
fn an_allocator_before_us_is_one_remark() {
    let run = Preload::new("churn.c")
        .libraries(&[system_library(JEMALLOC), library()])
        .conf("prof:true,prof_final:true,prof_remarks:true,lg_prof_sample:14")
        .run();
    assert_eq!((run.status.code(), run.dump_files().len()), (STATUS, 0));
    assert_eq!(run.stderr, "");
    assert_eq!(
        run.remarks(),
        ["malloc is defined before this library: nothing can be sampled"]
    );
}

#[test]
fn a_static_program_is_left_alone() {
    let run = Preload::command([compile("churn.c", &["-static"])])
        .conf("prof:true")
        .run();
    assert_eq!((run.status.code(), run.stdout.as_str()), (STATUS, "done\n"));
    assert_eq!((run.stderr.as_str(), run.dump_files().len()), ("", 0));
}

#[test]
fn blocks_freed_with_their_size_are_filed_where_they_came_from() {
    let left = |lg_period: Option<u8>| {
        let preload = Preload::new("sized_free.cpp");
        let preload = match lg_period {
            None => preload.libraries(&[]),
            Some(lg) => preload.conf(&format!("prof:true,lg_prof_sample:{lg}")),
        };
        let run = preload
            .behind_us(system_library(JEMALLOC))
            .run()
            .succeeded();
        run.truth("left")
    };
    let without_us = left(None);
    for lg_period in [0, 10, 14] {
        let with_us = left(Some(lg_period));
        // The few freed blocks that are kept for the next samples, and nothing that grows.
        assert!(
            with_us < without_us + (8 << 20),
            "{with_us} bytes, {without_us} without us"
        );
    }
}

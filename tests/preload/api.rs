//! The C allocator's entry points behave with us as without us, on sampled blocks and on others.

use std::collections::BTreeSet;

use crate::harness::Preload;

/// The output must be the same; a failure shows the lines that differ, of many that do not.
#[track_caller]
fn assert_same(plain: &str, ours: &str, when: &str) {
    let missing: Vec<_> = plain
        .lines()
        .filter(|line| !ours.lines().any(|own| own == *line))
        .collect();
    let new: BTreeSet<_> = ours
        .lines()
        .filter(|line| !plain.lines().any(|own| own == *line))
        .collect();
    assert!(plain == ours, "{when}: missing {missing:#?}, new {new:#?}");
}

#[test]
fn every_entry_point_behaves_as_without_us() {
    let plain = Preload::new("api.c")
        .libraries(&[])
        .run()
        .succeeded()
        .stdout;
    assert!(
        plain.ends_with("end\n") && !plain.contains("WRONG"),
        "{plain}"
    );
    let dormant = Preload::new("api.c").run().succeeded();
    assert_same(&plain, &dormant.stdout, "dormant");
    for lg_period in [0, 4, 12, 14, 19] {
        let conf = format!("prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("api.c").conf(&conf).run().succeeded();
        assert_same(&plain, &run.stdout, &conf);
        assert!(
            run.final_dump()
                .stacks
                .iter()
                .any(|stack| stack.samples_ever > 0)
        );
    }
}

#[test]
fn ready_but_inactive_changes_nothing() {
    let plain = Preload::new("api.c")
        .libraries(&[])
        .run()
        .succeeded()
        .stdout;
    for conf in [
        "prof:true,prof_active:false",
        "prof:true,prof_thread_active_init:false",
    ] {
        let run = Preload::new("api.c").conf(conf).run().succeeded();
        assert_same(&plain, &run.stdout, conf);
    }
}

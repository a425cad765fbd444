//! The C allocator's entry points behave with us as without us, on sampled blocks and on others.

use crate::harness::Preload;

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
    assert_eq!(plain, dormant.stdout);
    for lg_period in [0, 4, 12, 14, 19] {
        let conf = format!("prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("api.c").conf(&conf).run().succeeded();
        assert_eq!(plain, run.stdout, "at a period of 2^{lg_period}");
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
        assert_eq!(
            plain,
            Preload::new("api.c").conf(conf).run().succeeded().stdout,
            "{conf}"
        );
    }
}

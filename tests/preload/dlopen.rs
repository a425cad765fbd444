//! Libraries that come and go in other threads while every few kilobytes are sampled.

use crate::harness::{Preload, compile};

#[test]
fn libraries_may_be_unloaded_under_our_feet() {
    let plugin = compile("plugin.cpp", &["-shared", "-fPIC"]);
    for lg_period in [0, 12] {
        let conf = format!("prof:true,prof_final:true,lg_prof_sample:{lg_period}");
        for _ in 0..4 {
            let run = Preload::new("dlstorm.cpp")
                .arg(&plugin)
                .arg("1500")
                .conf(&conf)
                .run()
                .succeeded();
            assert!(!run.stdout.contains("WRONG"), "{}", run.stdout);
            assert!(
                run.truth("loads") > 100 && run.truth("throws") > 100,
                "{}",
                run.stdout
            );
        }
    }
}

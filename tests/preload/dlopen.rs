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

/// The shared libstdc++ stays once it is there; operators of the plugin's own go with it.
const PLUGINS: [&[&str]; 2] = [
    &["-shared", "-fPIC"],
    &["-shared", "-fPIC", "-DOWN_OPERATORS"],
];

#[test]
fn operators_may_come_with_a_library_and_go_with_it() {
    for flags in PLUGINS {
        let plugin = compile("plugin.cpp", flags);
        for conf in [
            "prof:false",
            "prof:true,lg_prof_sample:0",
            "prof:true,lg_prof_sample:10",
        ] {
            let run = Preload::new("late_operators.c")
                .arg(&plugin)
                .conf(conf)
                .run()
                .succeeded();
            assert_eq!(
                (run.stdout.as_str(), run.stderr.as_str()),
                ("end\n", ""),
                "{flags:?} {conf}"
            );
        }
    }
}

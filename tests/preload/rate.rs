//! `lg_prof_sample:auto`: quiet programs are sampled densely, loud ones sparsely, and the records stay small.

use crate::control::{ask, number, wait_for};
use crate::dump::Dump;
use crate::harness::Preload;

fn run(how: &str, conf: &str) -> Dump {
    let preload = Preload::new("paces.c").arg(how);
    let run = preload
        .conf(&format!("prof:true,prof_final:true{conf}"))
        .run()
        .succeeded();
    run.final_dump()
}

/// Log2 of the periods, the first one first.
fn periods(dump: &Dump) -> Vec<u32> {
    let history = dump.facts["period_history"].split(' ');
    let lg = |change: &str| change.split_once(':')?.1.parse().ok();
    history.map(|change| lg(change).expect(change)).collect()
}

#[test]
fn a_quiet_program_is_sampled_densely() {
    let dump = run("quiet", "");
    let periods = periods(&dump);
    assert_eq!(periods.first(), Some(&19));
    assert!(periods.last() < Some(&16), "{periods:?}");
    assert!(
        periods.iter().all(|lg| (13..=19).contains(lg)),
        "{periods:?}"
    );
    assert_eq!(dump.number("prof_budget_per_mille"), 10);
    assert!(dump.number("budget_spent_us") > 0 && dump.number("cpu_us") > 1_000_000);
}

#[test]
fn a_loud_program_is_sampled_sparsely() {
    let dump = run("loud", "");
    assert_eq!(periods(&dump).last(), Some(&19));
    assert_eq!(dump.number("period_bytes"), 1 << 19);
}

#[test]
fn a_number_is_a_number() {
    let dump = run("quiet", ",lg_prof_sample:17");
    assert_eq!(dump.number("period_bytes"), 1 << 17);
    assert!(!dump.facts.contains_key("period_history"));
}

/// 100,000 records of a program that was watched call by call are more than those of its heap may be: when the
/// rate is to find itself, they give way, and what is left stands for the heap within four deviations.
#[test]
fn records_give_way_and_the_sums_stay_true() {
    let preload = Preload::new("paces.c").arg("heap").arg("60");
    let program = preload
        .conf("prof:true,prof_control:true,lg_prof_sample:0")
        .start();
    let pid = program.pid();
    wait_for(pid, |status| number(status, "live_samples") >= 100_000);
    assert_eq!(ask(pid, "rate auto"), "ok\n");
    let status = wait_for(pid, |status| {
        status.contains("sample_thinned") && number(status, "live_samples") < 10_000
    });
    let live = number(&status, "live_bytes") as f64;
    let deviation = 10_000_000.0 / (number(&status, "live_samples") as f64).sqrt();
    assert!((live - 10_000_000.0).abs() < 4.0 * deviation, "{status}");
    assert_eq!(number(&status, "prof_budget_per_mille"), 10);
    program.kill();
}

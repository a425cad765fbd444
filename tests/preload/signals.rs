//! Signals and traps: handlers that allocate, handlers that are not ours, exceptions of arithmetic.

use crate::harness::{Preload, compile, system_library};

#[test]
fn a_handler_that_interrupts_us_may_allocate() {
    for lg_period in [0, 8] {
        let conf = format!("prof:true,prof_final:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("interrupt.c").conf(&conf).run().succeeded();
        assert!(run.truth("inside") > 20, "{}", run.stdout);
        assert!(run.final_dump().live_bytes() >= 3_000_000);
    }
}

#[test]
fn signals_reach_the_programs_threads_and_no_others() {
    let conf = "prof:true,lg_prof_sample:14,lg_prof_interval:20,prof_keep:2";
    let seen = |preload: Preload| preload.run().succeeded();
    let plain = seen(Preload::new("bystander.c").libraries(&[]));
    let run = seen(Preload::new("bystander.c").conf(conf));
    assert_eq!(run.stdout, plain.stdout);
    assert_eq!((run.truth("strange"), run.truth("handlers")), (0, 0));
    assert!(!run.dumps().is_empty());
}

#[test]
fn unmasked_exceptions_of_arithmetic_are_not_raised() {
    let program = compile("floating.c", &["-Wl,--no-as-needed", "-lm"]);
    for lg_period in [0, 12, 17] {
        let conf = "prof:true,prof_final:true,lg_prof_interval:22";
        let conf = format!("{conf},lg_prof_sample:{lg_period}");
        let run = Preload::command([&program]).conf(&conf).run().succeeded();
        assert_eq!(run.stdout, "flags=0\nend\n");
    }
}

/// A debugger, or a profiler of processor time, may stop the program at any instruction of ours.
#[test]
fn the_stack_can_be_unwound_from_every_instruction() {
    let jemalloc = system_library("libjemalloc.so.2");
    for behind in [None, Some(jemalloc)] {
        for (lg_period, instructions) in [(0, 20_000), (19, 100)] {
            let conf = format!("prof:true,lg_prof_sample:{lg_period}");
            let preload = Preload::new("steps.cpp").conf(&conf);
            let run = behind.iter().cloned().fold(preload, Preload::behind_us);
            let run = run.run().succeeded();
            assert!(run.truth("looked") > instructions, "{}", run.stdout);
            assert_eq!(run.truth("lost"), 0, "{behind:?}: {}", run.stdout);
        }
    }
}

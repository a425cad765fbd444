//! Threads that end, many of them, and the thread there is none of.

use crate::harness::Preload;

#[test]
fn destructors_of_threads_may_allocate() {
    for lg_period in [0, 12] {
        let conf = format!("prof:true,prof_final:true,lg_prof_sample:{lg_period}");
        let run = Preload::new("destructors.cpp")
            .conf(&conf)
            .run()
            .succeeded();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("end\n", ""));
        run.final_dump();
    }
}

#[test]
fn memory_does_not_grow_with_the_threads_that_were() {
    let profiler_bytes = |threads: &str| {
        let conf = "prof:true,prof_final:true,lg_prof_sample:17";
        let preload = Preload::new("thread_churn.c").arg(threads).conf(conf);
        let run = preload.run().succeeded();
        assert_eq!(run.stdout, "");
        run.final_dump().number("profiler_bytes")
    };
    let (few, many) = (profiler_bytes("200"), profiler_bytes("6000"));
    assert!(many <= few + (256 << 10), "{few} bytes became {many}");
}

#[test]
fn a_program_of_one_thread_never_has_a_second() {
    let conf = "prof:true,prof_final:true,lg_prof_sample:10,lg_prof_interval:20";
    let run = Preload::new("alone.c").conf(conf).run().succeeded();
    assert_eq!(run.truth("threads"), 1);
    assert!(run.dumps().len() > 10);
}

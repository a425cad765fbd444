//! Generated code has the names that its map gives it at the time of each sample; a map that may not be
//! trusted, or that is not there, names nothing and harms nothing.

use std::fs;

use crate::dump::Dump;
use crate::harness::{Preload, Run};

const CONF: &str = "prof:true,prof_final_all:true,prof_final:true,lg_prof_sample:0";

/// Removes the maps, which only their writers' numbers name.
fn run(arguments: &[&str]) -> Run {
    let program = Preload::new("generated.c").conf(CONF);
    let run = arguments.iter().fold(program, Preload::arg).run();
    for key in ["pid=", "child="] {
        let pid = run.stdout.lines().find_map(|line| line.strip_prefix(key));
        if let Some(pid) = pid {
            let _ = fs::remove_file(format!("/tmp/perf-{pid}.map"));
        }
    }
    let run = run.succeeded();
    assert_eq!(run.stderr, "");
    run
}

/// The managed frames of the stack that holds the one block of `size` bytes, leaf first.
#[track_caller]
fn names(dump: &Dump, size: u64) -> Vec<&str> {
    let holds = |stack: &&crate::dump::Stack| stack.live.2 == size;
    let stack = dump.stacks.iter().find(holds);
    let stack = stack.unwrap_or_else(|| panic!("no block of {size} bytes"));
    dump.names(stack)
}

fn remark(dump: &Dump) -> &str {
    dump.facts.get("remark").map_or("", String::as_str)
}

#[test]
fn a_stack_keeps_the_names_of_its_time() {
    let dump = run(&["plain"]).final_dump();
    assert_eq!(names(&dump, 2000), ["first /srv/my app.js:10"]);
    assert_eq!(names(&dump, 3000), ["second name, with blanks :"]);
    assert_eq!(names(&dump, 4000), ["[jit] :"], "nobody ever named it");
    // Not named when it was sampled: what is known at the dump.
    assert_eq!(names(&dump, 1000), ["second name, with blanks :"]);
    assert_eq!(names(&dump, 6000), ["torn :"], "its line was torn then");
    assert_eq!(names(&dump, 7000), ["torn :"]);
    assert_eq!(remark(&dump), "", "there is a map");
}

#[test]
fn the_trampoline_of_cpython_is_walked_through() {
    let dump = run(&["plain"]).final_dump();
    assert_eq!(names(&dump, 5000), ["Cart.add /srv/shop.py:"]);
    let stack = dump.stacks.iter().find(|stack| stack.live.2 == 5000);
    let frames = &stack.expect("the stack").frames;
    let trampoline = frames.iter().position(|pc| dump.managed.contains_key(pc));
    let behind = frames.len() - trampoline.expect("the trampoline");
    assert!(behind > 3, "main and what called it: {frames:x?}");
}

#[test]
fn a_fork_has_its_parents_names_and_its_own_map() {
    let run = run(&["forked"]);
    let child = run.truth("child").to_string();
    let dumps = run.dumps();
    let of_child = |dump: &&Dump| dump.facts["pid"] == child;
    let dump = dumps.iter().find(of_child).expect("the child's dump");
    assert_eq!(names(dump, 1000), ["of the parent :"]);
    assert_eq!(names(dump, 2000), ["of the parent :"]);
    assert_eq!(names(dump, 3000), ["of the child :"]);
}

#[test]
fn hostile_maps_are_refused() {
    for what in ["link", "pipe"] {
        let run = run(&[what]);
        assert_eq!(run.truth("ended"), 1);
        let dump = run.final_dump();
        assert_eq!(names(&dump, 1000), ["[jit] :"], "{what}");
    }
}

#[test]
fn what_a_dead_process_of_the_same_number_left_names_nothing() {
    let dump = run(&["stale"]).final_dump();
    assert_eq!(names(&dump, 1000), ["[jit] :"]);
    assert_eq!(names(&dump, 2000), ["of this process :"]);
}

#[test]
fn without_a_map_the_dump_says_what_would_name_the_code() {
    let dump = run(&["none"]).final_dump();
    assert_eq!(names(&dump, 1000), ["[jit] :"]);
    assert!(remark(&dump).contains("perf map"), "{}", remark(&dump));
}

#[test]
fn it_can_be_switched_off() {
    let conf = format!("{CONF},prof_perf_map:false");
    let run = Preload::new("generated.c").conf(&conf).run().succeeded();
    let _ = fs::remove_file(format!("/tmp/perf-{}.map", run.truth("pid")));
    assert!(run.final_dump().managed.is_empty());
}

#[test]
fn a_huge_map_is_read_as_far_as_memory_for_names_goes() {
    let small = run(&["large", "3"]).final_dump();
    assert_eq!(names(&small, 1000), ["the last :"]);
    let dump = run(&["large", "200"]).final_dump();
    assert_eq!(names(&dump, 1000), ["[jit] :"]);
    assert!(remark(&dump).contains("too large"), "{}", remark(&dump));
    assert!(dump.number("profiler_bytes") < 64 << 20);
}

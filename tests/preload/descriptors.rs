//! The table of descriptors is the program's: nothing of ours is in it, whatever is closed or reused.

use std::fs;

use crate::harness::Preload;

const OFTEN: &str =
    "prof:true,prof_dump_live:true,lg_prof_sample:10,lg_prof_interval:20,prof_keep:3";

#[test]
fn a_child_inherits_no_descriptor() {
    let run = Preload::new("inherit.c").conf(OFTEN).run().succeeded();
    assert_eq!(run.truth("inherited"), 0);
    assert!(!run.dumps().is_empty());
}

#[test]
fn nobody_writes_into_files_of_the_program() {
    let run = Preload::new("reuse.c").conf(OFTEN).run().succeeded();
    assert_eq!((run.truth("spoiled"), run.truth("lost")), (0, 0));
    assert!(!run.dumps().is_empty());
}

#[test]
fn a_closed_descriptor_stays_closed() {
    let run = Preload::new("closed.c").conf(OFTEN).run().succeeded();
    assert_eq!(run.truth("written"), 0);
    assert!(!run.dumps().is_empty());
}

#[test]
fn messages_do_not_go_into_a_file_that_took_the_place_of_stderr() {
    let conf = "prof:true,lg_prof_sample:12,lg_prof_interval:22,prof_final:true";
    let conf = format!("{conf},prof_prefix:/nowhere/at/all/dump");
    let run = Preload::new("standard.c")
        .bare_conf(&conf)
        .run()
        .succeeded();
    for number in 0..3 {
        let own = run.directory().join(format!("own{number}"));
        assert_eq!(fs::read(own).expect("the program's file"), b"");
    }
}

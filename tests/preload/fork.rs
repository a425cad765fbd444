//! fork while other threads allocate: children go on sampling under their own pid, nobody hangs.

use crate::harness::{Preload, name};

#[test]
fn children_of_busy_parents_never_hang() {
    for conf in [
        "prof:true,lg_prof_sample:0",
        "prof:true,lg_prof_sample:12,lg_prof_interval:22",
    ] {
        let run = Preload::new("fork.c")
            .arg("300")
            .conf(conf)
            .run()
            .succeeded();
        assert_eq!(run.stdout, "end\n", "{}", run.stderr);
    }
}

#[test]
fn a_dormant_library_does_not_mind_forks() {
    let run = Preload::new("fork.c").arg("100").run().succeeded();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("end\n", ""));
    assert_eq!(run.dump_files().len(), 0);
}

#[test]
fn parent_and_child_each_dump_what_lives_in_them() {
    let conf =
        "prof:true,lg_prof_sample:12,prof_final:true,prof_final_all:true,prof_dump_live:true";
    let run = Preload::new("fork.c")
        .arg("40")
        .arg("dumps")
        .conf(conf)
        .run()
        .succeeded();
    let child = run.truth("child");
    let dumps = run.dumps();
    assert_eq!(dumps.len(), 2, "{:?}", run.dump_files());
    for dump in dumps {
        let pid = dump.number("pid");
        assert!(name(&dump.path).contains(&format!(".{pid}.")));
        let has = |size| dump.live.iter().any(|&(_, live, _)| live == size);
        assert!(has(3_000_000), "allocated before the fork, lives in both");
        assert_eq!(
            has(5_000_000),
            pid == child,
            "allocated after the fork, by the child"
        );
    }
}

#[test]
fn a_child_may_fork_and_its_child_again() {
    for lg_period in [0, 12] {
        let conf = format!(
            "prof:true,prof_final:true,prof_final_all:true,prof_dump_live:true,lg_prof_sample:{lg_period}"
        );
        let run = Preload::new("fork_in_fork.c").conf(&conf).run().succeeded();
        let kept = |dump: &crate::dump::Dump| {
            let sizes = dump.live.iter().map(|&(_, size, _)| size);
            sizes
                .filter(|size| (1_000_000..1_000_004).contains(size))
                .count()
        };
        let mut generations: Vec<_> = run.dumps().iter().map(kept).collect();
        generations.sort_unstable();
        assert_eq!(
            generations,
            [1, 2, 3, 4],
            "each has its own and those before"
        );
    }
}

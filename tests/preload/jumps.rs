//! Control that leaves our hooks another way than it came, and stacks that are not the thread's.

use crate::harness::Preload;

fn conf(lg_period: u8) -> String {
    format!("prof:true,prof_final:true,prof_dump_live:true,lg_prof_sample:{lg_period}")
}

#[test]
fn exceptions_and_longjmp_leave_operator_new() {
    for lg_period in [0, 10] {
        let preload = Preload::new("jumps.cpp").conf(&conf(lg_period));
        let run = preload.run().succeeded();
        assert_eq!(run.stdout, "end\n");
        let dump = run.final_dump();
        let last = dump.live.iter().filter(|&&(_, size, _)| size == 3_000_000);
        assert_eq!(last.count(), 2, "both threads still sample");
        assert_eq!(dump.number("counter_reentered"), 0);
    }
}

#[test]
fn fibers_are_sampled_on_stacks_of_their_own() {
    for lg_period in [0, 10] {
        let preload = Preload::new("fibers.c").conf(&conf(lg_period));
        let run = preload.run().succeeded();
        assert_eq!(run.truth("done"), 8);
        let dump = run.final_dump();
        let sizes = dump.live.iter().map(|&(_, size, _)| size);
        let in_fibers = sizes.filter(|size| (70_000..70_008).contains(size)).count();
        assert!(in_fibers >= 4, "{in_fibers}");
    }
}

//! Places where profilers have died: little stack, the time before and after main, daemons.

use crate::harness::Preload;

const PERIODS: [u8; 2] = [0, 12];

fn sampling(program: &str, lg_period: u8) -> Preload {
    let conf = format!("prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{lg_period}");
    Preload::new(program).conf(&conf)
}

#[test]
fn little_stack_is_enough() {
    for lg_period in PERIODS {
        let run = sampling("small_stacks.c", lg_period).run().succeeded();
        assert_eq!(run.stdout, "handled 20\n");
        assert!(run.final_dump().stacks.len() > 3);
    }
}

#[test]
fn malloc_works_before_main_and_after_it() {
    let plain = Preload::new("late.c").libraries(&[]).run();
    assert_eq!(plain.status.code(), Some(3));
    for lg_period in PERIODS {
        let run = sampling("late.c", lg_period).run();
        assert_eq!(run.status.code(), Some(3), "{}", run.stderr);
        assert_eq!(run.stderr, plain.stderr);
        assert!(run.final_dump().number("threads") >= 1);
    }
}

#[test]
fn a_daemon_keeps_its_descriptors_and_we_our_directory() {
    let plain = Preload::new("daemon.c").libraries(&[]).run().succeeded();
    for lg_period in PERIODS {
        let run = sampling("daemon.c", lg_period).run().succeeded();
        assert_eq!(run.stdout, plain.stdout);
        assert_eq!(run.stderr, "");
        assert!(run.final_dump().live_bytes() > 20_000_000);
    }
}

#[test]
fn frees_of_what_is_no_block_end_as_without_us() {
    use std::os::unix::process::ExitStatusExt;
    for mistake in ["twice", "inside", "foreign"] {
        let plain = Preload::new("double_free.c")
            .arg(mistake)
            .libraries(&[])
            .run();
        assert_eq!(plain.status.signal(), Some(6), "{mistake}: glibc finds it");
        for lg_period in PERIODS {
            let run = sampling("double_free.c", lg_period).arg(mistake).run();
            assert_eq!(run.status, plain.status, "{mistake}");
            assert_eq!(run.stderr, plain.stderr, "{mistake}");
        }
    }
}

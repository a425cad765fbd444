//! Chains of small programs, each started by the one before, as shells make them: all are profiled,
//! and all say what they say without us.

use crate::harness::{Preload, Run, installed};

const CONF: &str = "prof:true,prof_final:true,prof_final_all:true,lg_prof_sample:12";

/// What a script says does not depend on us; each of its programs leaves a dump.
#[track_caller]
fn same(shell: &str, script: &str) -> Run {
    let start = || Preload::command([shell, "-c", script]);
    let plain = start().libraries(&[]).run();
    let dormant = start().run();
    let run = start().conf(CONF).run();
    for ours in [&dormant, &run] {
        assert_eq!(
            (ours.status, &ours.stdout, &ours.stderr),
            (plain.status, &plain.stdout, &plain.stderr),
            "{script}"
        );
    }
    run
}

#[test]
fn pipes_and_substitutions() {
    let script = "seq 2000 | sort -r | awk '{ n += $1 } END { print n }'; \
        for i in 1 2 3; do echo $(echo $((i * 7)) | sed s/1/one/); done; \
        (exit 3) || echo $?; cat <(echo here) <<<there; printf '%s\\n' {1..500} | tail -1";
    let run = same("bash", script);
    assert!(run.dump_files().len() > 10, "{:?}", run.dump_files());
    assert!(run.dumps().len() > 10);
}

#[test]
fn programs_that_start_programs() {
    let script = "env -i sh -c 'echo \"[$HOME]\"'; nohup true; setsid -w echo session; \
        echo a b c | xargs -n 1 -P 3 true; nice echo nice; timeout 20 echo in time; \
        find / -maxdepth 0 -exec echo {} \\;; exec sh -c 'exec echo end'";
    same("sh", script);
}

#[test]
fn traps_and_jobs() {
    let script = "trap 'echo got it' USR1; trap 'echo bye' EXIT; kill -USR1 $$; \
        sleep 0.2 & wait $!; echo $?; exec 2>/dev/null; (kill -TERM $BASHPID); echo $?; \
        sh -c 'kill -9 $$'; echo $?";
    same("bash", script);
}

/// ldd asks the loader to list the libraries instead of running the program.
#[test]
fn ldd_lists_us_and_runs_nothing() {
    let command = [
        "bash",
        "-c",
        "ldd $(command -v sort); ldd /etc/passwd; echo $?",
    ];
    let run = Preload::command(command).conf(CONF).run().succeeded();
    assert!(run.stdout.contains("libmalloscope.so"), "{}", run.stdout);
    assert!(run.stdout.contains("libc.so.6"), "{}", run.stdout);
    assert!(run.stdout.ends_with("1\n"), "{}", run.stdout);
}

/// As `sudo` and `su` do: another user, a clean environment, a shell from there.
#[test]
fn becoming_somebody_else() {
    if installed("setpriv").is_none() {
        return eprintln!("passed over: setpriv is not installed");
    }
    let script = "setpriv --no-new-privs sh -c 'echo $((6 * 7))'; \
        [ $(id -u) != 0 ] || setpriv --reuid=65534 --clear-groups sh -c 'id -u; umask'; echo $?";
    let start = || Preload::command(["sh", "-c", script]);
    let plain = start().libraries(&[]).run().succeeded();
    assert_eq!(start().run().succeeded().stdout, plain.stdout);
    assert_eq!(start().conf(CONF).run().succeeded().stdout, plain.stdout);
}

//! The probes by which other tools watch our samples: `otel_memory:alloc` and `otel_memory:free`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::dump::Dump;
use crate::ground_truth::tracked_range;
use crate::harness::{Preload, Run, compile, dump_files, installed, library};

/// The notes as readelf shows them: name, semaphore, arguments.
fn notes() -> Vec<(String, u64, String)> {
    let output = Command::new("readelf").arg("-nW").arg(library()).output();
    let text = String::from_utf8(output.expect("readelf of binutils").stdout).expect("text");
    let probes = text.split("Provider: otel_memory").skip(1);
    let field = |probe: &str, name: &str| {
        let (_, rest) = probe.split_once(name).expect(name);
        rest.lines().next().unwrap_or_default().trim().to_owned()
    };
    probes
        .map(|probe| {
            let semaphore = field(probe, "Semaphore: 0x");
            let semaphore = u64::from_str_radix(&semaphore, 16).expect("an address");
            (field(probe, "Name:"), semaphore, field(probe, "Arguments:"))
        })
        .collect()
}

#[test]
fn the_file_says_where_they_are() {
    let mut notes = notes();
    notes.sort();
    let [alloc, free] = &notes[..] else {
        panic!("{notes:?}")
    };
    assert_eq!(
        (alloc.0.as_str(), alloc.2.as_str()),
        ("alloc", "8@%rdi 8@%rsi 8@%rdx")
    );
    assert_eq!((free.0.as_str(), free.2.as_str()), ("free", "8@%rdi"));
    let output = Command::new("readelf")
        .args(["-SW"])
        .arg(library())
        .output();
    let sections = String::from_utf8(output.expect("readelf").stdout).expect("text");
    let section = |name: &str| {
        let line = sections.lines().find(|line| line.contains(name));
        line.unwrap_or_else(|| panic!("no {name}: {sections}"))
            .to_owned()
    };
    // The kernel counts up a semaphore by its place in the file.
    let probes = section(".probes");
    assert!(
        probes.contains("PROGBITS") && probes.contains(" WA "),
        "{probes}"
    );
    let start = probes.split_whitespace().find(|word| word.len() == 16);
    let start = u64::from_str_radix(start.expect("an address"), 16).expect("an address");
    for (name, semaphore, _) in &notes {
        assert!(
            (start..start + 4).contains(semaphore),
            "{name}: {semaphore:x}"
        );
    }
    // By which a reader notices that the file was moved.
    section(".stapsdt.base");
}

/// Runs the program under gdb with a breakpoint at each probe, which also counts up the semaphores.
fn watched(conf: &str, rounds: &str) -> Option<Run> {
    let gdb = installed("gdb")?;
    let program = compile("probes.c", &[]);
    let preload = Preload::command([gdb]).libraries(&[]);
    let directory = preload.directory().to_owned();
    let script = format!(
        "set pagination off\nset width 0\nset debuginfod enabled off\nset startup-with-shell off\n\
         set environment LD_PRELOAD {}\n\
         set environment MALLOSCOPE_CONF prof_prefix:{}/dump,{conf}\n\
         break main\nrun\n\
         break -probe-stap otel_memory:alloc\ncommands\nsilent\n\
         printf \"alloc %lx %lu %lu, %lu %lu\\n\", $rdi, $rsi, $rdx, $_probe_arg1, $_probe_arg2\ncontinue\nend\n\
         break -probe-stap otel_memory:free\ncommands\nsilent\n\
         printf \"free %lx %lx\\n\", $rdi, $_probe_arg0\ncontinue\nend\n\
         continue\n",
        library().display(),
        directory.display()
    );
    let file = directory.join("script");
    fs::write(&file, script).expect("a script");
    let preload = preload.arg("-nx").arg("-batch").arg("-x").arg(file);
    let program = program.to_str().expect("a path of text");
    let run = preload.arg("--args").arg(program).arg(rounds).run();
    // A debugger may be forbidden here.
    let is_forbidden = run.stderr.contains("ptrace") || run.stderr.contains("not permitted");
    (!is_forbidden).then_some(run)
}

/// What lives after all that the probes said: address, and what was said of it.
fn replayed(run: &Run) -> (BTreeMap<u64, (u64, u64)>, usize) {
    let mut live = BTreeMap::new();
    let mut frees = 0;
    for line in run.stdout.lines() {
        let words: Vec<&str> = line
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect();
        let hex = |at: usize| u64::from_str_radix(words[at], 16).expect("an address");
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        match words.first() {
            Some(&"alloc") => {
                assert_eq!((words[2], words[3]), (words[4], words[5]), "{line}");
                let before = live.insert(hex(1), (number(2), number(3)));
                assert_eq!(before, None, "twice without a free: {line}");
            }
            Some(&"free") => {
                assert_eq!(words[1], words[2], "{line}");
                frees += usize::from(live.remove(&hex(1)).is_some());
            }
            _ => {}
        }
    }
    (live, frees)
}

#[test]
fn a_debugger_sees_every_sample_and_its_end() {
    for (conf, rounds) in [("lg_prof_sample:0", "60"), ("lg_prof_sample:10", "400")] {
        let conf = format!("prof:true,prof_final:true,prof_dump_live:true,{conf}");
        let Some(run) = watched(&conf, rounds) else {
            println!("not run: no gdb here, or it is not permitted");
            return;
        };
        let files = dump_files(run.directory());
        let [file] = &files[..] else {
            panic!("{files:?}\n{}\n{}", run.stdout, run.stderr)
        };
        let dump = Dump::read(file);
        let line = run.stdout.lines().find(|line| line.starts_with("tracked="));
        let tracked = tracked_range(line.expect("the range of the code"));
        let (seen, frees) = replayed(&run);
        let live = dump.live_below(&tracked);
        assert!(live.len() >= 20 && frees >= 40, "{} {frees}", live.len());
        let told = |address: &u64| seen.get(address).map(|(size, _)| *size);
        let sizes: Vec<_> = live.iter().map(|(address, _)| told(address)).collect();
        let wanted: Vec<_> = live.iter().map(|(_, size)| Some(*size)).collect();
        assert_eq!(sizes, wanted);
        // What they stand for adds up to the dump's estimate.
        let weights = live.iter().filter_map(|(address, _)| seen.get(address));
        let weighted: u64 = weights.map(|(_, weighted)| weighted).sum();
        let stacks = dump.stacks.iter().filter(|stack| stack.passes(&tracked));
        assert_eq!(weighted, stacks.map(|stack| stack.live.2).sum::<u64>());
    }
}

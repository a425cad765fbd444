//! Python's frames in the stacks, with nothing but the library preloaded. `tests/python.sh` does the same
//! on every CPython of the machine, and what takes longer.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::dump::{Dump, Stack};
use crate::harness::{Preload, Run, compile, source};

/// Every call, and each that lives.
const EXACT: &str =
    "prof:true,prof_final:true,prof_dump_live:true,lg_prof_sample:0,prof_bt_max:1024";

/// What `MALLOSCOPE_PYTHON` names, or the first `python3` that is no script. It must be CPython 3.8 or
/// later.
fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("MALLOSCOPE_PYTHON") {
        return named.into();
    }
    let path = std::env::var_os("PATH").expect("a PATH");
    let mut found = std::env::split_paths(&path).map(|dir| dir.join("python3"));
    let is_program =
        |file: &PathBuf| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    found
        .find(is_program)
        .expect("python3; .ci/run installs it")
}

fn run(script: &str, options: &str) -> Preload {
    Preload::command([python(), source(&format!("tests/python/{script}"))]).conf(options)
}

/// The stacks of live blocks by their size.
fn by_size(dump: &Dump) -> HashMap<u64, &Stack> {
    let stacks: HashMap<u64, &Stack> = dump.stacks.iter().map(|stack| (stack.id, stack)).collect();
    let live = dump.live.iter();
    live.map(|(_, size, stack)| (*size, stacks[stack]))
        .collect()
}

/// What an object of type `bytes` takes beside its contents.
const HEAD: u64 = 33;

fn nothing_was_odd(dump: &Dump) {
    assert_eq!(dump.number("counter_python_odd"), 0, "{:?}", dump.path);
}

#[test]
fn each_stack_is_as_python_itself_says() {
    let run = run("frames.py", EXACT).succeeded_quietly();
    let dump = run.final_dump();
    nothing_was_odd(&dump);
    let stacks = by_size(&dump);
    let mut chains = 0;
    for line in run.stdout.lines() {
        let told = line.strip_prefix("chain ").expect("a chain");
        let (size, chain) = told.split_once(' ').expect("a size");
        let size: u64 = size.parse().expect("a number");
        let wanted: Vec<&str> = chain.split('|').collect();
        assert_eq!(dump.names(stacks[&(size + HEAD)]), wanted, "{size}");
        chains += 1;
    }
    assert!(chains > 40, "{chains}");
}

#[test]
fn a_name_may_be_long_and_a_stack_deep() {
    let options = "prof:true,prof_final:true,prof_dump_live:true,lg_prof_sample:0,prof_bt_max:40";
    let run = run("frames.py", options).succeeded_quietly();
    let dump = run.final_dump();
    let deep = dump.stacks.iter().filter(|stack| {
        let names = dump.names(stack);
        names
            .iter()
            .filter(|name| name.starts_with("recursion "))
            .count()
            > 30
    });
    let deep: Vec<_> = deep.collect();
    assert!(!deep.is_empty());
    assert!(deep.iter().all(|stack| stack.frames.len() <= 41));
}

#[test]
fn a_native_library_stands_between_the_frames_that_call_it() {
    let library = compile("python_extension.c", &["-shared", "-fPIC"]);
    let run = run("calls.py", EXACT).arg(&library).succeeded_quietly();
    let dump = run.final_dump();
    let file = library.to_string_lossy().into_owned();
    let is_library = |pc: &u64| {
        let mut maps = dump.maps.iter().filter(|line| line.ends_with(&file));
        maps.any(|line| {
            let (low, rest) = line.split_once('-').expect("a range");
            let (high, _) = rest.split_once(' ').expect("a range");
            let number = |text| u64::from_str_radix(text, 16).expect("an address");
            (number(low)..number(high)).contains(pc)
        })
    };
    let stacks = by_size(&dump);
    let places = |stack: &Stack| -> Vec<String> {
        let name = |pc: &u64| match dump.managed.get(pc) {
            Some(name) => name.split(' ').next().unwrap_or_default().to_owned(),
            None if is_library(pc) => "[library]".to_owned(),
            None => String::new(),
        };
        let names = stack.frames.iter().map(name);
        names.filter(|name| !name.is_empty()).collect()
    };
    assert_eq!(places(stacks[&50001]), ["[library]", "leaks", "<module>"]);
    let back = ["called_back", "[library]", "calls", "<module>"];
    let mut shown = places(stacks[&(60001 + HEAD)]);
    // A 3.14 whose instructions are functions does not show where in the native stack Python runs.
    if shown.len() == back.len() - 1 {
        shown.insert(1, "[library]".to_owned());
    }
    assert_eq!(shown, back);
}

#[test]
fn threads_tasks_and_forks_are_survived() {
    for (options, variable) in [
        ("lg_prof_sample:0", "pymalloc"),
        ("lg_prof_sample:10", "malloc"),
        ("lg_prof_sample:10,prof_python:false", "pymalloc"),
    ] {
        let run = run(
            "storm.py",
            &format!("prof:true,prof_final:true,prof_final_all:true,{options}"),
        )
        .arg("0.5")
        .env("PYTHONMALLOC", variable)
        .succeeded_quietly();
        assert_eq!(run.truth("survived"), 1);
        for dump in run.dumps() {
            nothing_was_odd(&dump);
        }
    }
}

#[test]
fn a_forks_child_has_frames_of_its_own() {
    let run = run(
        "storm.py",
        "prof:true,prof_final_all:true,prof_final:true,prof_accum:true,lg_prof_sample:12",
    )
    .arg("0.1")
    .succeeded_quietly();
    let has = |dump: &Dump, function: &str| {
        let mut stacks = dump.stacks.iter();
        stacks.any(|stack| {
            dump.names(stack)
                .iter()
                .any(|name| name.starts_with(function))
        })
    };
    let dumps = run.dumps();
    let children = dumps.iter().filter(|dump| has(dump, "in_child "));
    assert!(children.count() >= 1, "the child that ends by sys.exit");
    let parents = dumps
        .iter()
        .filter(|dump| has(dump, "objects ") && !has(dump, "in_child "));
    assert_eq!(parents.count(), 1);
}

#[test]
fn it_can_be_switched_off() {
    let run = run("frames.py", &format!("{EXACT},prof_python:false")).succeeded_quietly();
    assert!(run.final_dump().managed.is_empty());
}

#[test]
fn other_programs_have_no_python() {
    let run = Preload::command(["/bin/ls"]).conf(EXACT).run().succeeded();
    assert!(run.final_dump().managed.is_empty());
}

/// A run that ends well and says nothing on stderr.
trait Quietly {
    fn succeeded_quietly(self) -> Run;
}

impl Quietly for Preload {
    #[track_caller]
    fn succeeded_quietly(self) -> Run {
        let run = self.run().succeeded();
        assert_eq!(run.stderr, "");
        run
    }
}

#[test]
fn an_interpreter_starts_and_ends_as_without_us() {
    let script = "import sys; print(sys.version_info[0])";
    let plain = Command::new(python()).args(["-c", script]).output();
    let plain = String::from_utf8(plain.expect("python").stdout).expect("UTF-8");
    for sample in [0, 4] {
        let options = format!("prof:true,prof_final:true,lg_prof_sample:{sample}");
        let command = Preload::command([python()]).arg("-c").arg(script);
        let run = command.conf(&options).succeeded_quietly();
        assert_eq!(run.stdout, plain);
    }
}

/// Blocks and bytes that live, of small objects made by the function `texts`.
fn texts(run: &Run) -> (u64, u64) {
    let dump = run.final_dump();
    nothing_was_odd(&dump);
    let text = fs::read(&dump.path).expect("a dump");
    let text = String::from_utf8_lossy(&text);
    let stacks = text
        .lines()
        .filter_map(|line| line.strip_prefix("#@ python_objects stack "));
    let mut sum = (0, 0);
    for line in stacks {
        let (facts, frames) = line.split_once(" @ ").expect("a stack");
        let frames = frames.split(' ');
        let mut addresses = frames.map(|pc| u64::from_str_radix(&pc[2..], 16).expect("hex"));
        if !addresses.any(|pc| dump.managed.get(&pc).is_some_and(|name| is_texts(name))) {
            continue;
        }
        let live = facts.split(' ').find_map(|fact| fact.strip_prefix("live="));
        let [blocks, _, bytes] = live.expect("live").split(':').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        sum.0 += blocks.parse::<u64>().expect("a number");
        sum.1 += bytes.parse::<u64>().expect("a number");
    }
    sum
}

/// The function, or its comprehension where that is one of its own.
fn is_texts(name: &str) -> bool {
    let is_function = name.starts_with("texts") || name.starts_with("<listcomp> ");
    is_function && name.contains("small.py:")
}

const OBJECTS: &str = "prof:true,prof_final:true,prof_python_objects:true,lg_prof_sample:0";

#[test]
fn small_objects_are_seen_and_their_frees() {
    for (how, allocator, extra) in [
        ("", "pymalloc", ""),
        ("trace", "pymalloc", ""),
        ("fork", "pymalloc", ""),
        ("interpreters", "pymalloc", ""),
        ("", "debug", ""),
        ("trace", "debug", "-X dev"),
    ] {
        let mut command = Preload::command([python()]);
        for word in extra.split(' ').filter(|word| !word.is_empty()) {
            command = command.arg(word);
        }
        let script = source("tests/python/small.py");
        let command = command.arg(script).arg(how).env("PYTHONMALLOC", allocator);
        let run = command.conf(OBJECTS).succeeded_quietly();
        let wanted = (run.truth("kept"), run.truth("kept_bytes"));
        assert_eq!(texts(&run), wanted, "{how} {allocator} {extra}");
    }
}

#[test]
fn what_malloc_makes_is_mallocs_alone() {
    for allocator in ["malloc", "malloc_debug"] {
        let run = run("small.py", OBJECTS)
            .env("PYTHONMALLOC", allocator)
            .succeeded_quietly();
        assert_eq!(texts(&run), (0, 0), "{allocator}");
        let dump = run.final_dump();
        let made = dump.stacks.iter().filter(|stack| {
            let names = dump.names(stack);
            names.iter().any(|name| is_texts(name))
        });
        let blocks: u64 = made.map(|stack| stack.live.0).sum();
        assert!(blocks >= run.truth("kept"), "{allocator}: {blocks}");
    }
}

#[test]
fn estimates_of_small_objects_are_right() {
    let options = "prof:true,prof_final:true,prof_python_objects:true,lg_prof_sample:6";
    let mut ratios = Vec::new();
    for _ in 0..4 {
        let run = run("small.py", options).succeeded_quietly();
        ratios.push(texts(&run).1 as f64 / run.truth("kept_bytes") as f64);
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((0.9..1.1).contains(&mean), "{ratios:?}");
}

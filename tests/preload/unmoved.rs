//! Nothing is moved: a program is told the same by its allocator, call by call, whether it is sampled
//! or not, and the allocator is asked the same.
//!
//! The control is a plain run behind an empty library, without ASLR. Not compared is what neither the
//! allocator nor a library decides: where the kernel maps a block, and where mremap moves one that it
//! mapped; and what jemalloc draws by chance, see `unmoved.h`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::harness::{Preload, Run, compile, library, system_library};

/// How many calls the program makes, at the least, and how many allocations are among them.
const CALLS: usize = 35_000;
const ALLOCATIONS: u64 = 15_000;

const LG_PERIODS: [u32; 4] = [0, 4, 10, 17];

/// Fixed, so that glibc maps big blocks to the end; by itself it soon takes them from its heap.
const MAPPED: &[(&str, &str)] = &[("MALLOC_MMAP_THRESHOLD_", "131072")];
/// Else it depends on the time what these two give back to the kernel.
const STEADY_JEMALLOC: &[(&str, &str)] = &[("MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")];
const STEADY_MIMALLOC: &[(&str, &str)] = &[("MIMALLOC_ALLOW_DECOMMIT", "0")];
/// Where tcmalloc is asked for too much it says so.
const SILENT: &[(&str, &str)] = &[("TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD", "0")];

/// An allocator that stands behind us, and how the program is run with it.
#[derive(Clone, Copy)]
struct Allocator {
    /// Its library; glibc's own when empty.
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// The program tells addresses too. Only glibc's can be compared.
    places: bool,
    /// How the library that notes arrivals is built for it.
    arrivals: &'static [&'static str],
}

const GLIBC: Allocator = Allocator {
    name: "",
    variables: &[],
    places: true,
    arrivals: &["-shared", "-fPIC"],
};

const WITH_OPERATORS: &[&str] = &["-shared", "-fPIC", "-DOPERATORS"];

const JEMALLOC: Allocator = Allocator {
    name: "libjemalloc.so.2",
    variables: STEADY_JEMALLOC,
    places: false,
    arrivals: &["-shared", "-fPIC", "-DOPERATORS", "-DEXTENDED"],
};

const TCMALLOC: Allocator = Allocator {
    name: "libtcmalloc.so.4",
    variables: SILENT,
    places: false,
    arrivals: WITH_OPERATORS,
};

const MIMALLOC: Allocator = Allocator {
    name: "libmimalloc.so.2.0",
    variables: STEADY_MIMALLOC,
    arrivals: WITH_OPERATORS,
    ..TCMALLOC
};

impl Allocator {
    /// Runs the program with `before` before the allocator, sampled if ours is among these.
    fn run(self, mut before: Vec<PathBuf>, lg_period: Option<u32>) -> Run {
        before.extend((!self.name.is_empty()).then(|| system_library(self.name)));
        let mut program = Preload::new("unmoved.cpp").libraries(&before);
        if self.places {
            program = program.arg("places");
        }
        for &(name, value) in self.variables {
            program = program.env(name, value);
        }
        if let Some(lg_period) = lg_period {
            program = program.conf(&format!(
                "prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{lg_period}"
            ));
        }
        let run = program.run().succeeded();
        assert_eq!(run.stderr, "", "{}", self.name);
        assert!(run.stdout.ends_with("\nthreads: 1\n"), "{}", self.name);
        run
    }

    fn control(self, between: Option<PathBuf>) -> Run {
        let empty = compile("empty.c", &["-shared", "-fPIC"]);
        self.run([Some(empty), between].into_iter().flatten().collect(), None)
    }

    fn sampled(self, between: Option<PathBuf>, lg_period: u32) -> Run {
        let libraries = [Some(library()), between].into_iter().flatten().collect();
        let run = self.run(libraries, Some(lg_period));
        assert_sampled(&run, lg_period);
        run
    }
}

/// Else an equal log would say nothing.
#[track_caller]
fn assert_sampled(run: &Run, lg_period: u32) {
    let dump = run.final_dump();
    let samples: u64 = dump.stacks.iter().map(|stack| stack.samples_ever).sum();
    let expected = match lg_period {
        0 => ALLOCATIONS,
        _ => 1_000,
    };
    assert!(samples >= expected, "{samples} samples at 2^{lg_period}");
}

/// Line by line the same; else how many are not, by the function they are of, and the first of them.
#[track_caller]
fn assert_same(control: &[String], sampled: &[String], what: &str) {
    let mut functions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut first = Vec::new();
    for (number, (expected, seen)) in control.iter().zip(sampled).enumerate() {
        if expected == seen {
            continue;
        }
        let end = expected.find([' ', '(']).unwrap_or(expected.len());
        *functions.entry(&expected[..end]).or_default() += 1;
        if first.len() < 10 {
            first.push(format!("{number}: {expected}\n{number}: {seen}"));
        }
    }
    assert!(
        first.is_empty(),
        "{what}: not as in the control: {functions:?}, first\n{}",
        first.join("\n")
    );
    assert_eq!(control.len(), sampled.len(), "{what}: calls");
}

fn log(run: &Run) -> Vec<String> {
    let lines: Vec<_> = run.stdout.lines().map(str::to_owned).collect();
    assert!(lines.len() >= CALLS, "{} lines", lines.len());
    assert!(!run.stdout.contains("LOST"), "a block lost its contents");
    lines
}

/// What the program was told, without us and with us at every period.
#[track_caller]
fn assert_told_the_same(allocator: Allocator) {
    let control = log(&allocator.control(None));
    for lg_period in LG_PERIODS {
        let sampled = log(&allocator.sampled(None, lg_period));
        let what = format!("{:?} at 2^{lg_period}", allocator.name);
        assert_same(&control, &sampled, &what);
    }
}

#[test]
fn the_control_is_a_plain_run() {
    let mapped = Allocator {
        variables: MAPPED,
        ..GLIBC
    };
    for allocator in [GLIBC, mapped, JEMALLOC, TCMALLOC, MIMALLOC] {
        let control = allocator.control(None);
        // mimalloc 2.0 does not know the handler of another library.
        let handler = match allocator.name == MIMALLOC.name {
            true => "handler",
            false => "handler called 1 times",
        };
        for seen in [" in place ", " moved ", " resident=", " null", handler] {
            assert!(control.stdout.contains(seen), "{}: {seen}", allocator.name);
        }
        let control = log(&control);
        let plain = allocator.run(Vec::new(), None);
        assert_same(&control, &log(&plain), allocator.name);
    }
}

#[test]
fn glibc_gives_the_same_places() {
    assert_told_the_same(GLIBC);
}

#[test]
fn glibc_maps_the_same_blocks() {
    assert_told_the_same(Allocator {
        variables: MAPPED,
        ..GLIBC
    });
}

#[test]
fn jemalloc_gives_the_same() {
    assert_told_the_same(JEMALLOC);
}

#[test]
fn tcmalloc_gives_the_same() {
    assert_told_the_same(TCMALLOC);
}

#[test]
fn mimalloc_gives_the_same() {
    assert_told_the_same(MIMALLOC);
}

/// The calls that arrived at the allocator, in their order.
fn arrivals(run: &Run) -> Vec<String> {
    let file = fs::read(run.directory().join("arrivals")).expect("arrivals");
    let end = file.iter().position(|&byte| byte == 0).expect("room left");
    let text = String::from_utf8(file[..end].to_vec()).expect("text");
    let lines: Vec<_> = text.lines().map(as_malloc).collect();
    assert!(lines.len() >= CALLS, "{} arrivals", lines.len());
    lines
}

/// An operator new that has memory is a malloc or a memalign of that size, and may arrive as one; of
/// an alignment that malloc has by itself, as either. What gives a block back has no such freedom.
fn as_malloc(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let aligned = |align, size| match align {
        ..=16 => format!("malloc {size}"),
        _ => format!("memalign {align} {size}"),
    };
    match words.as_slice() {
        ["new", _] => format!("malloc {}", number(1).max(1)),
        ["new", _, _] => aligned(number(2), number(1).max(1)),
        ["memalign", _, _] => aligned(number(1), number(2)),
        _ => line.to_owned(),
    }
}

#[track_caller]
fn assert_asked_the_same(allocator: Allocator) {
    let between = Some(compile("arrivals.cpp", allocator.arrivals));
    let control = arrivals(&allocator.control(between.clone()));
    for lg_period in LG_PERIODS {
        let run = allocator.sampled(between.clone(), lg_period);
        let what = format!("{:?} at 2^{lg_period}", allocator.name);
        assert_same(&control, &arrivals(&run), &what);
    }
}

#[test]
fn glibc_is_asked_the_same() {
    assert_asked_the_same(GLIBC);
}

#[test]
fn jemalloc_is_asked_the_same() {
    assert_asked_the_same(JEMALLOC);
}

#[test]
fn tcmalloc_is_asked_the_same() {
    assert_asked_the_same(TCMALLOC);
}

#[test]
fn mimalloc_is_asked_the_same() {
    assert_asked_the_same(MIMALLOC);
}

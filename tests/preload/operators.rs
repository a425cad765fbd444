//! C++ operator new and delete: every form works and counts once, whoever implements it.
//!
//! mimalloc 2.0 aligns some aligned forms too little, and aborts when `new` cannot be served: what an
//! allocator does wrong by itself it may do behind us too, and nothing else.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::harness::{Preload, system_library};

const FORMS: usize = 8;
const BLOCKS_OF_A_FORM: usize = 10;

/// Alignment of the aligned forms, and the first of them.
const WIDE: u64 = 256;
const FIRST_ALIGNED: usize = 4;

fn allocators() -> Vec<Option<PathBuf>> {
    let others = ["libjemalloc.so.2", "libtcmalloc.so.4", "libmimalloc.so.2.0"];
    std::iter::once(None)
        .chain(others.map(|name| Some(system_library(name))))
        .collect()
}

fn with(allocator: &Option<PathBuf>) -> Preload {
    let preload = Preload::new("operators.cpp");
    match allocator {
        Some(library) => preload.behind_us(library.clone()),
        None => preload,
    }
}

/// The lines that tell of a mistake, and the others.
fn mistakes(output: &str) -> (HashSet<&str>, Vec<&str>) {
    let (wrong, fine): (Vec<_>, Vec<_>) =
        output.lines().partition(|line| line.starts_with("WRONG"));
    (wrong.into_iter().collect(), fine)
}

#[test]
fn every_form_behaves_as_without_us() {
    for allocator in allocators() {
        let alone: Vec<_> = allocator.clone().into_iter().collect();
        let plain = Preload::new("operators.cpp").libraries(&alone).run();
        let (own_mistakes, plain_lines) = mistakes(&plain.stdout);
        assert!(plain_lines.len() >= FORMS || allocator.is_some());
        for lg_period in [0, 4, 12, 17] {
            let conf = format!("prof:true,lg_prof_sample:{lg_period}");
            let run = with(&allocator).conf(&conf).run();
            let (mistakes, lines) = mistakes(&run.stdout);
            assert_eq!(
                (&plain_lines, plain.status),
                (&lines, run.status),
                "{allocator:?}, at a period of 2^{lg_period}"
            );
            let ours: Vec<_> = mistakes.difference(&own_mistakes).collect();
            assert!(ours.is_empty(), "{allocator:?}: {ours:?}");
        }
    }
}

#[test]
fn every_form_is_counted_once() {
    for allocator in allocators() {
        let conf = "prof:true,lg_prof_sample:0,prof_final:true,prof_dump_live:true";
        let run = with(&allocator).conf(conf).arg("keep").run().succeeded();
        let dump = run.final_dump();
        let live: HashMap<u64, (u64, u64)> = dump
            .live
            .iter()
            .map(|&(address, size, stack)| (address, (size, stack)))
            .collect();
        assert_eq!(live.len(), dump.live.len(), "an address stands there twice");
        let kept: Vec<_> = run
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("block=0x"))
            .collect();
        assert_eq!(kept.len(), FORMS * BLOCKS_OF_A_FORM);
        let mut samples: HashMap<u64, usize> = HashMap::new();
        for (at, line) in kept.iter().enumerate() {
            let (address, size) = line.split_once(' ').expect("address and size");
            let address = u64::from_str_radix(address, 16).expect("address");
            let &(recorded, stack) = live.get(&address).unwrap_or_else(|| {
                panic!(
                    "{allocator:?}: form {} is not recorded",
                    at / BLOCKS_OF_A_FORM
                )
            });
            let asked: u64 = size.parse().expect("size");
            // libstdc++'s aligned forms ask malloc for a multiple of the alignment.
            let rounded = asked.next_multiple_of(WIDE);
            let aligned = at / BLOCKS_OF_A_FORM >= FIRST_ALIGNED;
            let is_right = recorded == asked || aligned && recorded == rounded;
            assert!(is_right, "{allocator:?}: {recorded} recorded for {line}");
            *samples.entry(stack).or_default() += 1;
        }
        for stack in dump
            .stacks
            .iter()
            .filter(|stack| samples.contains_key(&stack.id))
        {
            let recorded = usize::try_from(stack.samples_ever).expect("a small number");
            assert_eq!(recorded, samples[&stack.id], "{allocator:?}: counted twice");
        }
        assert_eq!(samples.len(), FORMS, "each form has a call of its own");
    }
}

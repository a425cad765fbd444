//! Dumps of tables made by hand: what the file says is what the tables hold, for our own reader and
//! for the real `jeprof`; and the file obeys the options.
//!
//! Tests that need `jeprof` are passed over on machines without it; CI installs it.

mod case;
mod seen;

use std::fs;
use std::path::Path;
use std::process::Command;

use malloscope::dump::Reason;
use malloscope::sampler::weight;
use malloscope::table::frame_table::{FRAMES, Kind};
use malloscope::table::live_table::{Before, Drawn};
use malloscope::table::stack_table::StackId;

use case::Case;
use seen::Seen;

/// Three stacks: small blocks of two threads, sizes mixed, and one that freed everything.
fn mixed(name: &str) -> (Case, [StackId; 3]) {
    let mut case = Case::new(name);
    let stacks = [
        [0x5001, 0x1001, 0x2001],
        [0x5001, 0x1001, 0x2002],
        [0x5001, 0x3001, 0x2001],
    ]
    .map(|frames| case.stacks.intern(&frames).expect("room"));
    for round in 0..40 {
        case.alloc(stacks[0], 100, 19, round % 2);
        case.alloc(stacks[1], 16 << (round % 20), 19, 1);
        let freed = case.alloc(stacks[2], 5000, 19, 0);
        case.free(freed);
    }
    (case, stacks)
}

#[test]
fn managed_frames_are_named_where_a_stack_has_them() {
    let mut case = Case::new("managed");
    let intern = |name: &[u8], line| FRAMES.intern(Kind::Java, b"a.B", name, b"B.java", line);
    let [leaf, root, unused] = [
        intern(b"<init>", 7),
        intern(b"run\t", 0),
        intern(b"gone", 1),
    ]
    .map(|address| address.expect("room"));
    let shown = case.stacks.intern(&[0x5001, leaf, root]).expect("room");
    let freed = case.stacks.intern(&[0x5001, unused]).expect("room");
    case.alloc(shown, 100, 19, 0);
    let freed = case.alloc(freed, 100, 19, 0);
    case.free(freed);
    let seen = case.read("prof:true");
    assert_eq!(
        seen.stacks[&u64::from(shown.0)].frames,
        [0x5001, leaf, root]
    );
    let named: Vec<_> = seen.managed.into_iter().collect();
    let expected = [
        (leaf, "java a.B <init> B.java 7".to_owned()),
        (root, "java a.B run\t B.java 0".to_owned()),
    ];
    assert_eq!(named, expected, "what no stack has is not named");
}

#[test]
fn a_dump_says_what_the_tables_hold() {
    let (case, [small, mixed, freed]) = mixed("whole");
    let seen = case.read("prof_dump_live:true,prof_accum:true");
    assert_eq!(seen.facts["pid"], std::process::id().to_string());
    assert_eq!(seen.facts["trigger"], "final");
    assert!(seen.facts["command"].contains("dump"));
    assert!(seen.facts["rss_bytes"].parse::<u64>().expect("a number") > 1 << 20);
    assert_eq!(seen.epochs, (4000, 26));
    assert_eq!(seen.threads[&0], "");
    assert_eq!(seen.threads[&1], "worker 100%\t");
    assert!(seen.mappings > 5);

    let stack = &seen.stacks[&u64::from(small.0)];
    assert_eq!((stack.samples, stack.births), (40, 40));
    assert_eq!(stack.bytes, 40 * weight(100, 19).bytes);
    assert_eq!(
        (stack.sizes, &stack.threads[..]),
        (Some((100, 100)), &[0, 1][..])
    );
    // 40 samples of about 1/p = 5243 blocks of 100 bytes each: s^2 (1-p)/p^2 for each.
    let p = -(-100.0 / 524_288.0_f64).exp_m1();
    let variance = 40.0 * (100.0 / p) * (100.0 / p) * (1.0 - p);
    assert!(
        (stack.variance as f64 / variance - 1.0).abs() < 1e-6,
        "{}",
        stack.variance
    );

    let stack = &seen.stacks[&u64::from(mixed.0)];
    assert_eq!(
        (stack.sizes, &stack.threads[..]),
        (Some((16, 16 << 19)), &[1][..])
    );
    let stack = &seen.stacks[&u64::from(freed.0)];
    assert_eq!((stack.samples, stack.bytes, stack.freed), (0, 0, 40));

    let mut expected = Vec::new();
    case.live.for_each(&mut |s| {
        expected.push((s.addr as u64, s.size as u64, u64::from(s.stack.0)));
    });
    let mut found = seen.live.clone();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let libc = seen
        .build_ids
        .iter()
        .find(|(path, _)| path.contains("libc"));
    assert_eq!(libc.expect("the build id of libc").1.len(), 40);
    assert!(seen.build_ids.iter().any(|(path, _)| path == "[vdso]"));
}

#[test]
fn other_readers_find_our_bytes() {
    let (case, stacks) = mixed("scaled");
    let seen = case.read("prof_accum:true");
    for id in stacks {
        let stack = &seen.stacks[&u64::from(id.0)];
        assert!(stack.block);
        assert!(
            (stack.scaled - stack.bytes as f64).abs() <= 1.0,
            "{stack:?}"
        );
        assert!(
            (stack.scaled_ever - stack.bytes_ever as f64).abs() <= 1.0,
            "{stack:?}"
        );
    }
}

/// A sample of a denser period was freed. It is in the accumulated sums, so readers must scale by its
/// period; without these sums it is in none.
#[test]
fn the_period_is_the_smallest_of_what_is_summed() {
    let mut case = Case::new("periods");
    let stack = case.stacks.intern(&[0x1000, 0x2000]).expect("memory");
    for _ in 0..100 {
        let dense = case.alloc(stack, 100, 13, 0);
        case.free(dense);
        case.alloc(stack, 100, 19, 0);
    }
    let seen = case.read("prof_accum:true");
    assert_eq!(seen.period, 1 << 13);
    let seen = &seen.stacks[&u64::from(stack.0)];
    let off = (seen.scaled_ever - seen.bytes_ever as f64).abs();
    assert!(off <= 1.0, "{seen:?}");
    assert_eq!(case.read("prof_accum:false").period, 1 << 19);
}

/// What realloc made of a sample: the dump has its present bytes, and its first ones by birth.
#[test]
fn a_block_that_grew_is_as_old_and_heavy_as_at_first() {
    let mut case = Case::new("grown");
    let stack = case.stacks.intern(&[0x1000, 0x2000]).expect("memory");
    let addr = case.alloc(stack, 1 << 20, 19, 0);
    let first = case.live.remove(addr).expect("live");
    let before = Before {
        sample: Some(first),
        usable: 1 << 20,
    };
    let drawn = Drawn {
        addr,
        size: 8 << 20,
        lg_period: 19,
        now_ms: 90_000,
        stack,
        thread: 0,
    };
    let grown = before.resized(true, &drawn, &mut |_| true);
    case.live.insert(grown.expect("a sample"));
    let seen = case.read("prof_accum:true");
    let seen = &seen.stacks[&u64::from(stack.0)];
    assert!(seen.bytes >= 8 << 20 && seen.bytes < 9 << 20, "{seen:?}");
    assert_eq!((seen.births, seen.born_bytes), (1, first.weighted_bytes));
}

#[test]
fn without_accumulation_only_owners_are_listed() {
    let (case, [small, _, freed]) = mixed("owners");
    let seen = case.read("");
    assert!(!seen.stacks.contains_key(&u64::from(freed.0)));
    assert_eq!(seen.stacks[&u64::from(small.0)].scaled_ever, 0.0);
    assert!(seen.live.is_empty());
}

#[test]
fn the_command_line_may_stay_secret() {
    let (case, _) = mixed("secret");
    assert!(
        !case
            .read("prof_cmdline:false")
            .facts
            .contains_key("command")
    );
}

#[test]
fn nothing_is_written_for_a_process_without_a_sample() {
    assert!(Case::new("nothing").dump("", Reason::Final).is_empty());
}

#[test]
fn names_follow_the_reason_and_old_dumps_go() {
    let (case, _) = mixed("keep");
    let conf = "prof_keep:2";
    case.begin(conf);
    for reason in [Reason::Interval, Reason::HighWater, Reason::Interval] {
        case.dump(conf, reason);
    }
    let left = case.dump(conf, Reason::Final);
    let letters: Vec<char> = left
        .iter()
        .filter_map(|path| path.to_str()?.rsplit('.').nth(1)?.chars().next())
        .collect();
    assert_eq!(letters, ['i', 'f'], "{left:?}");
    let last = left.last().expect("the final dump").display().to_string();
    assert!(last.ends_with(".f.heap"), "{last}");
    assert!(
        last.contains(&format!("/x.{}.", std::process::id())),
        "{last}"
    );
}

/// `jeprof`'s total in bytes; `None` where there is none.
fn jeprof_total(dump: &Path, value: &str) -> Option<u64> {
    let program = std::env::current_exe().expect("a program");
    let output = Command::new("jeprof")
        .args(["--text", "--show_bytes", value])
        .args([program.as_path(), dump])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    assert!(
        !messages.contains("Illegal") && !messages.contains("uninitialized"),
        "{messages}"
    );
    let total = text.lines().find_map(|line| line.strip_prefix("Total: "));
    let total = total.unwrap_or_else(|| panic!("no total in {text} {messages}"));
    Some(total.split(' ').next()?.parse().expect("a number"))
}

#[test]
fn the_real_jeprof_finds_the_same_totals() {
    let (case, _) = mixed("jeprof");
    let path = case
        .dump("prof_accum:true", Reason::Final)
        .pop()
        .expect("a dump");
    let seen = Seen::of(&fs::read(&path).expect("bytes"));
    for (value, sum) in [
        (
            "--inuse_space",
            seen.stacks.values().map(|stack| stack.bytes).sum::<u64>(),
        ),
        (
            "--alloc_space",
            seen.stacks.values().map(|stack| stack.bytes_ever).sum(),
        ),
    ] {
        let Some(total) = jeprof_total(&path, value) else {
            return;
        };
        assert!(total.abs_diff(sum) <= 3, "{value}: {total} for {sum}");
    }
}

/// Exact mode: blocks of no bytes, of one, and many; bare samples as well as scaled ones.
#[test]
fn blocks_without_bytes_do_not_stop_the_real_jeprof() {
    let mut case = Case::new("empty");
    let none = case.stacks.intern(&[0x5001, 0x1001]).expect("room");
    let some = case.stacks.intern(&[0x5001, 0x1002]).expect("room");
    for _ in 0..3 {
        case.alloc(none, 0, 0, 0);
        case.alloc(some, 0, 0, 0);
        case.alloc(some, 40, 0, 1);
    }
    for conf in ["", "prof_unbias:false", "prof_accum:true"] {
        let path = case.dump(conf, Reason::Final).pop().expect("a dump");
        let seen = Seen::of(&fs::read(&path).expect("bytes"));
        let (none, some) = (
            &seen.stacks[&u64::from(none.0)],
            &seen.stacks[&u64::from(some.0)],
        );
        assert_eq!((none.samples, none.bytes, none.block), (3, 0, false));
        assert_eq!((some.samples, some.bytes, some.block), (6, 120, true));
        if let Some(total) = jeprof_total(&path, "--inuse_space") {
            assert!(total.abs_diff(120) <= 1, "{conf}: {total}");
        }
    }
}

/// The ceiling of our memory is reached: the dump is written all the same.
#[test]
fn a_dump_needs_nothing_of_the_arena() {
    let (case, _) = mixed("ceiling");
    malloscope::table::arena::set_ceiling(0);
    let dumps = case.dump("", Reason::Final);
    malloscope::table::arena::set_ceiling(malloscope::table::arena::DEFAULT_CEILING);
    assert_eq!(dumps.len(), 1);
    assert!(!malloscope::table::arena::exhausted());
}

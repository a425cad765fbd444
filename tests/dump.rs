//! Dumps of tables made by hand: what the file says is what the tables hold, for our own reader and
//! for the real `jeprof`; and the file obeys the options.
//!
//! Tests that need `jeprof` are passed over on machines without it; CI installs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use malloscope::config::{self, Config};
use malloscope::dump::{self, Reason, Request};
use malloscope::live_table::{LiveTable, Sample};
use malloscope::sampler::weight;
use malloscope::stack_table::{StackId, StackTable};
use profile_format::heap_v2::{Event, Reader};

/// One case at a time: dumps are numbered for the whole process, and its arena has one ceiling.
static ALONE: Mutex<()> = Mutex::new(());

const UPTIME_MS: u64 = 100_000;

/// Tables and a directory for their dumps.
struct Case {
    stacks: Box<StackTable>,
    live: Box<LiveTable>,
    directory: PathBuf,
    next: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Case {
    fn new(name: &str) -> Case {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("malloscope-dump-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::remove_dir_all(&directory).ok();
        fs::create_dir_all(&directory).expect("a directory");
        Case {
            stacks: Box::new(StackTable::new()),
            live: Box::new(LiveTable::new()),
            directory,
            next: 0x10_0000,
            _alone: alone,
        }
    }

    fn alloc(&mut self, stack: StackId, size: usize, lg_period: u8, thread: u32) -> usize {
        let addr = self.next;
        self.next += 0x1000;
        let weight = weight(size, lg_period);
        self.live.insert(Sample {
            addr,
            size,
            weighted_bytes: weight.bytes,
            birth_ms: self.next as u64 % UPTIME_MS,
            lg_period,
            stack,
            thread,
        });
        self.stacks.note_alloc(stack, &weight);
        addr
    }

    fn free(&mut self, addr: usize) {
        let sample = self.live.remove(addr).expect("live");
        self.stacks.note_free(sample.stack, 5);
    }

    /// Writes a dump under `conf`; the directory's files afterwards, oldest first.
    fn dump(&self, conf: &str, reason: Reason) -> Vec<PathBuf> {
        let prefix = self.directory.join("x");
        let conf = format!("prof_prefix:{},{conf}", prefix.display());
        let mut config = Config::DEFAULT;
        config::parse(
            config::Source::MalloscopeConf,
            conf.as_bytes(),
            &mut config,
            &mut |_| {},
        );
        dump::write(&Request {
            reason,
            config: &config,
            stacks: &self.stacks,
            live: &self.live,
            uptime_ms: UPTIME_MS,
            lg_period: 19,
            thread_name: &|uid| {
                *if uid == 1 {
                    b"worker 100%\t\0\0\0\0"
                } else {
                    &[0; 16]
                }
            },
        });
        files(&self.directory)
    }

    fn read(&self, conf: &str) -> Seen {
        let paths = self.dump(conf, Reason::Final);
        Seen::of(&fs::read(paths.last().expect("a dump")).expect("its bytes"))
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort_by_key(|path| {
        let name = path.to_string_lossy().into_owned();
        let seq = name
            .rsplit('.')
            .nth(2)
            .and_then(|seq| seq.parse::<u64>().ok());
        seq.expect("a number in the name")
    });
    found
}

/// What a dump says, by our own reader.
#[derive(Debug, Default)]
struct Seen {
    facts: BTreeMap<String, String>,
    epochs: (u64, u64),
    threads: BTreeMap<u64, String>,
    /// By number: samples, bytes, bytes that other readers find, bytes ever, variance, sizes,
    /// samples by epoch, freed.
    stacks: BTreeMap<u64, Stack>,
    live: Vec<(u64, u64, u64)>,
    build_ids: Vec<(String, String)>,
    mappings: usize,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Stack {
    frames: Vec<u64>,
    scaled: f64,
    scaled_ever: f64,
    threads: Vec<u64>,
    samples: u64,
    bytes: u64,
    bytes_ever: u64,
    variance: u128,
    sizes: Option<(u64, u64)>,
    births: u64,
    freed: u64,
    block: bool,
}

impl Seen {
    fn of(file: &[u8]) -> Seen {
        let reader = Reader::new(file).expect("a header");
        let sampling = reader.header().sampling;
        let mut seen = Seen::default();
        let mut open: Option<Stack> = None;
        for event in reader {
            match event.expect("a line") {
                Event::Fact { key, value } => {
                    let text = String::from_utf8(value.bytes().collect()).expect("UTF-8");
                    seen.facts.insert(key.to_owned(), text);
                }
                Event::Epochs { width_ms, count } => seen.epochs = (width_ms, count),
                Event::Stack(frames) => {
                    let (frames, block) = (frames.collect(), true);
                    open = Some(Stack {
                        frames,
                        block,
                        ..Stack::default()
                    });
                }
                Event::Counts {
                    thread,
                    counts,
                    name,
                } => match (&mut open, thread) {
                    (None, Some(uid)) => {
                        let name = String::from_utf8(name.bytes().collect()).expect("UTF-8");
                        seen.threads.insert(uid, name);
                    }
                    (None, None) => {}
                    (Some(stack), Some(uid)) => stack.threads.push(uid),
                    (Some(stack), None) => {
                        stack.scaled = sampling.scale(counts.objects, counts.bytes).1;
                        let ever = (counts.accumulated_objects, counts.accumulated_bytes);
                        stack.scaled_ever = sampling.scale(ever.0, ever.1).1;
                    }
                },
                Event::StackFacts(line) => {
                    let mut stack = match line.frames {
                        Some(frames) => Stack {
                            frames: frames.collect(),
                            ..Stack::default()
                        },
                        None => open.take().expect("a stack"),
                    };
                    stack.samples = line.live.samples;
                    stack.bytes = line.live.bytes;
                    stack.bytes_ever = line.accumulated.bytes;
                    stack.variance = line.variance;
                    stack.sizes = line.sizes;
                    stack.births = line.births.map(|(_, samples, _)| samples).sum();
                    stack.freed = line.lifetimes.map(|(_, count)| count).sum();
                    let last = line.births.last().map_or(0, |(epoch, _, _)| epoch);
                    assert!(last < seen.epochs.1);
                    seen.stacks.insert(line.id, stack);
                }
                Event::Live {
                    address,
                    size,
                    stack,
                } => seen.live.push((address, size, stack)),
                Event::BuildId(id) => {
                    let path = String::from_utf8(id.path.bytes().collect()).expect("UTF-8");
                    seen.build_ids.push((path, id.hex.to_owned()));
                }
                Event::Mapping(_) => seen.mappings += 1,
                Event::Version(version) => assert_eq!(version, 1),
                _ => {}
            }
        }
        seen
    }
}

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
    malloscope::arena::set_ceiling(0);
    let dumps = case.dump("", Reason::Final);
    malloscope::arena::set_ceiling(malloscope::arena::DEFAULT_CEILING);
    assert_eq!(dumps.len(), 1);
    assert!(!malloscope::arena::exhausted());
}

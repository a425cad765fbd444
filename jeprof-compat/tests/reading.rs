//! What the reader makes of good files, of cut ones and of garbage.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jeprof_compat::profile::model::{Language, Parts, Profile, ValueKind, Weighed};
use jeprof_compat::profile::read;
use jeprof_compat::stacks::naming::FrameKind;
use jeprof_compat::stacks::naming::Granularity;
use jeprof_compat::stacks::{NamedProfile, Part, Selection};
use proptest::prelude::*;

const THREADED: &str = "\
heap_v2/4096
  t*: 3: 6144 [0: 0]
  t0: 2: 4096 [0: 0] main thread
  t7: 1: 2048 [0: 0]
@ 0x401100 0x401201 0x401301
  t*: 2: 4096 [4: 8192]
  t0: 1: 2048 [0: 0]
  t7: 1: 2048 [0: 0]
@ 0x401100 0x401301
  t*: 1: 2048 [0: 0]

MAPPED_LIBRARIES:
00400000-00401000 r--p 00000000 fe:00 1 /opt/a b/prog
00401000-00402000 r-xp 00001000 fe:00 1 /opt/a b/prog
7f0000000000-7f0000001000 r-xp 00000000 fe:00 2 /opt/x.so (deleted)
";

/// As our profiler writes it: the counts are distorted, the `# stack` lines true.
const OURS: &str = "\
heap_v2/4096
# malloscope 1
# pid 12
# command java%20-jar
# epochs 1000 4
  t*: 3: 6144 [0: 0]
@ 0x401100 0x4d00000000000000 0x4d00000000000010 0x401301
  t*: 2: 4000 [0: 0]
# stack 5 live=2:3.500:7000 variance=144 accumulated=9:10.000:20000 births=0:1:3000,3:1:4000
# stack 6 live=0:0.000:0 variance=0 @ 0x401100 0x401201
# frame 0x4d00000000000000\tjava\tjava.util.zip.Deflater\tinit\tDeflater.java\t77
# frame 0x4d00000000000010\truby\tZlib::Deflate\tdeflate\t\t
# build_id 0x400000 ABcd /opt/a b/prog

MAPPED_LIBRARIES:
00400000-00401000 r--p 00000000 fe:00 1 /opt/a b/prog
00401000-00402000 r-xp 00001000 fe:00 1 /opt/a b/prog
# end
";

fn parse(text: &str) -> (Profile, Vec<String>) {
    read::parse(text.as_bytes(), "x.heap").unwrap()
}

fn addresses(profile: &Profile, sample: usize) -> Vec<u64> {
    let stack = &profile.samples[sample].stack;
    stack
        .iter()
        .map(|&id| profile.location(id).address)
        .collect()
}

/// What a count of `objects` blocks and `bytes` stands for.
fn unbiased(objects: f64, bytes: f64, period: f64) -> (f64, f64) {
    let factor = 1.0 / (1.0 - (-bytes / objects / period).exp());
    (objects * factor, bytes * factor)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn counts_become_estimates_and_returns_become_calls() {
    let (profile, warnings) = parse(THREADED);
    assert_eq!(warnings, [""; 0]);
    assert_eq!((profile.period, profile.samples.len()), (4096, 2));
    assert_eq!(addresses(&profile, 0), [0x401100, 0x401200, 0x401300]);
    let first = &profile.samples[0];
    let (objects, bytes) = unbiased(2.0, 4096.0, 4096.0);
    assert!(close(first.values.inuse_objects, objects) && close(first.values.inuse_space, bytes));
    assert!(close(
        first.values.alloc_space,
        unbiased(4.0, 8192.0, 4096.0).1
    ));
    let threads: Vec<u64> = first.threads.iter().map(|t| t.0).collect();
    assert_eq!(threads, [0, 7]);
    assert_eq!(profile.threads, [(0, "main thread".to_owned())]);
}

const COPIED: &str = "heap_v2/4096
# malloscope 2
@ 0x500010 0x40007f0000001234
  t*: 1: 4096 [0: 0]
# build_id 0x40007f0000000000 00ff /opt/gone.so
MAPPED_LIBRARIES:
00400000-00500000 r-xp 00000000 fe:00 12 /opt/program
00500000-00700000 r-xp 00000000 00:00 0 
00700000-00800000 r-xp 00300000 fe:00 12 /opt/program
00800000-00900000 r-xp 00000000 00:00 0 
00900000-00a00000 r-xp 00100000 fe:00 13 /opt/other
40007f0000000000-40007f0000001000 r--p 0 00:00 0 /opt/gone.so (unloaded)
40007f0000001000-40007f0000002000 r-xp 1000 00:00 0 /opt/gone.so (unloaded)
# end
";

#[test]
fn code_that_was_copied_or_closed_is_its_files() {
    let (profile, warnings) = parse(COPIED);
    assert_eq!(warnings, [""; 0]);
    let copy = &profile.mappings[1];
    assert_eq!(
        (&*copy.path, copy.offset, copy.base),
        ("/opt/program", 0x100000, 0x400000)
    );
    assert_eq!(
        profile.mappings[3].path, "",
        "between two files it is nobody's"
    );
    let frames = &profile.samples[0].stack;
    let closed = profile.location(frames[1]).mapping.expect("a mapping");
    let closed = &profile.mappings[closed];
    assert_eq!(
        (&*closed.path, closed.build_id.as_deref()),
        ("/opt/gone.so", Some("00ff"))
    );
    assert!(closed.unloaded && !copy.unloaded);
    assert_eq!(profile.location(frames[0]).mapping, Some(1));
}

#[test]
fn mappings_keep_their_odd_paths() {
    let (profile, _) = parse(THREADED);
    let seen: Vec<_> = profile
        .mappings
        .iter()
        .map(|m| (&*m.path, m.base, m.deleted))
        .collect();
    let program = ("/opt/a b/prog", 0x400000, false);
    assert_eq!(
        seen,
        [program, program, ("/opt/x.so", 0x7f0000000000, true)]
    );
    let code = profile
        .location(profile.samples[0].stack[0])
        .mapping
        .unwrap();
    assert!(profile.mappings[code].executable);
}

#[test]
fn both_layouts_say_the_same() {
    let one_line = "\
heap profile: 3: 6144 [0: 0] @ heap_v2/4096
2: 4096 [4: 8192] @ 0x401100 0x401201 0x401301
1: 2048 [0: 0] @ 0x401100 0x401301

MAPPED_LIBRARIES:
00401000-00402000 r-xp 00001000 fe:00 1 /opt/a b/prog
";
    let (ours, _) = parse(one_line);
    let (threaded, _) = parse(THREADED);
    assert_eq!(addresses(&ours, 0), addresses(&threaded, 0));
    for kind in [
        ValueKind::InuseSpace,
        ValueKind::InuseObjects,
        ValueKind::AllocSpace,
    ] {
        assert!(close(ours.total(kind), threaded.total(kind)));
    }
}

#[test]
fn our_own_lines_go_before_the_counts() {
    let (profile, warnings) = parse(OURS);
    assert_eq!(warnings, [""; 0]);
    let first = &profile.samples[0];
    assert_eq!(
        (first.values.inuse_objects, first.values.inuse_space),
        (3.5, 7000.0)
    );
    let facts = first.facts.as_ref().unwrap();
    assert_eq!((facts.id, facts.samples, facts.variance), (5, 2, 144.0));
    let alike = |bytes| Weighed::alike(1, bytes);
    assert_eq!(
        facts.births,
        Parts::from(vec![(0, alike(3000.0)), (3, alike(4000.0))])
    );
    assert_eq!(profile.samples[1].values.inuse_space, 0.0);
    assert_eq!(addresses(&profile, 1), [0x401100, 0x401200]);
    assert_eq!(profile.process.get("pid"), Some("12"));
    assert_eq!(profile.process.epochs, Some((1000, 4)));
    assert!(
        profile
            .mappings
            .iter()
            .all(|m| m.build_id.as_deref() == Some("abcd"))
    );
}

#[test]
fn managed_frames_bring_their_names() {
    let (profile, _) = parse(OURS);
    let parts = [Part {
        profile: &profile,
        sign: 1.0,
    }];
    let lines = Selection {
        granularity: Granularity::Lines,
        ..Selection::default()
    };
    let named = NamedProfile::build(&parts, &lines);
    let frames: Vec<_> = named.frames.iter().map(|f| (&*f.name, f.kind)).collect();
    let java = (
        "java.util.zip.Deflater.init Deflater.java:77",
        FrameKind::Managed,
    );
    assert_eq!(
        frames[..2],
        [java, ("Zlib::Deflate#deflate ??:?", FrameKind::Managed)]
    );
    let languages: Vec<_> = named.frames.iter().map(|f| f.language).collect();
    assert_eq!(
        languages,
        [Some(Language::Java), Some(Language::Ruby), None]
    );
    assert_eq!(named.stacks[0].samples, Some(2));
}

/// Between a stack and its own line: what is of another kind belongs to neither.
fn with_a_java_heap() -> String {
    OURS.replace(
        "# stack 5",
        "#@ java_heap fact note live as of the last collection\n\
         #@ java_heap stack 1 live=1:2.000:900 @ 0x4d00000000000020 0x4d00000000000000\n\
         #@ mmap stack 1 live=1:1.000:50 @ 0x401100 0x401201\n\
         # frame 0x4d00000000000020\tjava\tbyte[]\t\t\t\n# stack 5",
    )
}

fn selected(profile: &Profile, kind: Option<&str>) -> NamedProfile {
    let selection = Selection {
        kind: kind.map(str::to_owned),
        ..Selection::default()
    };
    NamedProfile::build(&[Part { profile, sign: 1.0 }], &selection)
}

#[test]
fn other_kinds_stand_apart() {
    let (profile, warnings) = parse(&with_a_java_heap());
    assert_eq!(warnings, [""; 0]);
    let (malloc, _) = parse(OURS);
    assert_eq!(profile.total(ValueKind::InuseSpace), 7000.0);
    assert_eq!(
        selected(&profile, None).stacks,
        selected(&malloc, None).stacks
    );
    assert_eq!(selected(&profile, None).kind, None);

    let java = selected(&profile, Some("java_heap"));
    let names: Vec<&str> = java.frames.iter().map(|f| &*f.name).collect();
    assert_eq!(names, ["byte[]", "java.util.zip.Deflater.init"]);
    assert_eq!((java.total, java.stacks[0].samples), (900.0, Some(1)));
    let title = java.kind.unwrap().to_string();
    assert_eq!(title, "java_heap: live as of the last collection");

    let mmap = selected(&profile, Some("mmap"));
    assert_eq!((mmap.total, mmap.stacks[0].frames.len()), (50.0, 1));
    assert_eq!(mmap.kind.unwrap().to_string(), "mmap");
    assert_eq!(selected(&profile, Some("ruby")).total, 0.0);
}

#[test]
fn pseudo_addresses_mean_nothing_in_foreign_files() {
    let foreign = OURS.replace("# malloscope 1\n", "");
    let (profile, _) = parse(&foreign);
    assert!(profile.locations.iter().all(|l| !l.managed));
    assert_eq!(profile.samples.len(), 1);
    assert!(parse(OURS).0.leaf_is_hook && !profile.leaf_is_hook);
}

#[test]
fn a_cut_file_is_used_and_the_cut_is_named() {
    let cut = &THREADED[..THREADED.find("@ 0x401100 0x401301").unwrap() + 25];
    let (profile, warnings) = parse(cut);
    assert_eq!(profile.samples.len(), 1);
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("x.heap: line 10: the file ends before"),
        "{warnings:?}"
    );
    let no_end = OURS.replace("# end\n", "");
    assert!(parse(&no_end).1[0].contains("# end"));
}

#[test]
fn a_spoiled_line_spoils_its_stack_only() {
    let spoiled = THREADED.replace("@ 0x401100 0x401301", "@ 0x401100 zebra");
    let (profile, warnings) = parse(&spoiled);
    assert_eq!(profile.samples.len(), 1);
    assert!(close(
        profile.samples[0].values.inuse_space,
        unbiased(2.0, 4096.0, 4096.0).1
    ));
    assert!(
        warnings[0].starts_with("x.heap: line 9: expected"),
        "{warnings:?}"
    );
}

#[test]
fn what_is_no_profile_is_refused_by_name() {
    let error = |bytes: &[u8]| format!("{:#}", read::parse(bytes, "x.heap").unwrap_err());
    assert_eq!(error(b""), "x.heap: Profile is empty.");
    assert!(error(b"--- symbol\nbinary=x\n").contains("byte 20: no profile is behind"));
    assert!(error(b"\x7fELF").contains("is a program, not a profile"));
    assert!(error(b"heap_v2/x\n").starts_with("x.heap: line 1: "));
    assert!(error(b"heap_v2/1\n  t*: 1: 1 [0").starts_with("x.heap: line 2: "));
}

#[test]
fn percent_lines_are_passed_on() {
    let (_, warnings) = parse(&format!("%warn too old\n%other\n{THREADED}"));
    assert_eq!(warnings[0], "x.heap: WARNING: too old");
    assert_eq!(
        warnings[1],
        "x.heap: Ignoring unknown command from profile header: %other"
    );
}

fn temporary(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("malloscope-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn gzip_is_undone() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(THREADED.as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    let whole = temporary("whole.gz", &bytes);
    let (profile, warnings) = read::read(&whole).unwrap();
    assert_eq!((profile, warnings), parse(THREADED));
    let half = temporary("half.gz", &bytes[..bytes.len() - 12]);
    let (_, warnings) = read::read(&half).unwrap();
    assert!(
        warnings
            .iter()
            .any(|w| w.ends_with("the compressed file is cut off"))
    );
    let none = temporary("none.gz", &bytes[..12]);
    assert!(read::read(&none).is_err());
    for path in [whole, half, none] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = read::read(Path::new("/nowhere/x.heap")).unwrap_err();
    assert!(format!("{error:#}").starts_with("/nowhere/x.heap: No such file"));
}

/// Everything a user may do with a file.
fn use_up(bytes: &[u8]) -> Option<usize> {
    let (profile, _) = read::parse(bytes, "x").ok()?;
    let parts = [Part {
        profile: &profile,
        sign: 1.0,
    }];
    let named = NamedProfile::build(&parts, &Selection::default());
    let mut out = Vec::new();
    jeprof_compat::view::terminal::text::write(&named, Default::default(), &mut out).unwrap();
    jeprof_compat::view::format::folded::write(&named, &mut out).unwrap();
    for name in profile.other_kinds.keys() {
        let named = selected(&profile, Some(name));
        jeprof_compat::view::terminal::text::write(&named, Default::default(), &mut out).unwrap();
    }
    Some(profile.samples.len())
}

proptest! {
    #[test]
    fn any_beginning_of_a_file_is_read(ours: bool, at in 0usize..2000) {
        let text = if ours { &with_a_java_heap() } else { THREADED };
        if let Some(samples) = use_up(&text.as_bytes()[..at.min(text.len())]) {
            prop_assert!(samples <= 2);
        }
    }

    #[test]
    fn any_spoiled_byte_is_survived(ours: bool, at in 0usize..2000, byte: u8) {
        let text = if ours { &with_a_java_heap() } else { THREADED };
        let mut bytes = text.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        use_up(&bytes);
    }

    #[test]
    fn any_numbers_are_survived(numbers: [u64; 4], frame: u64) {
        let [a, b, c, d] = numbers;
        use_up(format!("heap_v2/{a}\n@ {frame:#x} {frame:#x}\n  t*: {b}: {c} [{d}: {a}]\n").as_bytes());
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        use_up(&bytes);
        use_up(&[b"heap_v2/1\n# malloscope 1\n".as_slice(), &bytes].concat());
    }
}

/// Version 1 has neither squares nor the weights of what was freed, and lifetimes by octaves: 1024 to
/// 2048 ms is bucket 11, whose last quarter is bucket 44 of version 2.
#[test]
fn what_older_lines_leave_out_is_reckoned() {
    let facts = |version: u64, lists: &str| {
        let text = format!(
            "heap_v2/64\n# malloscope {version}\n@ 0x401101\n  t*: 2: 200 [0: 0]\n\
             # stack 1 live=2:2.000:200 variance=1 alloc=6:6.000:1000 {lists}\n\
             \nMAPPED_LIBRARIES:\n# end\n"
        );
        let (profile, warnings) = parse(&text);
        assert_eq!(warnings, [""; 0]);
        profile.samples[0].facts.clone().expect("facts")
    };
    let old = facts(1, "births=0:2:200 lives=11:4");
    assert_eq!(old.births, Parts::from(vec![(0, Weighed::alike(2, 200.0))]));
    assert_eq!(old.lives, Parts::from(vec![(44, Weighed::alike(4, 800.0))]));
    let new = facts(2, "births=0:2:200:25000 lives=44:4:800:170000");
    let weighed = |samples, bytes, squares| Weighed {
        samples,
        bytes,
        squares,
    };
    assert_eq!(
        new.births,
        Parts::from(vec![(0, weighed(2, 200.0, 25_000.0))])
    );
    assert_eq!(
        new.lives,
        Parts::from(vec![(44, weighed(4, 800.0, 170_000.0))])
    );
}

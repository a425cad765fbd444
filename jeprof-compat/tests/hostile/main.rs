//! Files that were made to harm: damaged copies of profiles of every format and of programs, the same in every run, and
//! the files that once took all memory or never came to an end (`limits`). `MALLOSCOPE_FUZZ=SECONDS` goes on with other
//! copies for so long (`tests/fuzz.sh`). A file that gives a panic is left in the directory of the test.

mod limits;
#[path = "../../../profile-format/tests/format/random.rs"]
mod random;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use jeprof_compat::analysis::series::Series;
use jeprof_compat::analysis::suspects;
use jeprof_compat::profile::model::{Location, Mapping, Profile};
use jeprof_compat::profile::read;
use jeprof_compat::stacks::filter::Filter;
use jeprof_compat::stacks::{NamedProfile, Part, Selection};
use jeprof_compat::symbolize::{Locator, symbolize};
use jeprof_compat::view::format::{folded, pprof};
use limits::limited;
use random::Random;

/// Damaged copies of each file in every run.
const COPIES: u64 = 60;

/// What damage likes to put into a file: the words of the grammars, and numbers at their bounds.
const PIECES: [&[u8]; 24] = [
    b"\n",
    b" ",
    b"\t",
    b"@ 0x1 0x2",
    b"18446744073709551615",
    b"99999999999999999",
    b"-1",
    b"0",
    b"1e308",
    b"ffffffffffffffff",
    b"heap_v2/1\n",
    b"heap profile: 1: 1 [1: 1] @ heapz 1/524288\n",
    b"\n# malloscope 2\n",
    b"\n# epochs 1 4000000000\n",
    b"\n# stack 1 live=1:1.1:1 births=0:1:1:1, lives=3:99999999999999999:1 @ 0x1\n",
    b"\n#@ mmap stack 1 live=1:1:1 @ 0x1\n",
    b"\nMAPPED_LIBRARIES:\n",
    b"\xff\xfe\x00\x80",
    b"\xe2\x80\xae",
    b";",
    b"{\"a\":[",
    b"\"",
    b"\n---\n",
    b"\x0a\xff\xff\xff\xff\x0f",
];

impl Random {
    /// `file` with some bytes changed, and sometimes cut.
    fn flipped(&mut self, file: &[u8]) -> Vec<u8> {
        let mut bytes = file.to_vec();
        for _ in 0..=self.below(40) {
            let at = self.below(bytes.len());
            bytes[at] = match self.below(3) {
                0 => 0xff,
                1 => bytes[at] ^ (1 << self.below(8)),
                _ => self.next() as u8,
            };
        }
        if self.below(8) == 0 {
            bytes.truncate(self.below(bytes.len()));
        }
        bytes
    }

    /// `file` with some damage.
    fn damaged(&mut self, file: &[u8]) -> Vec<u8> {
        let mut bytes = file.to_vec();
        for _ in 0..=self.below(4) {
            let part = self.part(bytes.len());
            let piece = match self.below(3) {
                0 => PIECES[self.below(PIECES.len())].to_vec(),
                1 => vec![self.next() as u8],
                _ => {
                    let from = self.part(bytes.len());
                    bytes[from].to_vec()
                }
            };
            match self.below(3) {
                0 => drop(bytes.splice(part, piece)),
                1 => drop(bytes.splice(part.start..part.start, piece)),
                _ => bytes.truncate(part.start.max(8)),
            }
        }
        bytes
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{name}"));
    fs::create_dir_all(&path).expect("a directory");
    path
}

/// A good file of each format.
fn seeds() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let file = |name: &str| fs::read(data.join(name)).expect("a file");
    let whole = file("java/gzip.heap");
    let profile = read::parse(&whole, "seed").expect("a dump").0;
    let texts: [&[u8]; 6] = [
        b"heap profile: 2: 8192 [2: 8192] @ heap/8192\n2: 8192 [2: 8192] @ 0x4b3ecb 0x4b3f19\n\
          #\t0x4b3eca\tmain.leaf+0x2a\t\t/opt/gh.go:5\n\n# runtime.MemStats\n# Alloc = 3\n",
        b"--- symbol\nbinary=/opt/x\n0x401100 main\n0x401200 leaf--inner\n---\n--- heap\n\
          heap_v2/1\n  t*: 1: 8 [0: 0]\n@ 0x401201 0x401101\n  t*: 1: 8 [0: 0]\nMAPPED_LIBRARIES:\n",
        b"--- contention:\ncycles/second = 1000\nsampling period = 2\n10 5 @ 0x1 0x2\n",
        b"--- Memory map: ---\n40000000-40015000: /lib/ld-2.3.2.so\n",
        b"{\"head\":{\"callFrame\":{\"functionName\":\"f\",\"url\":\"a.js\",\"lineNumber\":1},\"selfSize\":9,\
          \"children\":[{\"callFrame\":{\"functionName\":\"g\"},\"selfSize\":7,\"children\":[]}]}}",
        b"v 10500 3\nX /bin/x\ns 4 main\ni 1000 1 1\nt 1 0\na 10 1\n+ 0\n- 0\n",
    ];
    let mut seeds = vec![
        whole,
        file("leaky/leaky.heap"),
        file("folded/hostile.folded"),
        pprof::encode(&profile, None, &Filter::default()),
        gzipped(&file("leaky/less.heap"), 1),
    ];
    seeds.extend(texts.map(<[u8]>::to_vec));
    seeds
}

/// `bytes` so many times, each compressed by itself.
fn gzipped(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory").repeat(times)
}

/// All that is done with a profile: names, stacks, formats, the verdict, the page.
fn use_profile(profile: &Profile, file: &Path) {
    let part = Part { profile, sign: 1.0 };
    let named = NamedProfile::build(&[part], &Selection::default());
    folded::write(&named, &mut Vec::new()).expect("memory");
    let _encoded = pprof::encode(profile, None, &Filter::default());
    let Ok(series) = Series::read(&[file.to_path_buf()]) else {
        return;
    };
    for process in &series.processes {
        let case = suspects::find(process, None, 0.0);
        let _words = case.suspects().len();
    }
}

/// One damaged file; it stays where it gives a panic.
fn attack(bytes: &[u8], file: &Path) {
    fs::write(file, bytes).expect("a file");
    if let Ok((profile, _)) = read::parse(bytes, "x") {
        use_profile(&profile, file);
    }
    fs::remove_file(file).expect("its removal");
}

#[test]
fn no_damage_gives_a_panic() {
    let directory = scratch("damage");
    for (at, seed) in seeds().iter().enumerate() {
        let mut random = Random(at as u64);
        for copy in 0..COPIES {
            let file = directory.join(format!("{at}-{copy}.heap"));
            attack(&random.damaged(seed), &file);
        }
    }
    let Some(seconds) = std::env::var("MALLOSCOPE_FUZZ").ok() else {
        return;
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse().expect("seconds"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let first = now.expect("a clock").as_nanos() as u64;
    let (seeds, mut random, mut copies) = (seeds(), Random(first), 0_u64);
    println!("seed {first}");
    while Instant::now() < end {
        let seed = &seeds[random.below(seeds.len())];
        attack(
            &random.damaged(seed),
            &directory.join(format!("{first}-{copies}.heap")),
        );
        copies += 1;
    }
    println!("{copies} damaged files");
}

/// A profile with addresses all over the code of the program at `path`.
fn profile_of(path: &Path) -> Profile {
    let mapping = Mapping {
        start: 0x10_0000,
        end: 0x10_8000,
        executable: true,
        path: path.display().to_string(),
        ..Mapping::default()
    };
    let location = |address: u64| Location {
        address,
        mapping: Some(0),
        ..Location::default()
    };
    Profile {
        mappings: vec![mapping],
        locations: (0x10_1000..0x10_2000).step_by(61).map(location).collect(),
        ..Profile::default()
    }
}

#[test]
fn no_damage_of_a_program_gives_a_panic() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky");
    let directory = scratch("program");
    for name in ["leaky", "stripped"] {
        let seed = fs::read(data.join(name)).expect("a program");
        let mut random = Random(5);
        for copy in 0..COPIES {
            let file = directory.join(format!("{name}-{copy}"));
            fs::write(&file, random.flipped(&seed)).expect("a file");
            let mut profiles = [profile_of(&file)];
            let warnings = symbolize(&mut profiles, &Locator::default());
            assert!(warnings.len() < 4, "{copy}: {warnings:?}");
            fs::remove_file(file).expect("its removal");
        }
    }
}

#[test]
fn the_report_of_damage_can_be_made() {
    let seed = &seeds()[0];
    let mut random = Random(77);
    let file = scratch("report").join("m.4711.0.f.heap");
    let mut made = 0;
    for _ in 0..12 {
        fs::write(&file, random.damaged(seed)).expect("a file");
        made += usize::from(!limited("report --output -", &file).is_empty());
    }
    assert_eq!(made, 12);
}

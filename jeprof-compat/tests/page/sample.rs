//! A report as a shop would have it: a leak, a cache that is full, churn, and names that would be
//! markup somewhere. Made up, and the same each time.

use jeprof_compat::analysis::suspects::Verdict;
use jeprof_compat::figures::Estimate;
use jeprof_compat::report::*;
use jeprof_compat::stacks::naming::{Frame, FrameKind};

pub const HOSTILE: &str = "</script><img src=x onerror=\"window.pwned=1\">{{data}}'\"]]>";

const MB: f64 = 1_048_576.0;
const DUMPS: usize = 10;

fn frame(name: &str) -> Frame {
    let module = match name {
        n if n.contains("deflate") => Some("libz.so.1.2.13"),
        n if n.starts_with("Java_") => Some("libzip.so"),
        n if n.contains('.') => None,
        _ => Some("libjvm.so"),
    };
    Frame {
        system: false,
        name: name.into(),
        full: name.into(),
        module: module.map(str::to_owned),
        file: name
            .contains('.')
            .then(|| "src/shop/Exceptions.java".to_owned()),
        line: name.contains('.').then_some(42),
        kind: if module.is_none() {
            FrameKind::Managed
        } else {
            FrameKind::Native
        },
        ..Frame::default()
    }
}

/// Root first, and the live megabytes at a dump.
type Shape = (&'static str, fn(f64) -> f64);

const SHAPES: [Shape; 8] = [
    (
        "Thread.run;shop.Exceptions.log;java.util.zip.Deflater.<init>;Java_java_util_zip_Deflater_init;deflateInit2_",
        |d| 30.0 + 27.0 * d,
    ),
    (
        "Thread.run;shop.Orders.place;shop.Exceptions.log;java.util.zip.Deflater.<init>;Java_java_util_zip_Deflater_init;deflateInit2_",
        |d| 4.0 + 9.0 * d,
    ),
    (
        "Thread.run;shop.Orders.place;shop.Cache.put;os_malloc",
        |d| (40.0 * d).min(120.0),
    ),
    (
        "Thread.run;shop.Orders.place;shop.Json.parse;os_malloc",
        |d| 30.0 + 8.0 * (d % 3.0),
    ),
    (
        "Thread.run;shop.Search.query;shop.Search.score;os_malloc",
        |d| 60.0 - 5.0 * d,
    ),
    (
        "start_thread;Compiler.loop;C2.compile;Arena_grow;os_malloc",
        |d| 22.0 + d % 2.0,
    ),
    ("main;JNI_CreateJavaVM;os_malloc", |_| 18.0),
    ("main;shop.Config.load", |_| 1.0),
];

pub fn kind() -> Kind {
    let mut builder = KindBuilder::new(
        "malloc",
        "Native heap (malloc)",
        DUMPS,
        &[60.0, 600.0, 3600.0],
    );
    builder.name_thread(4, "http-worker");
    builder.name_thread(1, HOSTILE);
    for dump in 0..DUMPS {
        for (path, live) in SHAPES
            .iter()
            .chain([&("main;HOSTILE;shop.Config.load", (|_| 3.0) as fn(f64) -> f64)])
        {
            let names = path
                .split(';')
                .map(|n| if n == "HOSTILE" { HOSTILE } else { n });
            let frames: Vec<Frame> = names.map(frame).collect();
            let bytes = live(dump as f64) * MB;
            let samples = (bytes / 524_288.0).round();
            let old = 0.8 * bytes;
            let cell = Cell {
                bytes,
                objects: (bytes / 4096.0).round(),
                allocated: bytes * 3.0,
                samples: samples as u64,
                variance: samples * 524_288.0 * 524_288.0,
                ages: vec![bytes - old, old * 0.3, old * 0.5, old * 0.2].into(),
                threads: match path.starts_with("Thread.run") {
                    true => [(4, bytes * 0.75), (5, bytes * 0.25)].into(),
                    false => [(1, bytes)].into(),
                },
            };
            builder.add(dump, frames.iter().rev(), &cell);
        }
    }
    builder.finish()
}

/// Stacks as a big program has them: deep, many, and none like the one before.
pub fn big_kind(stacks: usize) -> Kind {
    let mut builder = KindBuilder::new(
        "malloc",
        "Native heap (malloc)",
        DUMPS,
        &[60.0, 600.0, 3600.0],
    );
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let names: Vec<Frame> = (0..6000)
        .map(|n| frame(&format!("org.example.module{}.Service{n}.handle", n % 60)))
        .collect();
    for _ in 0..stacks {
        // The deeper, the more choice: as trees of calls are.
        let path: Vec<&Frame> = (0..24_u64)
            .map(|depth| &names[(depth * 250 + random(1 + depth * depth / 3)) as usize])
            .collect();
        let (birth, size) = (random(DUMPS as u64), 1000 + random(4_000_000));
        for dump in birth as usize..DUMPS {
            let bytes = (size + if random(3) == 0 { random(600_000) } else { 0 }) as f64;
            let samples = 1 + random(5);
            let cell = Cell {
                bytes,
                objects: (bytes / 700.0).round(),
                allocated: 0.0,
                samples,
                variance: bytes * bytes / samples as f64,
                ages: vec![bytes * 0.5, bytes * 0.5, 0.0, 0.0].into(),
                threads: vec![(random(40), bytes * 0.5), (40, bytes * 0.5)].into(),
            };
            builder.add(dump, path.iter().rev().copied(), &cell);
        }
    }
    builder.finish()
}

pub fn report(kind: Kind) -> Report {
    let seconds = |dump: usize| 60.0 + 720.0 * dump as f64;
    let rss = |dump: usize| kind.live(dump).value * 1.12 + 210.0 * MB;
    let points = (0..DUMPS).map(|d| Point {
        seconds: seconds(d),
        rss: Some(rss(d)),
        live: Some(kind.live(d)),
        load: (d > 0).then_some(0.3 + d as f64 / 5.0),
        ..Point::default()
    });
    let mark = |label: &str, text: &str| Mark {
        seconds: seconds(DUMPS - 1),
        label: label.into(),
        text: text.into(),
    };
    let dumps = (0..DUMPS).map(|d| Dump {
        seconds: seconds(d),
        trigger: if d + 1 == DUMPS { "end" } else { "timer" }.into(),
        file: format!("m.8.{d}.t{d}.heap"),
    });
    let part = |name: &str, bytes: f64, meaning: &str| Share {
        name: name.into(),
        bytes,
        meaning: meaning.into(),
    };
    let account = |dump: usize| Account {
        dump,
        rss: rss(dump),
        not_resident: if dump > 7 { 90.0 * MB } else { 0.0 },
        parts: vec![
            part(
                "live heap",
                kind.live(dump).value,
                "What the program holds by malloc: the suspects are here.",
            ),
            part(
                "allocator",
                kind.live(dump).value * 0.12,
                "Freed blocks the allocator keeps, and its own books.",
            ),
            part("thread stacks", 24.0 * MB, "One a thread."),
            part(
                "mapped files",
                66.0 * MB,
                "Code and data files; can be dropped by the kernel.",
            ),
            part(
                "Java heap",
                120.0 * MB,
                "Java objects, held by the garbage collector: see -Xmx.",
            ),
        ],
    };
    let fact = |name: &str, text: &str, warning| Fact {
        name: name.into(),
        text: text.into(),
        warning,
    };
    Report {
        conclusion: Conclusion {
            verdict: Verdict::Leak,
            headline: "Yes, it leaks 180 MB/h (165 – 196)".into(),
            sentences: vec![
                "75 % of it comes from shop.Exceptions.log, which makes a Deflater for every exception and never ends it.".into(),
                "At this rate the cgroup limit of 1.5 GB is reached in about 4 hours.".into(),
            ],
            caution: false,
        },
        header: Header {
            program: "java".into(),
            command: Some(format!("java -jar shop.jar --title={HOSTILE}")),
            facts: vec![fact("Process", "4242", false), fact("Host", "web-1", false), fact("Running", "1:49 h, 10 dumps", false), fact("Sample rate", "one sample a 512 KB allocated", false), fact("Names not found", "2 % of frames", false), fact("Lost samples", "17: the table of stacks was full", true)],
        },
        timeline: Timeline { points: points.collect(), dumps: dumps.collect(), limit: Some(Limit { bytes: 1536.0 * MB, name: "cgroup limit".into() }), marks: vec![mark("OOM", "It was killed by the OOM killer."), mark("started again", HOSTILE)], kind: None },
        accounts: (0..DUMPS).map(account).collect(),
        suspects: suspects(),
        neighbours: vec![
            Neighbour { name: format!("pid 4243 ({HOSTILE})"), pid: 4243, verdict: Verdict::NoLeak, headline: "No leak visible above 3 MB/h".into(), dumps: 10, live: 31.0 * MB, page: None },
            Neighbour { name: "pid 4244 (web-1)".into(), pid: 4244, verdict: Verdict::Growing, headline: "It grows".into(), dumps: 2, live: 3.0 * MB, page: Some("report.4244.html".into()) },
        ],
        notes: vec![format!("{HOSTILE}: is not on this machine")],
        kinds: vec![kind],
    }
}

fn suspects() -> Vec<Suspect> {
    let estimate = |value: f64, low: f64, high: f64| Estimate {
        value: value * MB,
        low: low * MB,
        high: high * MB,
    };
    let glue = |name: &str| StackFrame {
        name: name.into(),
        module: "libz.so.1.2.13".into(),
        build_id: "97da31b2".into(),
        glue: true,
        ..StackFrame::default()
    };
    let own = |name: &str, place: &str| StackFrame {
        name: name.into(),
        place: place.into(),
        ..StackFrame::default()
    };
    let leak = Suspect {
        verdict: Verdict::Leak,
        culprit: "shop.Exceptions.log".into(),
        place: "src/shop/Exceptions.java:42".into(),
        sentence: "Holds 357.0 MB in 91,392 blocks; what it allocates is never freed.".into(),
        reason: "Of 540 samples older than 11 minutes none was freed from dump to dump, and births are even over time.".into(),
        origin: None,
        kind: "malloc".into(),
        rate: Some(estimate(135.0, 121.0, 150.0)),
        share: Some(0.75),
        live: estimate(357.0, 331.0, 383.0),
        objects: 91_392.0,
        samples: 714,
        survival: Some(1.0),
        ages: (0..12).map(|n| (28 + n % 3) as f64 * MB).collect(),
        history: (0..DUMPS).map(|d| (34 + 36 * d) as f64 * MB).collect(),
        lifetimes: (0..6).map(|n| Lifetime { from_ms: f64::from(1 << n), bytes: f64::from(7 - n) * MB }).collect(),
        threads: vec![("http-worker-*".into(), 0.9), (HOSTILE.into(), 0.1)],
        stack: vec![glue("deflateInit2_"), glue("Java_java_util_zip_Deflater_init"), own("shop.Exceptions.log", "src/shop/Exceptions.java:42"), own(HOSTILE, "")],
        keywords: vec!["Deflater".into(), "deflateInit2_".into()],
        advice: vec!["Call end() on the Deflater, or use try-with-resources around the stream.".into()],
    };
    let bounded = Suspect {
        verdict: Verdict::Bounded,
        culprit: "shop.Cache.put".into(),
        sentence: "Held 120.0 MB from dump 3 on.".into(),
        reason: "Nothing has been added in the last three quarters of the run.".into(),
        kind: "malloc".into(),
        live: estimate(120.0, 105.0, 135.0),
        samples: 240,
        ages: [vec![60.0 * MB, 50.0 * MB, 10.0 * MB], vec![0.0; 9]].concat(),
        history: (0..DUMPS)
            .map(|d| (40.0 * d as f64).min(120.0) * MB)
            .collect(),
        ..Suspect::default()
    };
    let hostile = Suspect {
        verdict: Verdict::TooFew,
        culprit: HOSTILE.into(),
        place: HOSTILE.into(),
        samples: 6,
        live: estimate(3.0, 0.6, 5.4),
        reason: "6 samples say nothing; a rate of 64 KB would give a verdict in 20 minutes.".into(),
        kind: "malloc".into(),
        ..Suspect::default()
    };
    vec![leak, bounded, hostile]
}

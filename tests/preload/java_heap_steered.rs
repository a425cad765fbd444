//! The Java heap of a program that is steered by the control socket, or looked at by the JDK's own
//! tools, while it runs.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::control::{ask, number};
use crate::harness::{Preload, Run, Server};
use crate::java_heap_seen::{Heap, heap_agent, homes, java, late_agent};

const CONF: &str = "prof:true,prof_java_heap:true,prof_control:true";

/// So many threads, and objects a phase of each; an object has 1000 bytes.
const THREADS: u64 = 128;
const OBJECTS: u64 = 500;
const PHASE: u64 = THREADS * OBJECTS * 1000;

/// JDK 17 counts what is left unused of a thread's buffer as allocated. Each phase ends with a
/// collection, which takes all buffers away: that would be a tenth of a phase.
const NO_BUFFERS: &str = "-XX:-UseTLAB";

struct Steered {
    server: Server,
    phase: u32,
}

impl Steered {
    fn start(home: &Path, conf: &str) -> Steered {
        Steered::start_with(home, &["-Xcheck:jni"], conf)
    }

    fn start_with(home: &Path, flags: &[&str], conf: &str) -> Steered {
        let words = ["Steered", &THREADS.to_string(), "4", &OBJECTS.to_string()];
        let flags = [flags, &[NO_BUFFERS]].concat();
        let server = java(home, &flags, &words).conf(conf).start();
        Steered { server, phase: 0 }
    }

    fn ask(&self, line: &str) -> String {
        ask(self.server.pid(), line)
    }

    /// Has the program allocate once more, and returns when it has collected.
    #[track_caller]
    fn next(&mut self) {
        self.phase += 1;
        let directory = self.server.directory();
        fs::write(directory.join(format!("go{}", self.phase)), "").expect("a file");
        let done = directory.join(format!("done{}", self.phase));
        let end = Instant::now() + Duration::from_secs(60);
        while !done.exists() {
            assert!(Instant::now() < end, "phase {} does not end", self.phase);
            sleep(Duration::from_millis(20));
        }
    }

    /// What a dump says now.
    fn heap(&self) -> Heap {
        let path = self.server.directory().join("sent");
        fs::write(&path, self.ask("profile")).expect("a file");
        Heap::read(&path)
    }

    /// Ends it; what it said is as without us.
    fn end(self) {
        let run = self.end_with_output();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("done\n", ""));
    }

    fn end_with_output(self) -> Run {
        fs::write(self.server.directory().join("end"), "").expect("a file");
        self.server.wait().succeeded()
    }
}

/// Of the phases alone.
fn kept(heap: &Heap) -> u64 {
    heap.bytes("byte[]", "Steered.keep")
}

#[track_caller]
fn assert_phases(bytes: u64, phases: f64, tolerance: f64) {
    let seen = bytes as f64 / PHASE as f64;
    println!("{seen:.3} phases of {phases}");
    assert!((seen - phases).abs() < tolerance, "{seen} of {phases}");
}

#[test]
fn objects_keep_the_weight_of_the_rate_that_they_were_drawn_at() {
    for home in homes() {
        let mut program = Steered::start(&home, &format!("{CONF},lg_prof_sample:14"));
        program.next();
        // 4000 samples: 1.6 %.
        let before = program.heap();
        assert_eq!(before.number("period"), 1 << 14);
        assert_phases(kept(&before), 1.0, 0.15);
        assert_eq!(program.ask("rate 20"), "ok\n");
        assert_eq!(
            number(&program.ask("status"), "java_heap_period_bytes"),
            1 << 20
        );
        program.next();
        // Each thread's first sample ends a gap of 16 KiB: as samples of 1 MiB they would be two
        // phases more. 60 samples: a standard deviation of 0.13 phases.
        let after = program.heap();
        assert_eq!(after.number("period"), 1 << 20);
        assert_phases(kept(&after), 2.0, 0.75);
        assert_eq!(program.ask("rate 14"), "ok\n");
        program.next();
        program.next();
        // Here each thread first goes on in a gap of 1 MiB, which is two phases of its own.
        let whole = program.heap();
        assert_phases(kept(&whole), 4.0, 1.1);
        assert!(program.ask("rate 64").starts_with("error no such rate"));
        assert_eq!(program.heap().number("period"), 1 << 14);
        program.end();
    }
}

#[test]
fn a_reset_forgets_the_java_heap_too() {
    for home in homes() {
        let mut program = Steered::start(&home, &format!("{CONF},lg_prof_sample:14"));
        program.next();
        // JDK 17 counts what a thread leaves unused of its piece of the heap: some 4 % here.
        assert_phases(kept(&program.heap()), 1.0, 0.15);
        assert_eq!(program.ask("reset"), "ok\n");
        let heap = program.heap();
        assert_eq!(kept(&heap), 0);
        assert!(heap.number("references") < 50, "{:?}", heap.facts);
        program.next();
        assert_phases(kept(&program.heap()), 1.0, 0.15);
        for _ in 0..20 {
            assert_eq!(program.ask("reset"), "ok\n");
        }
        program.next();
        assert_phases(kept(&program.heap()), 1.0, 0.15);
        program.end();
    }
}

#[test]
fn the_java_heap_is_woken_and_put_to_sleep() {
    for home in homes() {
        let conf = format!("{CONF},lg_prof_sample:14,prof_active:false");
        // A thread follows with its next piece of the heap: these are a fifteenth of a phase.
        let flags = ["-Xcheck:jni", "-XX:TLABSize=32k", "-XX:-ResizeTLAB"];
        let mut program = Steered::start_with(&home, &flags, &conf);
        program.next();
        let status = program.ask("status");
        assert_eq!(number(&status, "java_heap_live_samples"), 0, "{status}");
        assert_eq!(program.ask("start"), "ok\n");
        program.next();
        let awake = kept(&program.heap());
        assert_phases(awake, 1.0, 0.25);
        assert_eq!(program.ask("stop"), "ok\n");
        program.next();
        assert_eq!(kept(&program.heap()), awake);
        assert_eq!(program.ask("start"), "ok\n");
        program.next();
        assert_phases(kept(&program.heap()) - awake, 1.0, 0.25);
        program.end();
    }
}

/// `jcmd PID WORDS`, with the library and the options of the program that it looks at; what it said.
#[track_caller]
fn jcmd(home: &Path, program: &Steered, words: &[&str]) -> String {
    let tool = Preload::command([home.join("bin/jcmd")]).arg(program.server.pid().to_string());
    let tool = words.iter().fold(tool, |tool, word| tool.arg(word));
    let run = tool.conf(CONF).run();
    assert_eq!(run.stderr, "", "{words:?}");
    run.succeeded().stdout
}

#[test]
fn the_jdks_tools_look_at_a_sampled_program() {
    for home in homes() {
        if !home.join("bin/jcmd").is_file() {
            println!("skipped: {} has no jcmd", home.display());
            continue;
        }
        let mut program = Steered::start(&home, &format!("{CONF},lg_prof_sample:14"));
        program.next();
        let dump = program.server.directory().join("own.hprof");
        let said = [
            (&["GC.class_histogram"][..], "Steered"),
            (&["GC.run"], "Command executed successfully"),
            (&["GC.heap_info"], "heap"),
            (&["Thread.print"], "java.util.concurrent.CyclicBarrier"),
            (&["GC.heap_dump", &dump.to_string_lossy()], "Heap dump file"),
            (&["VM.system_properties"], "java.vm.name"),
        ];
        for (words, wanted) in said {
            let answer = jcmd(&home, &program, words);
            assert!(answer.contains(wanted), "{words:?}: {answer}");
            assert!(!answer.contains("malloscope-java"), "{words:?}: {answer}");
        }
        assert_phases(kept(&program.heap()), 1.0, 0.15);
        program.next();
        assert_phases(kept(&program.heap()), 2.0, 0.3);
        program.end();
    }
}

#[test]
fn a_flight_recording_begins_and_ends_beside_it() {
    for home in homes() {
        let mut program = Steered::start(&home, &format!("{CONF},lg_prof_sample:14"));
        let started = jcmd(
            &home,
            &program,
            &["JFR.start", "name=r", "settings=profile"],
        );
        if !started.contains("Started recording") {
            println!("skipped: {} has no flight recorder", home.display());
            program.end();
            continue;
        }
        program.next();
        assert_phases(kept(&program.heap()), 1.0, 0.15);
        let file = program.server.directory().join("r.jfr");
        let to = format!("filename={}", file.display());
        jcmd(&home, &program, &["JFR.stop", "name=r", &to]);
        assert!(fs::metadata(file).expect("a recording").len() > 10_000);
        program.next();
        assert_phases(kept(&program.heap()), 2.0, 0.3);
        program.end();
    }
}

#[test]
fn agents_are_loaded_into_a_sampled_program() {
    for home in homes() {
        let Some(agent) = heap_agent(&home) else {
            println!("skipped: {} has no headers", home.display());
            continue;
        };
        // From JDK 21 on the JVM warns of it otherwise.
        let flags = ["-XX:+EnableDynamicAgentLoading"];
        let conf = format!("{CONF},lg_prof_sample:14");
        let mut program = Steered::start_with(&home, &flags, &conf);
        program.next();
        let jar = late_agent(&home);
        for agent in [&agent, &jar] {
            let answer = jcmd(
                &home,
                &program,
                &["JVMTI.agent_load", &agent.to_string_lossy()],
            );
            assert!(answer.contains("return code: 0"), "{answer}");
        }
        program.next();
        assert_phases(kept(&program.heap()), 2.0, 0.3);
        fs::remove_file(jar).expect("the jar");
        let run = program.end_with_output();
        assert_eq!(run.stderr, "");
        // JVMTI_ERROR_NOT_AVAILABLE: we have the samples.
        assert_eq!(run.truth("agent_refused"), 98);
        assert_eq!(run.truth("agent_loaded"), 1);
        assert_eq!(run.truth("retransformed"), 1);
    }
}

//! What the tests of the Java heap share: the programs, and what a dump says.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{Preload, Run, compile, source};
use crate::jdk::{self, jdks};

/// Where the JDKs are, each once.
pub fn homes() -> Vec<PathBuf> {
    let homes: Vec<_> = jdks().into_iter().map(|jdk| jdk.home).collect();
    assert!(
        !homes.is_empty(),
        "no JDK is installed; .ci/run installs one"
    );
    homes
}

/// The number of a JDK.
pub fn version(home: &Path) -> u32 {
    jdk::version(home).unwrap_or(0)
}

/// Compiles for JDK 11, once for all tests.
pub fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java_heap_classes");
        fs::create_dir_all(&directory).expect("directory for classes");
        let compiler = homes()
            .into_iter()
            .map(|home| home.join("bin/javac"))
            .find(|javac| javac.is_file())
            .expect("a javac; .ci/run installs one");
        let status = Command::new(compiler)
            .args(["--release", "11", "-d"])
            .arg(&directory)
            .arg(source("tests/programs/java/HeapWork.java"))
            .arg(source("tests/programs/java/LateAgent.java"))
            .arg(source("tests/programs/java/Later.java"))
            .arg(source("tests/programs/java/Steered.java"))
            .arg(source("examples/static-collection/AuditLog.java"))
            .status()
            .expect("javac");
        assert!(status.success(), "the Java programs do not compile");
        directory
    })
}

pub fn java(home: &Path, flags: &[&str], words: &[&str]) -> Preload {
    let mut preload = Preload::command([home.join("bin/java")]).arg("-Xmx600m");
    for flag in flags {
        preload = preload.arg(flag);
    }
    preload = preload.arg("-cp").arg(classes());
    words
        .iter()
        .fold(preload, |preload, word| preload.arg(word))
}

/// An agent of somebody else that wants the samples too, made with the headers of a JDK that has them.
pub fn heap_agent(home: &Path) -> Option<PathBuf> {
    if !home.join("include/jvmti.h").is_file() {
        return None;
    }
    let include = format!("-I{}/include", home.display());
    let linux = format!("{include}/linux");
    Some(compile(
        "heap_agent.c",
        &["-shared", "-fPIC", &include, &linux],
    ))
}

/// The agent `LateAgent` as a JDK has to have it; made by one that has tools.
pub fn late_agent(home: &Path) -> PathBuf {
    let jar = format!("late-{}-{}.jar", version(home), std::process::id());
    let jar = Path::new(env!("CARGO_TARGET_TMPDIR")).join(jar);
    let manifest = jar.with_extension("manifest");
    let lines = "Agent-Class: LateAgent\nCan-Retransform-Classes: true\n";
    fs::write(&manifest, lines).expect("a manifest");
    let status = Command::new("jar")
        .arg("cfm")
        .args([&jar, &manifest])
        .arg("-C")
        .arg(classes())
        .arg("LateAgent.class")
        .status()
        .expect("jar");
    assert!(status.success(), "no jar");
    jar
}

/// One stack of the Java heap.
#[derive(Debug)]
pub struct Stack {
    /// `CLASS.METHOD FILE:LINE`, leaf first; the leaf is the object's class alone.
    pub frames: Vec<String>,
    /// Live ones.
    pub samples: u64,
    /// That they stand for.
    pub bytes: u64,
}

/// What a dump says of the Java heap.
#[derive(Debug, Default)]
pub struct Heap {
    pub facts: HashMap<String, String>,
    pub stacks: Vec<Stack>,
}

impl Heap {
    pub fn read(path: &Path) -> Heap {
        let text = fs::read_to_string(path).expect("a dump");
        let frames = text
            .lines()
            .filter_map(|line| line.strip_prefix("# frame "));
        let frames: HashMap<_, _> = frames
            .map(|line| {
                let [address, kind, class, name, file, line] =
                    line.split('\t').collect::<Vec<_>>()[..]
                else {
                    panic!("{line}");
                };
                // Code of the JVM's own that nobody names, and where a deep stack is cut.
                assert!(kind == "java" || kind == "cut" || name == "[jit]", "{line}");
                let dot = if class.is_empty() { "" } else { "." };
                let place = if file.is_empty() {
                    String::new()
                } else {
                    format!(" {file}:{line}")
                };
                (address, format!("{class}{dot}{name}{place}"))
            })
            .collect();
        let mut heap = Heap::default();
        for line in text.lines() {
            if let Some(fact) = line.strip_prefix("#@ java_heap fact ") {
                let (key, value) = fact.split_once(' ').expect("key and value");
                heap.facts.insert(key.to_owned(), value.to_owned());
            } else if let Some(stack) = line.strip_prefix("#@ java_heap stack ") {
                let (facts, addresses) = stack.split_once(" @ ").expect("frames");
                let live = facts
                    .split(' ')
                    .find_map(|word| word.strip_prefix("live="))
                    .expect("what lives");
                let numbers: Vec<_> = live.split(':').collect();
                heap.stacks.push(Stack {
                    frames: addresses
                        .split(' ')
                        .map(|address| frames[address].clone())
                        .collect(),
                    samples: numbers[0].parse().expect("samples"),
                    bytes: numbers[2].parse().expect("bytes"),
                });
            }
        }
        heap
    }

    pub fn last(run: &Run) -> Heap {
        let files = run.dump_files();
        Heap::read(
            files
                .last()
                .unwrap_or_else(|| panic!("no dump\n{}", run.stderr)),
        )
    }

    /// Live bytes of a class, of all stacks that pass `line`.
    pub fn bytes(&self, class: &str, line: &str) -> u64 {
        let wanted = self.stacks.iter().filter(|stack| {
            stack.frames[0] == class && stack.frames.iter().any(|frame| frame.contains(line))
        });
        wanted.map(|stack| stack.bytes).sum()
    }

    pub fn number(&self, fact: &str) -> u64 {
        let value = self.facts.get(fact);
        value
            .unwrap_or_else(|| panic!("no {fact} in {:?}", self.facts))
            .parse()
            .expect("a number")
    }
}

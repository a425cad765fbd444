//! Ruby's own objects, by class and line: as many as the program keeps.

use std::collections::HashMap;
use std::fs;

use crate::harness::{Preload, Run, source};

/// Live objects and bytes of the stacks of an object's class below a method.
fn live(run: &Run, class: &str, method: &str) -> (f64, f64) {
    let dump = run.final_dump();
    let text = fs::read(&dump.path).expect("the dump");
    let text = String::from_utf8_lossy(&text);
    let frames: HashMap<u64, String> = dump.managed;
    let mut sum = (0.0, 0.0);
    let lines = text.lines();
    for line in lines.filter_map(|line| line.strip_prefix("#@ ruby_objects stack ")) {
        let (facts, stack) = line.split_once(" @ ").expect("frames");
        let names: Vec<&str> = stack
            .split(' ')
            .filter_map(|frame| u64::from_str_radix(frame.strip_prefix("0x")?, 16).ok())
            .filter_map(|frame| frames.get(&frame).map(String::as_str))
            .collect();
        let is_of = names
            .first()
            .is_some_and(|leaf| *leaf == format!("{class}. :"));
        if is_of && names.iter().any(|name| name.contains(method)) {
            let live = facts.split(' ').find_map(|fact| fact.strip_prefix("live="));
            let live: Vec<f64> = live
                .expect("what is live")
                .split(':')
                .map(|number| number.parse().expect("a number"))
                .collect();
            sum = (sum.0 + live[1], sum.1 + live[2]);
        }
    }
    sum
}

fn ruby(words: &[&str], conf: &str) -> Run {
    let script = source("tests/ruby").join(words[0]);
    let ruby = Preload::command(["/usr/bin/ruby", "-W0"]).arg(script);
    let ruby = words[1..].iter().fold(ruby, Preload::arg);
    let conf = format!("prof:true,prof_final:true,lg_prof_sample:12,{conf}");
    ruby.conf(&conf).run().succeeded()
}

#[test]
fn small_objects_are_counted_by_class_and_line() {
    let run = ruby(&["objects.rb", "2000000"], "prof_ruby_objects:true");
    assert_eq!(run.stderr, "");
    for (class, method, truth) in [
        ("String", "Sessions..remember", run.truth("strings")),
        ("Point", "objects.rb:19", run.truth("points")),
    ] {
        let (objects, bytes) = live(&run, class, method);
        let ratio = objects / truth as f64;
        assert!((0.7..1.3).contains(&ratio), "{class}: {ratio}");
        assert!(bytes / objects > 39.9, "{class}");
    }
    // What died is gone.
    let (objects, _) = live(&run, "String", "String.upcase");
    assert!(objects < run.truth("strings") as f64 / 10.0, "{objects}");
}

#[test]
fn windows_see_as_much_as_the_whole() {
    let run = ruby(&["objects.rb", "2000000"], "prof_ruby_objects:auto");
    let (objects, _) = live(&run, "String", "Sessions..remember");
    let ratio = objects / run.truth("strings") as f64;
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}

#[test]
fn without_the_option_no_object_is_followed() {
    let run = ruby(&["objects.rb", "100000"], "prof_ruby_objects:false");
    let text = fs::read(run.final_dump().path).expect("the dump");
    assert!(!String::from_utf8_lossy(&text).contains("#@ ruby_objects"));
}

#[test]
fn threads_ractors_forks_and_the_collector_leave_it_whole() {
    for kinds in [
        &["threads"][..],
        &["threads", "ractors"],
        &["threads", "compact"],
        &["forks", "threads"],
    ] {
        let mut words = vec!["stress.rb", "1.0"];
        words.extend(kinds);
        let run = ruby(&words, "prof_ruby_objects:true,prof_final_all:true");
        assert_eq!(run.truth("done"), 1, "{kinds:?}");
        assert_eq!(run.stderr, "", "{kinds:?}");
    }
}

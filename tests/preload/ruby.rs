//! Ruby frames in the stacks, with nothing but the library preloaded, on the machine's Ruby
//! (`tests/ruby.sh` has other versions, and what takes long).

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::dump::{Dump, Stack};
use crate::harness::{Preload, Run, compile, installed, source, system_library};

const ALL: &str = "prof:true,prof_final:true,prof_accum:true";

fn script(name: &str) -> String {
    let path = source("tests/ruby").join(name);
    path.to_string_lossy().into_owned()
}

/// `ruby SCRIPT WORDS...`
#[track_caller]
fn ruby(name: &str, words: &[&str]) -> Preload {
    let system = PathBuf::from("/usr/bin/ruby");
    let program = if system.is_file() {
        Some(system)
    } else {
        installed("ruby")
    };
    let program = program.expect("ruby is not installed; .ci/run installs it");
    let preload = Preload::command([program.into_os_string(), "-W0".into(), script(name).into()]);
    words.iter().fold(preload, Preload::arg)
}

/// The extension, under the name by which Ruby loads it.
fn extension() -> String {
    let library = compile("ruby_leaky.c", &["-shared", "-fPIC"]);
    let named = library.with_extension("so");
    if fs::read(&named).ok() != fs::read(&library).ok() {
        let new = library.with_extension(format!("{}", std::process::id()));
        fs::copy(&library, &new).expect("a copy");
        fs::rename(&new, &named).expect("a copy");
    }
    named.to_string_lossy().into_owned()
}

fn in_order(names: &[&str], wanted: &[&str]) -> bool {
    let mut names = names.iter();
    wanted
        .iter()
        .all(|wanted| names.any(|name| name.contains(wanted)))
}

/// Live bytes of the stacks that have `wanted` in this order.
fn live(dump: &Dump, wanted: &[&str]) -> u64 {
    let has = |stack: &&Stack| in_order(&dump.names(stack), wanted);
    dump.stacks
        .iter()
        .filter(has)
        .map(|stack| stack.live.2)
        .sum()
}

/// Samples ever taken: with a Ruby frame that names a file, and all.
fn shares(dump: &Dump) -> (u64, u64) {
    let (mut named, mut all) = (0, 0);
    for stack in &dump.stacks {
        all += stack.samples_ever;
        let names = dump.names(stack);
        if names.iter().any(|name| name.contains(".rb:")) {
            named += stack.samples_ever;
        }
    }
    (named, all)
}

#[track_caller]
fn assert_sound(run: &Run) {
    for dump in run.dumps() {
        assert_eq!(dump.number("counter_ruby_lost"), 0);
        assert_eq!(dump.facts.get("remark"), None, "{}", dump.path.display());
    }
}

#[test]
fn the_leak_of_an_extension_names_its_ruby_lines() {
    let extension = extension();
    for how in ["set", "set_unlocked"] {
        let conf = format!("{ALL},lg_prof_sample:14");
        let words = [extension.as_str(), how, "4000"];
        let run = ruby("leaky.rb", &words).conf(&conf).run().succeeded();
        assert_eq!(run.stderr, "");
        assert_sound(&run);
        let dump = run.final_dump();
        let file = script("leaky.rb");
        let chain = [
            format!("LeakyClient.{how} "),
            format!("Store::Cache.write {file}:8"),
            format!("Store::Cache.instrument {file}:11"),
            format!("Store::Cache.write {file}:8"),
            format!("block in <main> {file}:18"),
            "Integer.times ".to_owned(),
            format!("<main> {file}:18"),
        ];
        let chain = chain.each_ref().map(String::as_str);
        let ratio = live(&dump, &chain) as f64 / run.truth("leaked_bytes") as f64;
        assert!((0.8..1.2).contains(&ratio), "{how}: {ratio}");
    }
}

#[test]
fn the_native_part_ends_where_the_interpreter_begins() {
    let extension = extension();
    let conf = format!("{ALL},lg_prof_sample:14");
    let words = [extension.as_str(), "set", "4000"];
    let run = ruby("leaky.rb", &words).conf(&conf).run().succeeded();
    let dump = run.final_dump();
    let is_leak = |stack: &&Stack| in_order(&dump.names(stack), &["LeakyClient.set "]);
    let stack = dump.stacks.iter().find(is_leak).expect("the leak");
    let first = stack
        .frames
        .iter()
        .position(|pc| dump.managed.contains_key(pc));
    let native = &stack.frames[1..first.expect("Ruby frames")];
    assert!(!native.is_empty());
    let of = |name: &str| -> Vec<std::ops::Range<u64>> {
        let lines = dump.maps.iter().filter(|line| line.contains(name));
        let address = |text: &str| u64::from_str_radix(text, 16).expect("hex");
        let range = |line: &String| {
            let (start, rest) = line.split_once('-').expect("a mapping");
            address(start)..address(rest.split(' ').next().expect("its end"))
        };
        lines.map(range).collect()
    };
    let own = of("ruby_leaky");
    assert!(!own.is_empty());
    for pc in native {
        assert!(own.iter().any(|range| range.contains(pc)), "{pc:#x}");
    }
    let rest = &stack.frames[first.expect("Ruby frames")..];
    assert!(rest.iter().all(|pc| dump.managed.contains_key(pc)));
}

/// What 200 compressors that were never closed take: each 268 KB by zlib's own figures.
#[track_caller]
fn assert_kept(dump: &Dump, count: u64) {
    let bytes = live(
        dump,
        &["Zlib::Deflate.initialize ", "Compressors..keep ", "<main> "],
    );
    let ratio = bytes as f64 / (count * 268_096) as f64;
    assert!(
        (0.9..1.1).contains(&ratio),
        "{}: {ratio}",
        dump.path.display()
    );
}

#[test]
fn what_ruby_frees_at_its_end_is_in_the_last_dump() {
    let conf = format!("{ALL},lg_prof_sample:16");
    for (how, status) in [("return", 0), ("exit", 3), ("raise", 1)] {
        let run = ruby("kept.rb", &[how]).conf(&conf).run();
        assert_eq!(run.status.code(), Some(status), "{how}");
        assert_sound(&run);
        assert_eq!(run.dump_files().len(), 1, "{how}");
        assert_kept(&run.final_dump(), run.truth("kept"));
    }
}

#[test]
fn a_signal_that_ends_ruby_does_not_lose_what_it_kept() {
    use std::os::unix::process::ExitStatusExt;
    let conf = format!("{ALL},lg_prof_sample:16");
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let server = ruby("kept.rb", &["wait"]).conf(&conf).start();
        let end = Instant::now() + Duration::from_secs(30);
        let output = server.directory().join("stdout");
        while fs::read(&output).expect("its output").is_empty() {
            assert!(Instant::now() < end, "ruby does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = server.pid().to_string();
        let kill = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(kill.expect("kill").success());
        let run = server.wait();
        assert_eq!(run.status.signal(), Some(number), "{}", run.stderr);
        assert_eq!(run.dump_files().len(), 1, "{signal}");
        assert_kept(&run.final_dump(), 200);
    }
}

#[test]
fn a_forked_child_has_its_own_frames_and_its_own_last_dump() {
    let conf = format!("{ALL},lg_prof_sample:16");
    let run = ruby("kept.rb", &["fork"]).conf(&conf).run().succeeded();
    let dumps = run.dumps();
    assert_eq!(dumps.len(), 2);
    let mut kept: Vec<u64> = dumps
        .iter()
        .map(|dump| live(dump, &["Compressors..keep "]) / 268_096)
        .collect();
    kept.sort_unstable();
    assert!((180..=220).contains(&kept[0]), "{kept:?}");
    assert!((270..=330).contains(&kept[1]), "{kept:?}");
}

#[test]
fn whatever_ruby_does_its_frames_are_read() {
    let kinds: [&[&str]; 5] = [
        &["threads"],
        &["threads", "ractors"],
        &["threads", "compact"],
        &["gc"],
        &["threads", "forks"],
    ];
    for kinds in kinds {
        for lg in ["0", "10"] {
            let mut words = vec!["0.7"];
            words.extend(kinds);
            let conf = format!("{ALL},lg_prof_sample:{lg},prof_final_all:true");
            let run = ruby("stress.rb", &words).conf(&conf).run().succeeded();
            assert_eq!(run.truth("done"), 1, "{words:?}");
            assert_eq!(run.stderr, "", "{words:?}");
            assert_sound(&run);
            let dump = run.dumps().pop().expect("a dump");
            let (named, all) = shares(&dump);
            assert!(named * 10 > all * 6, "{words:?} {lg}: {named} of {all}");
        }
    }
}

#[test]
fn the_first_mallocs_of_an_interpreter_ask_it_nothing() {
    for conf in [
        "prof:true,lg_prof_sample:0",
        "prof:true,lg_prof_sample:3,prof_final:true",
    ] {
        let run = Preload::command(["/usr/bin/ruby", "-e0"]).conf(conf).run();
        assert_eq!(run.succeeded().stderr, "");
        let run = Preload::command(["/usr/bin/ruby", "--disable=gems", "-e0"])
            .conf(conf)
            .run();
        assert_eq!(run.succeeded().stderr, "");
    }
}

#[test]
fn with_another_allocator_behind_us_the_frames_are_the_same() {
    let conf = format!("{ALL},lg_prof_sample:16");
    for name in ["libjemalloc.so.2", "libtcmalloc.so.4"] {
        let run = ruby("kept.rb", &["return"])
            .behind_us(system_library(name))
            .conf(&conf)
            .run()
            .succeeded();
        assert_kept(&run.final_dump(), run.truth("kept"));
    }
}

#[test]
fn arrays_that_ruby_moves_to_malloc_later_are_marked() {
    // Only 3.1 and before do so.
    let version = std::process::Command::new("ruby")
        .arg("-e")
        .arg("print RUBY_VERSION")
        .output();
    let version = String::from_utf8(version.expect("ruby").stdout).expect("a version");
    let conf = format!("{ALL},lg_prof_sample:10");
    let run = ruby("transient.rb", &[]).conf(&conf).run().succeeded();
    let marked = live(&run.final_dump(), &["[transient heap]"]);
    let kept = run.truth("kept_bytes");
    if version.as_str() < "3.2" {
        assert!(marked * 10 > kept, "{marked} of {kept}");
    } else {
        assert_eq!(marked, 0);
    }
}

#[test]
fn the_names_can_be_switched_off() {
    let conf = format!("{ALL},lg_prof_sample:16,prof_ruby:false");
    let run = ruby("kept.rb", &["return"]).conf(&conf).run().succeeded();
    assert!(run.final_dump().managed.is_empty());
}

#[test]
fn what_only_looks_like_ruby_is_left_alone() {
    let program = compile("ruby_garbage.c", &["-rdynamic"]);
    for version in ["0", "1", "3"] {
        for kind in ["0", "1", "2", "3", "4", "5"] {
            let run = Preload::command([
                program.clone().into_os_string(),
                version.into(),
                kind.into(),
            ])
            .conf("prof:true,prof_final:true,lg_prof_sample:10")
            .run()
            .succeeded();
            assert_eq!(run.stdout, "done\n");
            assert_eq!(run.stderr, "");
            let dump = run.final_dump();
            let remark = dump.facts.get("remark").map_or("", String::as_str);
            assert!(
                remark.starts_with("this Ruby"),
                "{version} {kind}: {remark}"
            );
        }
    }
}

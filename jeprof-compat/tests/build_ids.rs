//! A program that was built anew since the dump gives no names at all, and one line says so.

use std::path::{Path, PathBuf};

use jeprof_compat::command::load::Loaded;
use jeprof_compat::stacks::Selection;
use jeprof_compat::symbolize::Locator;
use object::Object;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/leaky")
        .join(name)
}

/// The recorded dump as our profiler would have written it, with this build id.
fn dump_with(build_id: &str) -> PathBuf {
    let text = std::fs::read_to_string(data("leaky.heap")).unwrap();
    let program = text
        .lines()
        .find(|l| l.ends_with("/opt/leaky/leaky"))
        .unwrap();
    let start = program.split('-').next().unwrap();
    let line = format!("# build_id 0x{start} {build_id} /opt/leaky/leaky");
    let text = text.replacen('\n', &format!("\n# malloscope 1\n{line}\n"), 1) + "# end\n";
    let name = format!("malloscope-{}-{build_id}.heap", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Names of all frames, and the warnings about the program.
fn load(build_id: &str) -> (Vec<String>, Vec<String>) {
    let dump = dump_with(build_id);
    let program = Some(data("leaky"));
    let locator = Locator {
        program,
        ..Locator::default()
    };
    let loaded = Loaded::load(std::slice::from_ref(&dump), None, &locator).unwrap();
    std::fs::remove_file(dump).unwrap();
    let named = loaded.select(&Selection::default());
    let about_program = |w: &&String| w.contains("/opt/leaky/leaky");
    let warnings = loaded
        .warnings
        .iter()
        .filter(about_program)
        .cloned()
        .collect();
    (named.frames.into_iter().map(|f| f.name).collect(), warnings)
}

#[test]
fn the_same_build_gives_names() {
    let bytes = std::fs::read(data("leaky")).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let id: String = elf
        .build_id()
        .unwrap()
        .unwrap()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let (names, warnings) = load(&id);
    assert!(names.iter().any(|n| n == "shop::buy(int)"), "{names:?}");
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn another_build_gives_none_and_one_warning() {
    let (names, warnings) = load("00ff");
    assert!(names.iter().all(|n| !n.contains("shop")), "{names:?}");
    assert!(names.iter().any(|n| n.starts_with("leaky+0x")), "{names:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the one that ran had 00ff; its frames stay without names"));
}

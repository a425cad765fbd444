//! Code that is gone when a dump is written keeps its name, and what was loaded in its place is not blamed.

use std::path::PathBuf;

use crate::dump::{Dump, Stack};
use crate::harness::{Preload, compile};

const EXACT: &str = "prof:true,prof_final:true,lg_prof_sample:0";

/// The upper bits of an address say that its module is gone.
const NUMBER: u32 = 48;

fn plugin(name: &str) -> PathBuf {
    compile(
        "plugin_run.c",
        &["-shared", "-fPIC", &format!("-DNAME={name}")],
    )
}

/// The one stack of a thousand blocks of `size` bytes.
#[track_caller]
fn of_size(dump: &Dump, size: u64) -> &Stack {
    let mut found = dump
        .stacks
        .iter()
        .filter(|stack| stack.live.2 == 1000 * size);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("no {size} in {:?}", dump.path));
    assert!(found.next().is_none());
    one
}

/// The line of the mapping that holds the code of the second frame: the plugin's.
fn mapping(dump: &Dump, stack: &Stack) -> String {
    let pc = stack.frames[1] - 1;
    let holds = |line: &&String| {
        let Some((start, rest)) = line.split_once('-') else {
            return false;
        };
        let end = rest.split(' ').next().expect("an end");
        let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
        (number(start)..number(end)).contains(&pc)
    };
    dump.maps.iter().find(holds).cloned().unwrap_or_default()
}

#[test]
fn the_next_library_at_its_addresses_is_not_blamed() {
    let (first, second) = (plugin("first"), plugin("second"));
    let word = |path: &PathBuf, size: u64| format!("{}:{size}", path.display());
    let run = Preload::new("plugins.c")
        .args(&[
            word(&first, 1000),
            word(&second, 16),
            word(&first, 1000),
            word(&second, 16),
        ])
        .conf(EXACT)
        .run()
        .succeeded();
    let dump = run.final_dump();
    // Each was loaded twice, and is one library.
    let (old, new) = (of_size(&dump, 2000), of_size(&dump, 32));
    assert_ne!(mapping(&dump, old), mapping(&dump, new));
    for (stack, path) in [(old, &first), (new, &second)] {
        let line = mapping(&dump, stack);
        let named = format!("{} (unloaded)", path.display());
        assert!(line.contains("r-xp") && line.ends_with(&named), "{line:?}");
        assert!(stack.frames[1] >> NUMBER != 0 && stack.frames[1] >> 63 == 0);
        assert_eq!(stack.frames.last().expect("a root") >> NUMBER, 0);
    }
    if run.truth("run1") == run.truth("run2") {
        let address = |stack: &Stack| stack.frames[1] & ((1 << NUMBER) - 1);
        assert_eq!(address(old), address(new), "they lay at one place");
    }
    // The build id stands with the path, beside those of what is there.
    let text = std::fs::read_to_string(&dump.path).expect("the dump");
    let ids = |path: &PathBuf| {
        text.lines()
            .filter(|line| {
                line.starts_with("# build_id") && line.ends_with(&*path.to_string_lossy())
            })
            .count()
    };
    assert_eq!((ids(&first), ids(&second)), (1, 1));
}

#[test]
fn a_library_that_is_unlinked_and_closed_has_its_path() {
    let plugin = format!("{}:1000", plugin("gone").display());
    let run = Preload::new("plugins.c")
        .args(&["unlink".to_owned(), plugin])
        .conf(EXACT)
        .run()
        .succeeded();
    let dump = run.final_dump();
    let line = mapping(&dump, of_size(&dump, 1000));
    let path = run.directory().join("unlinked.so");
    assert!(
        line.ends_with(&format!("{} (unloaded)", path.display())),
        "{line:?}"
    );
}

#[test]
fn without_proc_the_loader_knows_the_modules() {
    let program = compile("plugins.c", &[]);
    let plugin = format!("{}:1000", plugin("first").display());
    let script = format!("umount -l /proc && exec {} '{plugin}'", program.display());
    let run = Preload::command(["unshare", "-m", "sh", "-c", &script])
        .conf(EXACT)
        .run()
        .succeeded();
    let dumps = run.dumps();
    let mut of_program = dumps
        .iter()
        .filter(|dump| dump.stacks.iter().any(|stack| stack.live.2 == 1_000_000));
    let dump = of_program.next().expect("a dump of the program");
    assert!(dump.facts["remark"].starts_with("there is no /proc here"));
    let stack = of_size(dump, 1000);
    assert!(mapping(dump, stack).ends_with(" (unloaded)"));
    let caller = dump
        .maps
        .iter()
        .filter(|line| line.ends_with(&*program.to_string_lossy()));
    assert!(caller.count() > 1, "{:?}", dump.maps);
    assert!(
        dump.maps.iter().any(|line| line.contains("libc.so.6")),
        "{:?}",
        dump.maps
    );
}

/// A plugin without `.eh_frame`.
fn blind(more: &[&str]) -> Dump {
    let flags = [
        "-shared",
        "-fPIC",
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
        "-fomit-frame-pointer",
        "-O2",
        "-DNAME=blind",
    ];
    let plugin = compile("plugin_run.c", &[&flags, more].concat());
    let run = Preload::new("plugins.c")
        .args(&[format!("{}:1000", plugin.display())])
        .conf(EXACT)
        .run()
        .succeeded();
    run.final_dump()
}

#[test]
fn a_stack_that_ends_at_code_without_information_says_so() {
    for flags in [&["-s"][..], &["-gz"]] {
        let dump = blind(flags);
        let stack = of_size(&dump, 1000);
        assert_eq!(
            dump.names(stack),
            ["[no unwind information in plugin_run] :"],
            "{flags:?}"
        );
        assert!(
            dump.managed
                .contains_key(stack.frames.last().expect("a root"))
        );
    }
}

#[test]
fn where_the_information_is_only_in_the_file_the_file_is_read() {
    let dump = blind(&[]);
    let stack = of_size(&dump, 1000);
    assert!(dump.names(stack).is_empty(), "{:x?}", stack.frames);
    let whole = dump.stacks.iter().filter(|other| other.id != stack.id);
    let roots: Vec<_> = whole.filter_map(|other| other.frames.last()).collect();
    assert!(roots.contains(&stack.frames.last().expect("a root")));
}

#[test]
fn a_goroutine_that_called_c_is_walked() {
    let versions = [&[][..], &["-DNEW_GO"], &["-DNEW_GO", "-DNEWER_GO"]];
    for flags in versions {
        let program = compile("goroutine.c", &[&["-O1", "-no-pie"], flags].concat());
        let run = Preload::command([program]).conf(EXACT).run().succeeded();
        let dump = run.final_dump();
        let stack = of_size(&dump, 1000);
        let decode = run.truth("decode")..run.truth("end");
        assert!(stack.passes(&decode), "{flags:?} {:x?}", stack.frames);
        assert!(
            dump.names(stack).is_empty(),
            "it is whole: {:x?}",
            stack.frames
        );
    }
}

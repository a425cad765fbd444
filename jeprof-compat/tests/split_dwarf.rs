//! Names, lines and inlined functions are the same wherever the compiler and the packager put DWARF: in the program, in
//! `.dwo` files where they were made or beside the program, in a `.dwp`, in what `dwz` split off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = "#include <stdlib.h>\n\
    void *volatile sink;\n\
    static inline __attribute__((always_inline)) void inner(int n) { sink = malloc(n); }\n\
    __attribute__((noinline)) void outer(int n) {\n  inner(n);\n  sink = 0;\n}\n\
    int main(int argc, char **argv) { outer(argc); return 0; }\n";

/// A folder that is gone at the end, and a source file in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("split-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("a.c"), SOURCE).expect("a source");
        Scratch(folder)
    }

    /// Runs a tool here. False where this machine has not got it.
    #[track_caller]
    fn run(&self, line: &str) -> bool {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().expect("a tool"));
        match command.args(words).current_dir(&self.0).output() {
            Ok(out) => {
                assert!(
                    out.status.success(),
                    "{line}: {}",
                    String::from_utf8_lossy(&out.stderr)
                );
                true
            }
            Err(_) => {
                println!("skipped: {line}");
                false
            }
        }
    }

    /// What the table of lines says of a stack in `main`, `outer` and what it inlined.
    #[track_caller]
    fn rows(&self, program: &str) -> Vec<String> {
        self.rows_with(program, &[])
    }

    #[track_caller]
    fn rows_with(&self, program: &str, options: &[&str]) -> Vec<String> {
        let stack: Vec<String> = ["outer", "main"]
            .iter()
            .map(|name| self.inside(program, name))
            .collect();
        let dump = self.0.join("a.heap");
        let text = format!(
            "heap profile: 1: 500 [1: 500] @ heapprofile\n1: 500 [1: 500] @ {}\n",
            stack.join(" ")
        );
        fs::write(&dump, text).expect("a dump");
        let out = Command::new(env!("CARGO_BIN_EXE_jeprof-compat"))
            .args(["--text", "--lines", "--show_bytes"])
            .args(options)
            .current_dir(&self.0)
            .args([&self.0.join(program), &dump])
            .env_remove("DEBUGINFOD_URLS")
            .output()
            .expect("jeprof-compat starts");
        let text = String::from_utf8_lossy(&out.stdout);
        // Folders differ, files and lines do not.
        let row = |line: &str| {
            let (name, place) = line.get(39..)?.rsplit_once(' ')?;
            Some(format!("{name} {}", place.rsplit('/').next()?))
        };
        text.lines().filter_map(row).collect()
    }

    /// An address behind the call in a function.
    #[track_caller]
    fn inside(&self, program: &str, function: &str) -> String {
        let out = Command::new("objdump")
            .args(["-d", &format!("--disassemble={function}"), program])
            .current_dir(&self.0)
            .output()
            .expect("objdump");
        let text = String::from_utf8_lossy(&out.stdout);
        let mut lines = text.lines().skip_while(|line| !line.contains("call"));
        let (address, _) = lines
            .nth(1)
            .expect("an instruction")
            .split_once(':')
            .expect("an address");
        let address = u64::from_str_radix(address.trim(), 16).expect("hexadecimal");
        // jeprof takes one off all addresses but the first.
        format!("{:#x}", address - u64::from(function == "outer"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const WHOLE: [&str; 3] = ["inner (inline) a.c:3", "main a.c:8", "outer a.c:5"];

const GCC: &str = "gcc -O1 -no-pie -Wl,--build-id";

#[test]
fn dwarf_in_the_program_and_what_dwz_split_off() {
    let here = Scratch::new("whole");
    if !here.run(&format!("{GCC} -g -o a a.c")) {
        return;
    }
    assert_eq!(here.rows("a"), WHOLE);
    here.run(&format!("{GCC} -g -DOTHER -o b a.c"));
    if here.run("dwz -m common a b") {
        assert_eq!(here.rows("a"), WHOLE);
        assert_eq!(here.rows("b"), WHOLE);
    }
}

#[test]
fn parts_are_found_where_they_were_made_and_beside_the_program() {
    let here = Scratch::new("parts");
    for version in ["4", "5"] {
        if !here.run(&format!(
            "{GCC} -gdwarf-{version} -gsplit-dwarf -o prog a.c"
        )) {
            return;
        }
        assert_eq!(here.rows("prog"), WHOLE, "DWARF {version}");
        fs::create_dir_all(here.0.join("moved")).expect("a folder");
        here.run("mv prog prog-a.dwo moved");
        assert_eq!(here.rows("moved/prog"), WHOLE, "DWARF {version}, moved");
        // The part of another build is none of this one.
        here.run(&format!(
            "{GCC} -gdwarf-{version} -gsplit-dwarf -DOTHER -Dinner=another -o prog a.c"
        ));
        here.run("mv prog-a.dwo moved");
        assert!(
            !here
                .rows("moved/prog")
                .contains(&"another (inline) a.c:3".to_owned())
        );
    }
}

#[test]
fn parts_are_found_below_a_sysroot() {
    let here = Scratch::new("sysroot");
    for version in ["4", "5"] {
        if !here.run(&format!(
            "{GCC} -gdwarf-{version} -gsplit-dwarf -o prog a.c"
        )) {
            return;
        }
        let made = here.0.strip_prefix("/").expect("an absolute path");
        let below = here.0.join("root").join(made);
        fs::create_dir_all(&below).expect("a folder");
        fs::create_dir_all(here.0.join("moved")).expect("a folder");
        here.run("mv prog moved");
        here.run(&format!("mv prog-a.dwo {}", below.display()));
        let without = here.rows("moved/prog");
        assert!(!without.contains(&WHOLE[0].to_owned()), "{without:?}");
        let with = here.rows_with("moved/prog", &["--lib_prefix=root"]);
        assert_eq!(with, WHOLE, "DWARF {version}");
    }
}

#[test]
fn packages_are_found_beside_the_program_and_beside_its_debug_file() {
    let here = Scratch::new("packages");
    // The dwp of binutils 2.40 ends by a signal on DWARF 5.
    if !here.run(&format!("{GCC} -gdwarf-4 -gsplit-dwarf -c a.c")) {
        return;
    }
    here.run(&format!("{GCC} -o a a.o"));
    here.run("dwp -e a");
    here.run("rm a.dwo");
    assert_eq!(here.rows("a"), WHOLE);
    here.run("objcopy --only-keep-debug a a.debug");
    here.run("strip --strip-debug a");
    here.run("objcopy --add-gnu-debuglink=a.debug a");
    assert_eq!(here.rows("a"), WHOLE, "of the program");
    here.run("mv a.dwp a.debug.dwp");
    assert_eq!(here.rows("a"), WHOLE, "of its debug file");
}

#[test]
fn rustc_puts_it_where_it_is_told() {
    let here = Scratch::new("rustc");
    let source = "#[inline(always)]\nfn inner(n: usize) -> usize { std::hint::black_box(n) + std::process::id() as usize }\n\
        #[no_mangle]\n#[inline(never)]\npub fn outer(n: usize) -> usize {\n    inner(n) + 1\n}\n\
        fn main() {\n    println!(\"{}\", outer(1));\n}\n";
    fs::write(here.0.join("a.rs"), source).expect("a source");
    let rustc = "rustc -g -C opt-level=1 -C relocation-model=static -C force-frame-pointers=yes";
    let mut seen = Vec::new();
    for kind in ["off", "packed", "unpacked"] {
        assert!(here.run(&format!("{rustc} -C split-debuginfo={kind} -o {kind} a.rs")));
        let rows = here.rows(kind);
        assert!(
            rows.contains(&"a::inner (inline) a.rs:2".to_owned()),
            "{kind}: {rows:?}"
        );
        seen.push(rows);
    }
    assert_eq!((&seen[0], &seen[0]), (&seen[1], &seen[2]));
}

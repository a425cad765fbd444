//! The options of `jeprof`, each by what it says: `jeprof-compat` on the recorded dump, on a dump with threads, and
//! on a server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

const LEAKY: [&str; 2] = ["leaky", "leaky.heap"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jeprof-compat"));
    command.current_dir(folder()).args(arguments);
    // No viewer starts without a screen, and no server is asked for names.
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "DEBUGINFOD_URLS"] {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn run(arguments: &[&str]) -> Output {
    let out = command(arguments).output().expect("jeprof-compat starts");
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{arguments:?}: {talk}");
    out
}

#[track_caller]
fn text(options: &[&str], files: &[&str]) -> String {
    String::from_utf8(run(&[options, files].concat()).stdout).expect("UTF-8")
}

fn error(arguments: &[&str]) -> String {
    let out = command(arguments).output().expect("jeprof-compat starts");
    assert!(!out.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("jeprof-compat-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn pictures_begin_as_their_formats_do() {
    let heads: [(&str, &[u8]); 6] = [
        ("--svg", b"<?xml"),
        ("--dot", b"digraph"),
        ("--png", b"\x89PNG"),
        ("--gif", b"GIF89a"),
        ("--pdf", b"%PDF-"),
        ("--ps", b"%!PS-Adobe"),
    ];
    for (option, head) in heads {
        let out = run(&[&[option], &LEAKY[..]].concat());
        assert!(out.stdout.starts_with(head), "{option}");
        assert!(out.stdout.len() > 1000, "{option}");
    }
    let marked = text(&["--dot", "--heapcheck"], &LEAKY);
    assert!(marked.contains("fillcolor=gray") && !text(&["--dot"], &LEAKY).contains("gray"));
}

#[test]
fn viewers_get_a_file_and_its_name_is_said() {
    for (option, end) in [("--web", "svg"), ("--gv", "ps"), ("--evince", "pdf")] {
        let folder = scratch(end);
        let out = command(&[&[option], &LEAKY[..]].concat())
            .env("TMPDIR", &folder)
            .output()
            .expect("jeprof-compat starts");
        let talk = String::from_utf8_lossy(&out.stderr).into_owned();
        let files: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
        let file = files[0].as_ref().expect("a file").path();
        assert!(
            talk.contains(&format!("Wrote {}", file.display())),
            "{talk}"
        );
        assert_eq!(file.extension().and_then(|e| e.to_str()), Some(end));
        fs::remove_dir_all(folder).expect("removal");
    }
}

#[test]
fn names_are_as_short_as_those_of_jeprof_unless_whole_ones_are_asked_for() {
    let short = text(&["--text"], &LEAKY);
    assert!(
        short.contains("shop::Basket::fill") && !short.contains('<'),
        "{short}"
    );
    let full = text(&["--text", "--full-names"], &LEAKY);
    assert!(full.contains("shop::Basket<double, 5000>::fill"), "{full}");
}

#[test]
fn frames_and_differences_are_left_out_when_asked() {
    let kept = text(&["--collapsed", "--retain=main|buy"], &LEAKY);
    assert!(
        kept.lines()
            .any(|line| line.starts_with("main;shop::buy(int) ")),
        "{kept}"
    );
    let without = text(&["--collapsed", "--exclude=^main$"], &LEAKY);
    assert!(!without.contains("main;") && without.contains("shop::buy(int)"));
    let base = ["--base=leaky.heap", "--text", "--show_bytes"];
    let files = ["leaky", "less.heap"];
    assert!(text(&base, &files).contains(" -"));
    let dropped = text(&[&base[..], &["--drop_negative"]].concat(), &files);
    assert!(!dropped.contains(" -"), "{dropped}");
    let ahead = text(&["--text", "--focus=^(?!main|shop)\\w+leak"], &LEAKY);
    assert!(ahead.contains("inlined_leak"));
}

const THREADS: &str = "heap_v2/1\n  t*: 2: 300 [0: 0]\n  t1: 1: 100 [0: 0] one\n  t2: 1: 200 [0: 0]\n\
                       @ 0x10 0x20\n  t*: 2: 300 [0: 0]\n  t1: 1: 100 [0: 0]\n  t2: 1: 200 [0: 0]\n\
                       MAPPED_LIBRARIES:\n";

#[test]
fn threads_stand_alone_or_one_after_the_other() {
    let folder = scratch("threads");
    let file = folder.join("t.heap").display().to_string();
    fs::write(&file, THREADS).expect("a file");
    let totals = |thread: &str| -> Vec<String> {
        let table = text(&["--text", "--show_bytes", "--thread", thread], &[&file]);
        table
            .lines()
            .filter(|line| line.starts_with("Total"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(totals("1"), ["Total (t1): 100 B"]);
    assert_eq!(totals("*"), ["Total (t1): 100 B", "Total (t2): 200 B"]);
    assert!(error(&["--text", "--thread", "7", &file]).contains("no such thread, only: 1, 2"));
    let whole = "heap profile: 1: 500 [1: 500] @ heapprofile\n1: 500 [1: 500] @ 0x10\n";
    fs::write(&file, whole).expect("a file");
    for thread in ["1", "*"] {
        let error = error(&["--text", "--thread", thread, &file]);
        assert!(error.contains("does not tell threads apart"), "{error}");
    }
    fs::remove_dir_all(folder).expect("removal");
}

#[test]
fn source_and_instructions_have_the_values_of_their_lines() {
    let Ok(compiler) = Command::new("gcc").arg("--version").output() else {
        println!("skipped: needs gcc");
        return;
    };
    assert!(compiler.status.success());
    let folder = scratch("source");
    let (source, program) = (folder.join("a.c"), folder.join("a"));
    fs::write(
        &source,
        "int f(int x) {\n  int y = x * 3;\n  return y + 1;\n}\nint main() { return f(2); }\n",
    )
    .unwrap();
    let built = Command::new("gcc")
        .args(["-g", "-O0", "-no-pie", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    assert!(built.expect("gcc").success());
    let symbols = Command::new("nm")
        .arg(&program)
        .output()
        .expect("nm")
        .stdout;
    let symbols = String::from_utf8(symbols).expect("UTF-8");
    let f = symbols
        .lines()
        .find(|line| line.ends_with(" T f"))
        .expect("f");
    let f = u64::from_str_radix(f.split(' ').next().unwrap(), 16).expect("an address");
    // A leaf in the middle of the function, and no map: the program lies where it was linked to.
    let dump = folder.join("a.heap");
    let stack = format!(
        "heap profile: 1: 500 [1: 500] @ heapprofile\n1: 500 [1: 500] @ {:#x}\n",
        f + 10
    );
    fs::write(&dump, stack).expect("a dump");
    let (program, dump) = (program.display().to_string(), dump.display().to_string());
    let list = text(&["--list=^f$", "--show_bytes"], &[&program, &dump]);
    assert!(
        list.contains(&format!("f in {}", source.display())),
        "{list}"
    );
    assert!(
        list.contains("   500    500    2:   int y = x * 3;"),
        "{list}"
    );
    assert!(
        list.contains("     .      .    3:   return y + 1;"),
        "{list}"
    );
    let disasm = text(&["--disasm=^f$", "--show_bytes"], &[&program, &dump]);
    assert!(
        disasm.contains("100.0% of total") && disasm.contains("push %rbp"),
        "{disasm}"
    );
    assert!(
        disasm.contains("   500    500     2: int y = x * 3;"),
        "{disasm}"
    );
    assert!(
        error(&["--list=nothing", &program, &dump]).contains("no function with a sample matches")
    );
    let input = format!("00000000-00010000 r-xp 00000000 00:00 0\n{f:#x}\n0x1\n");
    assert_eq!(piped(&["--symbols", &program], &input), "f\n??\n");
    fs::remove_dir_all(folder).expect("removal");
}

/// What comes out when this goes in.
fn piped(arguments: &[&str], input: &str) -> String {
    let mut child = command(arguments)
        .env("HOME", std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("jeprof-compat starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes())
        .expect("input");
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut text)
        .expect("UTF-8");
    assert!(child.wait().expect("the end").success());
    text
}

#[test]
fn the_prompt_obeys() {
    let input = "top1\nfocus buy\ntop2 --cum\npeek ^main$\nnonsense\nquit\ntop\n";
    let out = piped(
        &[&["--interactive", "--show_bytes"], &LEAKY[..]].concat(),
        input,
    );
    let is_row = |line: &&str| line.contains('%') && !line.starts_with("Shown");
    let rows: Vec<&str> = out.lines().filter(is_row).collect();
    // One of the whole, two of what matches, and `main` between its callers and callees.
    assert_eq!(rows.len(), 4, "{out}");
    assert!(rows[0].ends_with("inlined_leak (inline)"));
    assert_eq!(out.matches("Total: ").count(), 2, "{out}");
    assert_eq!(out.matches("\nShown: ").count(), 1, "{out}");
    assert!(
        out.contains("| shop::buy") || out.contains("|   shop::buy"),
        "{out}"
    );
}

/// A server as gperftools describes it: `requests` are answered, then it ends.
fn server(requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let dump = fs::read(folder().join("leaky.heap")).expect("the dump");
    thread::spawn(move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut reader = BufReader::new(stream.try_clone().expect("the stream"));
            let mut first = String::new();
            reader.read_line(&mut first).expect("a line");
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                let lower = line.to_ascii_lowercase();
                if let Some(text) = lower.strip_prefix("content-length:") {
                    length = text.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut asked = vec![0; length];
            reader.read_exact(&mut asked).expect("a body");
            let body = answer(&first, &String::from_utf8_lossy(&asked), &dump);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    host
}

fn answer(request: &str, asked: &str, dump: &[u8]) -> Vec<u8> {
    if request.starts_with("GET /pprof/heap ") {
        dump.to_vec()
    } else if request.starts_with("GET /pprof/cmdline ") {
        b"/usr/bin/shop\0--verbose\0".to_vec()
    } else if request.starts_with("GET /pprof/symbol ") {
        b"num_symbols: 1\n".to_vec()
    } else {
        let named = asked
            .split('+')
            .map(|address| format!("{address}\tremote_{address}\n"));
        named.collect::<String>().into_bytes()
    }
}

#[test]
fn a_server_gives_profile_names_and_program() {
    let folder = scratch("remote");
    let host = server(8);
    let url = format!("http://{host}/pprof/heap");
    let out = command(&["--text", "--show_bytes", &url])
        .env("JEPROF_TMPDIR", &folder)
        .output()
        .expect("jeprof-compat starts");
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    let table = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(talk.contains("Fetching /pprof/heap profile"), "{talk}");
    assert!(table.contains("remote_0x"), "{table}\n{talk}");
    assert_eq!(
        table.lines().next(),
        text(&["--text", "--show_bytes"], &LEAKY).lines().next()
    );
    let files: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
    let name = files[0].as_ref().expect("a file").file_name();
    assert!(name.to_string_lossy().starts_with("shop."), "{name:?}");
    fs::remove_dir_all(folder).expect("removal");
}

#[test]
fn servers_are_added_up_and_a_program_has_its_own_names() {
    let folder = scratch("servers");
    let (one, two) = (server(16), server(8));
    let urls = [&one, &two].map(|host| format!("http://{host}/pprof/heap"));
    let table = |files: &[&str]| {
        let out = command(&[&["--text", "--show_bytes"], files].concat())
            .env("JEPROF_TMPDIR", &folder)
            .output()
            .expect("jeprof-compat starts");
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    let total = |table: &str| -> f64 {
        let word = table.split_whitespace().nth(1).expect("a total");
        word.parse().expect("a number")
    };
    let both = table(&[&urls[0], &urls[1]]);
    let whole = total(&text(&["--text", "--show_bytes"], &LEAKY));
    assert!((total(&both) - 2.0 * whole).abs() < 4.0, "{both}");
    assert!(both.contains("remote_0x"), "{both}");
    let many = one.replace("127.0.0.1", "localhost");
    let twice = table(&[&format!("{many}@2/pprof/heap")]);
    assert!((total(&twice) - 2.0 * whole).abs() < 4.0, "{twice}");
    let named = table(&["leaky", &urls[1]]);
    assert!(
        named.contains("recurse") && !named.contains("remote_0x"),
        "{named}"
    );
    fs::remove_dir_all(folder).expect("removal");
}

#[test]
fn what_is_not_meant_is_said_in_one_line() {
    let first = |arguments: &[&str]| {
        let text = error(arguments);
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert!(
        first(&["--text", "no-such-file", "leaky.heap"]).contains("no-such-file: No such file")
    );
    assert!(first(&["--text", "leaky", "leaky"]).contains("leaky: is a program, not a profile"));
    let both = run(&["--text", "leaky.heap", "less.heap"]);
    let talk = String::from_utf8_lossy(&both.stderr).into_owned();
    assert!(talk.starts_with("no program is given"), "{talk}");
    let whole: BTreeMap<&str, f64> = ["leaky.heap", "less.heap"]
        .into_iter()
        .map(|file| {
            let table = text(&["--text", "--show_bytes"], &[file]);
            let total = table.split_whitespace().nth(1).expect("a total");
            (file, total.parse().expect("a number"))
        })
        .collect();
    let sum = text(&["--text", "--show_bytes"], &["leaky.heap", "less.heap"]);
    let sum: f64 = sum
        .split_whitespace()
        .nth(1)
        .expect("a total")
        .parse()
        .expect("a number");
    assert!((whole.values().sum::<f64>() - sum).abs() <= 2.0);
    assert!(error(&["leaky"]).contains("Did not specify profile file"));
    assert!(
        run(&["--test", "--scale=2", "--tools=/opt/"])
            .stdout
            .is_empty()
    );
}

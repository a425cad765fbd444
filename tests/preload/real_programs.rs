//! Programs as the distribution ships them do under the profiler, sampling every 16 KiB, what they do
//! without it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Preload, Run, installed, source};

const CONF: &str = "prof:true,lg_prof_sample:14,prof_final:true";

#[track_caller]
fn program(name: &str) -> PathBuf {
    let system = Path::new("/usr/bin").join(name);
    let found = if system.is_file() {
        Some(system)
    } else {
        installed(name)
    };
    found.unwrap_or_else(|| panic!("{name} is not installed; .ci/run installs it"))
}

/// Runs `command` without us and with us, each in a directory that `prepare` fills, and compares
/// all that a user sees. `%` in an argument stands for that directory.
#[track_caller]
fn assert_same(command: &[&str], prepare: &dyn Fn(&Path)) -> Run {
    let run = |profiled: bool| {
        let mut preload = Preload::command([program(command[0])]);
        preload = if profiled {
            preload.conf(CONF)
        } else {
            preload.libraries(&[])
        };
        prepare(preload.directory());
        let directory = preload.directory().to_string_lossy().into_owned();
        for argument in &command[1..] {
            preload = preload.arg(argument.replace('%', &directory));
        }
        let own = Path::new(&directory)
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut run = preload.run();
        run.stdout = run.stdout.replace(&own, "RUN");
        run.stderr = run.stderr.replace(&own, "RUN");
        run
    };
    let plain = run(false);
    let profiled = run(true);
    assert_eq!(
        plain.status, profiled.status,
        "{command:?}\n{}",
        profiled.stderr
    );
    assert_eq!(plain.stdout, profiled.stdout, "{command:?}");
    assert_eq!(plain.stderr, profiled.stderr, "{command:?}");
    assert!(!profiled.dumps().is_empty(), "{command:?} was not profiled");
    profiled
}

fn nothing(_: &Path) {}

#[test]
fn ruby() {
    let script = source("examples/ruby-zlib/leak.rb");
    let run = assert_same(&["ruby", &script.to_string_lossy(), "2000"], &nothing);
    assert_eq!(run.truth("leaked_deflaters"), 200);
    let threads = "require 'json'; require 'digest'; Digest::SHA256.hexdigest('loaded before the threads race for it')
        out = 8.times.map { |i| Thread.new { (1..300).map { |n| Digest::SHA256.hexdigest(JSON.dump([i, n] * 50)) } } }
        puts out.flat_map(&:value).sort.last; puts fork { exit!(3) } && Process.wait2[1].exitstatus
        begin; raise 'deep' * 1000; rescue => e; puts e.message.size; end; exit 4";
    assert_same(&["ruby", "-e", threads], &nothing);
}

#[test]
fn node() {
    let script = "
        const zlib = require('zlib'), crypto = require('crypto'), { Worker } = require('worker_threads');
        const text = Buffer.alloc(200000, 'abcdefghij');
        let left = 40;
        const done = () => { if (--left === 0) { console.log('all', crypto.createHash('sha1').update(text).digest('hex')); work(); } };
        for (let i = 0; i < 40; i++) zlib.gzip(text, (e, z) => zlib.gunzip(z, (e, b) => { if (!b.equals(text)) throw e; done(); }));
        const work = () => new Worker('const x = []; for (let i = 0; i < 2e5; i++) x.push({i}); require(\"worker_threads\").parentPort.postMessage(x.length)', { eval: true }).on('message', (n) => { console.log('worker', n); process.exitCode = 5; });";
    assert_same(&["node", "-e", script], &nothing);
}

#[test]
fn python() {
    let script = "
import json, zlib, threading, subprocess, sys, re
text = json.dumps([{'n': n, 's': 'x' * (n % 100)} for n in range(20000)])
sums = []
def work(): sums.append(zlib.crc32(zlib.decompress(zlib.compress(text.encode()))))
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(set(sums), len(re.findall('x+', text)))
print(subprocess.run([sys.executable, '-c', 'print(sum(range(1000)))'], capture_output=True).stdout)
sys.exit(6)";
    assert_same(&["python3", "-c", script], &nothing);
}

#[test]
fn java() {
    let Some(java) = installed("java") else {
        println!("not run: no JVM on this machine");
        return;
    };
    let java = java.to_string_lossy().into_owned();
    let example = source("examples/exception-logger/ExceptionLogger.java");
    for collector in ["-XX:+UseSerialGC", "-XX:+UseG1GC", "-XX:+UseZGC"] {
        let run = assert_same(
            &[&java, collector, &example.to_string_lossy(), "3000"],
            &nothing,
        );
        assert_eq!(run.truth("leaked_deflaters"), 231);
    }
}

#[test]
fn bash() {
    let script = "f() { local n=$1; (( n > 0 )) && f $((n - 1)) || echo bottom; }; f 200
        for i in {1..300}; do x+=$(printf '%05d' $i); done; echo ${#x}
        declare -A a; for i in {1..3000}; do a[$i]=${i}x; done; echo ${#a[@]} ${a[77]}
        ls / | wc -l; trap 'echo bye' EXIT; echo hello | { read l; echo \"<$l>\"; } ; (exit 3) || exit 8";
    assert_same(&["bash", "-c", script], &nothing);
}

/// C with enough in it that the compiler has to work.
fn write_source(directory: &Path) {
    let mut text = String::from("#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\n");
    for n in 0..200 {
        text += &format!(
            "static int f{n}(int x) {{ char b[{}]; memset(b, x, sizeof b); return b[x % {}] * {n}; }}\n",
            n + 8,
            n + 8
        );
    }
    text += "int main(void) { int s = 0;\n";
    for n in 0..200 {
        text += &format!("s += f{n}({n});\n");
    }
    fs::write(
        directory.join("a.c"),
        text + "printf(\"%d\\n\", s); return s; }\n",
    )
    .expect("source");
}

#[test]
fn gcc() {
    let run = assert_same(&["gcc", "-O2", "-S", "-o", "-", "a.c"], &write_source);
    assert!(run.stdout.contains("main:"));
    assert_same(&["gcc", "-c", "no-such-file.c"], &nothing);
}

#[test]
fn git() {
    let repository = source(".git").to_string_lossy().into_owned();
    assert_same(
        &["git", "--git-dir", &repository, "log", "--stat", "-n", "20"],
        &nothing,
    );
    let clone = "git init -q a && cd a && for i in 1 2 3; do seq 1 ${i}00 > f && git add f &&
        git -c user.name=n -c user.email=e commit -q --date='2020-01-01 00:00 +0000' -m $i; done && cd .. &&
        git clone -q --no-local a b && cd b && git gc -q && git log -p --format=%s | sha1sum && git fsck";
    assert_same(&["bash", "-c", clone], &nothing);
}

#[test]
fn cargo() {
    assert_same(&["cargo", "--version"], &nothing);
    let manifest = source("Cargo.toml").to_string_lossy().into_owned();
    let metadata = [
        "cargo",
        "metadata",
        "--offline",
        "--format-version",
        "1",
        "--manifest-path",
        &manifest,
    ];
    assert_same(&metadata, &nothing);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn connect(port: u16) -> TcpStream {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < end, "no server: {error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends `request` and reads until the other side closes.
fn ask(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(port);
    stream.write_all(request).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

/// Commands that grow, shrink, expire, script and save.
fn redis_commands() -> Vec<u8> {
    let mut text = String::new();
    for n in 0..3000 {
        text += &format!(
            "SET key:{n} {}\r\nRPUSH list {n}\r\nHSET hash {n} {n}\r\n",
            "v".repeat(n % 500)
        );
        text += &format!("ZADD zset {n} m{n}\r\nAPPEND long {n}\r\n");
    }
    text += "LLEN list\r\nHLEN hash\r\nSTRLEN long\r\nDEL list hash\r\nSAVE\r\nDBSIZE\r\n";
    text += "EVAL \"local t = {} for i = 1, 5000 do t[i] = tostring(i) end return #t\" 0\r\n";
    (text + "FLUSHALL\r\nQUIT\r\n").into_bytes()
}

fn redis_answers(profiled: bool) -> (Vec<u8>, Run) {
    let port = free_port();
    let mut preload = Preload::command([program("redis-server")]);
    preload = if profiled {
        preload.conf(CONF)
    } else {
        preload.libraries(&[])
    };
    let server = preload
        .arg("--port")
        .arg(port.to_string())
        .arg("--dir")
        .arg(".")
        .start();
    let answer = ask(port, &redis_commands());
    (answer, server.stop())
}

#[test]
fn redis() {
    let (plain, plain_run) = redis_answers(false);
    let (profiled, run) = redis_answers(true);
    assert!(plain.len() > 10_000);
    assert!(plain == profiled, "{}", String::from_utf8_lossy(&profiled));
    assert_eq!(
        plain_run.status, run.status,
        "{}\n{}",
        run.stdout, run.stderr
    );
    assert_eq!(plain_run.stderr, run.stderr);
    // The server, and its child for SAVE in the background if there was one.
    assert!(!run.dumps().is_empty());
}

/// What redis asks of jemalloc by mallctl: its statistics, a purge, a thread in the background, and whether it
/// may be defragmented.
#[test]
fn redis_steers_jemalloc_as_without_us() {
    let answers = |profiled: bool| {
        let port = free_port();
        let preload = Preload::command([program("redis-server")]);
        let preload = match profiled {
            true => preload.conf(CONF),
            false => preload.libraries(&[]),
        };
        let server = preload.arg("--port").arg(port.to_string()).start();
        let mut commands = redis_commands();
        commands.truncate(commands.len() - b"FLUSHALL\r\nQUIT\r\n".len());
        let asked = "MEMORY PURGE\r\nCONFIG SET activedefrag yes\r\nCONFIG SET jemalloc-bg-thread no\r\n\
            CONFIG SET jemalloc-bg-thread yes\r\nMEMORY USAGE zset\r\nMEMORY DOCTOR\r\nMEMORY STATS\r\n\
            MEMORY MALLOC-STATS\r\nQUIT\r\n";
        commands.extend(asked.as_bytes());
        let answer = ask(port, &commands);
        let run = server.stop();
        (String::from_utf8_lossy(&answer).into_owned(), run)
    };
    let (plain, _) = answers(false);
    let (profiled, run) = answers(true);
    // Figures differ from run to run, and so do the dashes for sizes without any; the words do not.
    let words = |text: &str| {
        let is_word =
            |line: &&str| !line.contains(|c: char| c.is_ascii_digit()) && line.trim() != "---";
        text.lines().filter(is_word).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(words(&plain), words(&profiled), "{}", run.stderr);
    for line in [
        "allocator-fragmentation.ratio",
        "opt.background_thread: ",
        "Allocated: ",
    ] {
        assert!(profiled.contains(line), "{line}: {profiled}");
    }
    assert!(!run.dumps().is_empty());
}

const NGINX: &str = "
    worker_processes 2; daemon off; pid nginx.pid; error_log stderr;
    events { worker_connections 64; }
    http {
        access_log off; gzip on; gzip_types text/plain; default_type text/plain;
        client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
        server { listen 127.0.0.1:PORT; root .; keepalive_timeout 1; }
    }";

fn nginx_answers(profiled: bool) -> (Vec<u8>, Run) {
    let port = free_port();
    let binary = installed("nginx").unwrap_or_else(|| PathBuf::from("/usr/sbin/nginx"));
    let mut preload = Preload::command([binary]);
    preload = if profiled {
        // Its workers live for a moment and keep little.
        preload.conf(&format!("{CONF},prof_final_all:true"))
    } else {
        preload.libraries(&[])
    };
    let directory = preload.directory().to_owned();
    let user = if is_root() { "user root;" } else { "" };
    let conf = format!("{user}{}", NGINX.replace("PORT", &port.to_string()));
    fs::write(directory.join("nginx.conf"), conf).expect("configuration");
    let page: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    fs::write(directory.join("page.txt"), page).expect("page");
    let server = preload
        .arg("-e")
        .arg("stderr")
        .arg("-p")
        .arg(&directory)
        .arg("-c")
        .arg(directory.join("nginx.conf"))
        .start();
    let mut answers = Vec::new();
    for encoding in ["identity", "gzip"] {
        for path in ["page.txt", "nowhere"] {
            let request = format!(
                "GET /{path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
            );
            for _ in 0..20 {
                answers.extend(without_dates(&ask(port, request.as_bytes())));
            }
        }
    }
    (answers, server.stop())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// An answer without the lines that hold a time.
fn without_dates(answer: &[u8]) -> Vec<u8> {
    let lines = answer.split_inclusive(|byte| *byte == b'\n');
    let timed = [&b"Date:"[..], b"Last-Modified:", b"ETag:"];
    let kept = lines.filter(|line| !timed.iter().any(|start| line.starts_with(start)));
    kept.flatten().copied().collect()
}

#[test]
fn nginx() {
    let (plain, plain_run) = nginx_answers(false);
    let (profiled, run) = nginx_answers(true);
    assert!(plain.len() > 1_000_000, "{}", plain_run.stderr);
    assert!(plain == profiled, "{}", run.stderr);
    assert_eq!(plain_run.status, run.status, "{}", run.stderr);
    assert!(
        run.dumps().len() >= 3,
        "master and two workers: {:?}",
        run.dump_files()
    );
}

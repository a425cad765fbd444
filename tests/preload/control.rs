//! The control socket: what it does, for whom, and who cannot disturb.

use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::dump::Dump;
use crate::harness::{Preload, Server, compile, name};

const CONF: &str = "prof:true,prof_control:true,lg_prof_sample:14";

/// Where the process `pid` listens.
fn address(pid: u32) -> String {
    let namespace = fs::metadata(format!("/proc/{pid}/ns/pid")).expect("its namespace");
    format!("malloscope.{}.{pid}", namespace.ino())
}

/// Asks for `line`; `None` when nobody listens.
fn try_ask(pid: u32, line: &str) -> Option<String> {
    let address = SocketAddr::from_abstract_name(address(pid)).expect("an address");
    let mut stream = UnixStream::connect_addr(&address).ok()?;
    stream.write_all(format!("{line}\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Asks, once somebody listens.
#[track_caller]
pub fn ask(pid: u32, line: &str) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        match try_ask(pid, line) {
            Some(answer) => return answer,
            None => sleep(Duration::from_millis(50)),
        }
    }
    panic!("{pid} does not listen");
}

/// A number of a status.
pub fn number(status: &str, key: &str) -> u64 {
    let (_, rest) = status.split_once(&format!("\"{key}\":")).expect(key);
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).expect(key)
}

fn controlled(seconds: &str, how: &str, conf: &str) -> Server {
    let preload = Preload::new("controlled.c").arg(seconds).arg(how);
    preload.conf(conf).start()
}

/// Asks until `wanted` holds of the status.
#[track_caller]
pub fn wait_for(pid: u32, wanted: impl Fn(&str) -> bool) -> String {
    for _ in 0..200 {
        let status = ask(pid, "status");
        if wanted(&status) {
            return status;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{}", ask(pid, "status"));
}

#[test]
fn a_sleeping_profiler_is_woken_and_put_to_sleep() {
    let conf = format!("{CONF},prof_active:false");
    let server = controlled("60", "threads", &conf);
    let pid = server.pid();
    let status = ask(pid, "status");
    assert!(status.starts_with("{\"sampling\":\"off\""), "{status}");
    assert_eq!(number(&status, "live_samples"), 0);
    assert!(ask(pid, "dump").starts_with("error nothing was sampled"));
    assert_eq!(ask(pid, "start"), "ok\n");
    wait_for(pid, |status| number(status, "live_samples") > 50);
    assert_eq!(ask(pid, "stop"), "ok\n");
    // Each thread follows when the gap that it is in ends; what is freed goes, what comes is not seen.
    wait_for(pid, |status| number(status, "live_samples") < 20);
    assert!(ask(pid, "status").starts_with("{\"sampling\":\"off\""));
    let run = server.kill();
    assert_eq!(run.stderr, "");
}

#[test]
fn a_dump_is_there_when_the_answer_is() {
    let server = controlled("60", "", CONF);
    let pid = server.pid();
    wait_for(pid, |status| number(status, "live_samples") > 100);
    let answer = ask(pid, "dump");
    let path = PathBuf::from(answer.strip_prefix("ok ").expect("ok").trim_end());
    assert!(name(&path).ends_with(".m0.heap"), "{answer}");
    let dump = Dump::read(&path);
    assert_eq!(dump.facts["trigger"], "demand");
    let live = dump.live_bytes();
    assert!((2_500_000..7_000_000).contains(&live), "{live} of 4.6 MB");
    // The same through the socket.
    let sent = path.with_extension("sent");
    fs::write(&sent, ask(pid, "profile")).expect("a file");
    assert!((2_500_000..7_000_000).contains(&Dump::read(&sent).live_bytes()));
    server.kill();
}

#[test]
fn samples_keep_the_weight_of_the_rate_they_were_drawn_at() {
    let server = controlled("60", "", CONF);
    let pid = server.pid();
    let before = wait_for(pid, |status| number(status, "live_samples") > 200);
    assert_eq!(ask(pid, "rate 17"), "ok\n");
    let after = wait_for(pid, |status| number(status, "live_samples") < 70);
    assert_eq!(
        (
            number(&before, "period_bytes"),
            number(&after, "period_bytes")
        ),
        (1 << 14, 1 << 17)
    );
    // 4.6 MB live; 35 samples have an error of 17 %.
    for _ in 0..5 {
        let bytes = number(&ask(pid, "status"), "live_bytes");
        assert!((1_500_000..9_500_000).contains(&bytes), "{bytes}");
    }
    assert!(ask(pid, "rate 64").starts_with("error no such rate"));
    assert_eq!(ask(pid, "rate"), "error unknown request\n");
    server.kill();
}

#[test]
fn a_program_that_runs_goes_over_to_every_call_and_back() {
    let server = controlled("60", "", CONF);
    let pid = server.pid();
    wait_for(pid, |status| number(status, "live_samples") > 200);
    assert_eq!(ask(pid, "rate 0"), "ok\n");
    // 1024 blocks of 4000 to 4999 bytes live, one of them perhaps in exchange; and what stdio has.
    let exact = wait_for(pid, |status| number(status, "live_samples") > 1022);
    assert_eq!(number(&exact, "period_bytes"), 1);
    // The last samples of before have gone when all blocks were exchanged once more.
    let settled = |status: &str| (4_590_000..4_630_000).contains(&number(status, "live_bytes"));
    wait_for(pid, settled);
    for _ in 0..5 {
        let status = ask(pid, "status");
        assert!(settled(&status), "{status}");
    }
    assert_eq!(ask(pid, "rate 4"), "ok\n");
    assert_eq!(ask(pid, "rate 19"), "ok\n");
    let sparse = wait_for(pid, |status| number(status, "live_samples") < 60);
    assert_eq!(number(&sparse, "period_bytes"), 1 << 19);
    let run = server.kill();
    assert_eq!(run.stderr, "");
}

#[test]
fn a_reset_forgets_and_goes_on() {
    let server = controlled("60", "threads", CONF);
    let pid = server.pid();
    for _ in 0..20 {
        wait_for(pid, |status| number(status, "live_samples") > 100);
        assert_eq!(ask(pid, "reset"), "ok\n");
    }
    let status = wait_for(pid, |status| number(status, "live_samples") > 1000);
    let bytes = number(&status, "live_bytes");
    assert!(bytes < 40 << 20, "23 MB live, {bytes} counted");
    let run = server.kill();
    assert_eq!(run.stderr, "");
}

#[test]
fn a_child_listens_by_its_own_name() {
    let server = controlled("6", "fork", CONF);
    let status = wait_for(server.pid(), |status| number(status, "live_samples") > 10);
    assert_eq!(number(&status, "pid"), u64::from(server.pid()));
    let run = server.wait().succeeded();
    let child = u32::try_from(run.truth("child")).expect("a pid");
    assert_ne!(child, 0);
    let server = controlled("60", "fork", CONF);
    sleep(Duration::from_millis(500));
    let stdout = fs::read_to_string(server.directory().join("stdout")).expect("its output");
    let child = stdout
        .trim()
        .strip_prefix("child=")
        .expect("a child")
        .parse();
    let child: u32 = child.expect("a pid");
    assert_eq!(number(&ask(child, "status"), "pid"), u64::from(child));
    server.kill();
}

fn knock(pid: u32, user: &str, how: &str, line: &str) -> Command {
    let mut command = Command::new(compile("knock.c", &[]));
    command.args([&address(pid), user, how, line]);
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().expect("the client");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn strangers_are_hung_up_on() {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    if !status.contains("\nUid:\t0\t") {
        return println!("not run: only root can be another user");
    }
    let server = controlled("60", "", CONF);
    let pid = server.pid();
    ask(pid, "status");
    assert!(output(knock(pid, "0", "ask", "status")).starts_with("{\"sampling\":"));
    for line in ["status", "stop", "dump"] {
        assert_eq!(output(knock(pid, "65534", "ask", line)), "hung up\n");
    }
    assert!(ask(pid, "status").starts_with("{\"sampling\":\"on\""));
    server.kill();
}

#[test]
fn clients_that_behave_badly_keep_nobody_waiting() {
    let conf = format!("{CONF},prof_timer:1");
    let server = controlled("9", "threads", &conf);
    let pid = server.pid();
    ask(pid, "status");
    let mut crowd: Vec<_> = [("silent", ""), ("deaf", "profile"), ("endless", "")]
        .into_iter()
        .map(|(how, line)| knock(pid, "0", how, line).spawn().expect("a client"))
        .collect();
    for line in [
        "",
        "dump dump",
        "\u{1b}[31m",
        &"x".repeat(500),
        "rate 999",
        "rate -1",
    ] {
        let answer = try_ask(pid, line).unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("error"), "{answer}");
    }
    for client in &mut crowd {
        assert!(client.wait().expect("a client").success());
    }
    assert!(ask(pid, "status").starts_with("{\"sampling\":\"on\""));
    let run = server.wait().succeeded();
    assert!(run.stdout.ends_with("end\n") && run.stderr.is_empty());
    let dumps = run.dumps();
    assert!(
        dumps.len() >= 5,
        "the timer went on: {:?}",
        run.dump_files()
    );
}

#[test]
fn without_being_asked_for_nobody_listens() {
    let server = controlled("60", "", "prof:true,lg_prof_sample:14");
    sleep(Duration::from_millis(300));
    assert_eq!(try_ask(server.pid(), "status"), None);
    server.kill();
}

//! `malloscope push` against the doubles: what they take, what they refuse, and what is tried again.

use std::process::Output;

use super::double::Server;
use super::{Scratch, succeeded};

fn push(scratch: &Scratch, server: &Server, more: &[&str]) -> Output {
    let mut command = scratch.malloscope();
    command.args(["push", ".", "--to", &server.url, "--service", "shop"]);
    for name in ["TOKEN", "USER", "PASSWORD", "TENANT"] {
        command.env_remove(format!("MALLOSCOPE_PUSH_{name}"));
    }
    let command = command.args(more).env("MALLOSCOPE_PUSH_TENANT", "team-a");
    let command = command
        .env("MALLOSCOPE_PUSH_USER", "me")
        .env("MALLOSCOPE_PUSH_PASSWORD", "secret");
    command.output().expect("it starts")
}

#[test]
fn each_server_takes_what_is_live_with_its_names() {
    for api in ["pyroscope", "parca"] {
        let scratch = Scratch::new(api);
        scratch.dump(1, 100);
        let server = Server::start(&[]);
        let pushed = push(&scratch, &server, &["--api", api, "--label", "pod=web-7"]);
        succeeded(pushed);
        let seen = server.seen.lock().expect("no panic");
        assert_eq!(seen.answers, [200], "{api}");
        let taken = &seen.taken[0];
        let space = taken
            .types
            .iter()
            .position(|t| t == "memory:inuse_space:bytes:space:bytes");
        let space = space.unwrap_or_else(|| panic!("{api}: {:?}", taken.types));
        assert_eq!(taken.types.len(), 2, "{api}: {:?}", taken.types);
        assert_eq!(taken.sums[space], 7_464_702, "{api}");
        for label in ["__name__=memory", "host=web-1", "pod=web-7"] {
            assert!(
                taken.labels.iter().any(|l| l == label),
                "{api}: {:?}",
                taken.labels
            );
        }
        let has = |text: &str| taken.strings.iter().any(|string| string == text);
        assert!(has("com.example.logging.ExceptionLogger.log"), "{api}");
        assert!(has("ExceptionLogger.java"), "{api}");
        let header = |text: &str| seen.headers.iter().any(|header| header == text);
        assert!(
            header("authorization: basic bwu6c2vjcmv0"),
            "{api}: {:?}",
            seen.headers
        );
        assert!(header("x-scope-orgid: team-a"), "{api}: {:?}", seen.headers);
    }
}

#[test]
fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
    let scratch = Scratch::new("again");
    scratch.dump(1, 100);
    let busy = Server::start(&[503, 429]);
    succeeded(push(&scratch, &busy, &[]));
    assert_eq!(busy.seen.lock().expect("no panic").answers, [503, 429, 200]);
    for (status, answers) in [(401, 1), (413, 1), (422, 1), (500, 5)] {
        let strict = Server::start(&[status; 5]);
        let refused = push(&scratch, &strict, &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("the server says {status}")) && said.contains("not now"),
            "{said}"
        );
        let seen = strict.seen.lock().expect("no panic");
        assert_eq!(seen.answers.len(), answers, "{said}");
    }
    let gone = push(
        &scratch,
        &Server {
            url: "http://127.0.0.1:1".into(),
            ..busy
        },
        &[],
    );
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.contains("onnection refused"), "{said}");
    assert_eq!(gone.status.code(), Some(1), "{said}");
}

#[test]
fn over_https_the_certificates_that_are_named_are_believed() {
    let scratch = Scratch::new("tls");
    scratch.dump(1, 100);
    let (server, authority) = Server::start_tls();
    std::fs::write(scratch.0.join("authority.pem"), authority).expect("a file");
    std::fs::write(scratch.0.join("none.pem"), "").expect("a file");
    let push = |variable: &str, value: &str| {
        let mut command = scratch.malloscope();
        command
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        command.args(["push", ".", "--to", &server.url]);
        command
            .env(variable, value)
            .env("MALLOSCOPE_PUSH_TOKEN", "secret");
        command.output().expect("it starts")
    };
    for (variable, value) in [("SSL_CERT_FILE", "none.pem"), ("UNUSED", "")] {
        let refused = push(variable, value);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
    succeeded(push("SSL_CERT_FILE", "authority.pem"));
    let seen = server.seen.lock().expect("no panic");
    assert_eq!(seen.answers, [200]);
    let header = "authorization: bearer secret";
    assert!(
        seen.headers.iter().any(|h| h == header),
        "{:?}",
        seen.headers
    );
}

#[test]
fn a_run_sends_its_dumps_while_the_program_works_and_what_is_left_at_its_end() {
    let scratch = Scratch::new("beside");
    let server = Server::start(&[503]);
    let [first, second] = [7, 8].map(|pid| {
        let path = scratch.dump(pid, 100);
        let kept = path.with_extension("kept");
        std::fs::rename(&path, &kept).expect("renamed");
        kept
    });
    let script = "mkdir -p d; cp $0 d/malloscope.7.0.t0.heap; sleep 4; cp $1 d/malloscope.8.0.f.heap; exit 9";
    let mut run = scratch.malloscope();
    run.args(["run", "-o", "d", "--no-report", "--every", "1s"])
        .args([
            "--push",
            &server.url,
            "--service=shop",
            "--label",
            "pod=web-7",
        ])
        .args(["--", "sh", "-c", script])
        .args([first, second]);
    // It changes nothing, as the library of a test.
    let libc = "/lib/x86_64-linux-gnu/libc.so.6";
    let run = run.env("MALLOSCOPE_LIB", libc).output().expect("it starts");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(9), "{said}");
    let sent = format!("malloscope: pushed 2 profiles to {}", server.url);
    assert!(said.contains(&sent), "{said}");
    let seen = server.seen.lock().expect("no panic");
    assert_eq!(seen.answers, [503, 200, 200], "{said}");
    for taken in &seen.taken {
        for label in ["service_name=shop", "pod=web-7"] {
            assert!(
                taken.labels.iter().any(|l| l == label),
                "{:?}",
                taken.labels
            );
        }
    }
    let mut idle = scratch.malloscope();
    let idle = idle.args(["run", "--service=shop", "true"]).output();
    let idle = idle.expect("it starts");
    assert_eq!(idle.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&idle.stderr).contains("are for --push URL"));
}

#[test]
fn what_servers_refuse_is_not_sent() {
    let scratch = Scratch::new("old");
    scratch.dump(1, 4000);
    let server = Server::start(&[]);
    let refused = push(&scratch, &server, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("older than an hour"), "{said}");
    assert!(server.seen.lock().expect("no panic").answers.is_empty());
    scratch.dump(2, 10);
    succeeded(push(&scratch, &server, &[]));
    assert_eq!(server.seen.lock().expect("no panic").taken.len(), 1);
    let no_such = push(&scratch, &server, &["--kind", "mmap"]);
    let said = String::from_utf8_lossy(&no_such.stderr).into_owned();
    assert!(said.contains("no samples of the kind mmap"), "{said}");
}

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
    let strict = Server::start(&[422]);
    let refused = push(&scratch, &strict, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the server says 422") && said.contains("not now"),
        "{said}"
    );
    assert_eq!(strict.seen.lock().expect("no panic").answers, [422]);
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

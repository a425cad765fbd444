//! How a request gets to its server: with the credentials of the environment, again after a failure that may
//! pass.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api::Request;
use crate::web;

/// A server that is not reached by then is not there.
const REACHED: Duration = Duration::from_secs(10);
/// A server that takes longer for all of it does not answer.
const ANSWERED: Duration = Duration::from_secs(30);
/// Before each try but the first, doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
/// No try begins later than this: the next dump may get through.
const PATIENCE: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;

/// A bearer token, or a user with a password; and the tenant of a server of many.
const TOKEN: &str = "MALLOSCOPE_PUSH_TOKEN";
const USER: &str = "MALLOSCOPE_PUSH_USER";
const PASSWORD: &str = "MALLOSCOPE_PUSH_PASSWORD";
const TENANT: &str = "MALLOSCOPE_PUSH_TENANT";

/// Sends it to the server at `url`.
pub(super) fn send(url: &str, request: &Request) -> Result<()> {
    let url = format!("{}{}", url.trim_end_matches('/'), request.path);
    let agent = web::agent(|wishes| {
        let wishes = wishes.timeout_connect(Some(REACHED));
        let wishes = wishes.timeout_global(Some(ANSWERED));
        wishes.http_status_as_error(false)
    });
    let begin = Instant::now();
    for again in 1.. {
        let failure = match attempt(&agent, &url, request) {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let pause = failure.wait.max(PAUSE * (1 << (again - 1)));
        let is_late = begin.elapsed() + pause > PATIENCE;
        if !failure.may_pass || again == TRIES || is_late {
            return Err(failure.said).with_context(|| url);
        }
        thread::sleep(pause);
    }
    Ok(())
}

struct Failure {
    said: anyhow::Error,
    /// Too many at once, or the server is not well.
    may_pass: bool,
    /// What the server asks for before the next try.
    wait: Duration,
}

fn attempt(agent: &ureq::Agent, url: &str, request: &Request) -> Result<(), Failure> {
    let mut call = agent.post(url).header("Content-Type", request.content_type);
    for (name, value) in credentials() {
        call = call.header(name, value);
    }
    let mut answer = call.send(&request.body[..]).map_err(|error| Failure {
        // What does not reach the server at all may; a certificate does not change.
        may_pass: !matches!(error, ureq::Error::Tls(_) | ureq::Error::Rustls(_)),
        said: error.into(),
        wait: Duration::ZERO,
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let wait = answer.headers().get("Retry-After");
    let wait = wait.and_then(|text| text.to_str().ok()?.parse().ok());
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let text: String = text.chars().take(300).collect();
    Err(Failure {
        said: anyhow!("the server says {status}: {}", text.trim()),
        may_pass: status.is_server_error() || status.as_u16() == 429,
        wait: Duration::from_secs(wait.unwrap_or(0)),
    })
}

fn credentials() -> Vec<(&'static str, String)> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let mut headers = Vec::new();
    if let Some(token) = set(TOKEN) {
        headers.push(("Authorization", format!("Bearer {token}")));
    } else if let Some(user) = set(USER) {
        let pair = format!("{user}:{}", set(PASSWORD).unwrap_or_default());
        headers.push(("Authorization", format!("Basic {}", STANDARD.encode(pair))));
    }
    headers.extend(set(TENANT).map(|tenant| ("X-Scope-OrgID", tenant)));
    headers
}

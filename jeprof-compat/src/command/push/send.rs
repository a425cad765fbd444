//! How a request gets to its server: with the credentials of the environment, again after a failure that may
//! pass.

use std::env;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api::Request;

/// A server that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before each try but the first, doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 5;

/// A bearer token, or a user with a password; and the tenant of a server of many.
const TOKEN: &str = "MALLOSCOPE_PUSH_TOKEN";
const USER: &str = "MALLOSCOPE_PUSH_USER";
const PASSWORD: &str = "MALLOSCOPE_PUSH_PASSWORD";
const TENANT: &str = "MALLOSCOPE_PUSH_TENANT";

/// Sends it to the server at `url`.
pub(super) fn send(url: &str, request: &Request) -> Result<()> {
    let url = format!("{}{}", url.trim_end_matches('/'), request.path);
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut tries = 0;
    loop {
        let error = match attempt(&agent, &url, request) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        if !error.may_pass || tries == TRIES {
            return Err(error.said).with_context(|| url);
        }
        thread::sleep(PAUSE * (1 << (tries - 1)));
    }
}

struct Failure {
    said: anyhow::Error,
    /// Too many at once, or the server is not well.
    may_pass: bool,
}

fn attempt(agent: &ureq::Agent, url: &str, request: &Request) -> Result<(), Failure> {
    let mut call = agent.post(url).header("Content-Type", request.content_type);
    for (name, value) in credentials() {
        call = call.header(name, value);
    }
    let mut answer = call.send(&request.body[..]).map_err(|error| Failure {
        said: error.into(),
        may_pass: true,
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let text: String = text.chars().take(300).collect();
    Err(Failure {
        said: anyhow::anyhow!("the server says {status}: {}", text.trim()),
        may_pass: status.is_server_error() || status.as_u16() == 429,
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

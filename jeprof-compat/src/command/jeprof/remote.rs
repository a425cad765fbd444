//! Profiles of servers that run, over HTTP: `/pprof/heap` and its kin, with `/pprof/symbol` for names and
//! `/pprof/cmdline` for the program. Source: `pprof_remote_servers.html` of gperftools.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};

use crate::command::console::say;
use crate::profile::model::Profile;
use crate::profile::read;
use crate::web;

/// The services that a path may end with.
const SERVICES: [&str; 8] = [
    "/pprof/heap",
    "/pprof/profile",
    "/pprof/pmuprofile",
    "/pprof/growth",
    "/pprof/contention",
    "/pprof/wall",
    "/pprof/filteredprofile",
    "/pprof/censusprofile",
];

/// The most bytes of an answer.
const MOST: u64 = 512 << 20;

/// The most machines of one argument.
const MACHINES: u32 = 10_000;

/// Addresses of one question.
const ADDRESSES: usize = 2000;

/// A service of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `http://host:port/prefix`.
    base: String,
    /// `/pprof/heap`.
    service: String,
}

impl Host {
    /// As `jeprof` has it, `host:80@2/path` stands for `0.host:80/path` and `1.host:80/path`.
    pub fn machines(argument: &Path) -> Vec<PathBuf> {
        let all = || {
            let (machine, rest) = argument.to_str()?.rsplit_once('@')?;
            let (count, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let count: u32 = count.parse().ok().filter(|n| *n <= MACHINES)?;
            let (protocol, machine) = machine.split_once("://").unwrap_or(("http", machine));
            let machines = 0..count;
            Some(
                machines
                    .map(|n| format!("{protocol}://{n}.{machine}{path}").into())
                    .collect(),
            )
        };
        let is_file = argument.exists();
        all()
            .filter(|_| !is_file)
            .unwrap_or_else(|| vec![argument.to_owned()])
    }

    /// What an argument names: not a file, and with a protocol or a port.
    pub fn of(argument: &Path) -> Option<Host> {
        let text = argument.to_str()?;
        let bare = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let host = bare.unwrap_or(text).split('/').next()?;
        let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
            !name.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
        });
        if host.is_empty() || (bare.is_none() && !has_port) || argument.exists() {
            return None;
        }
        let url = match bare {
            Some(_) => text.to_owned(),
            None => format!("http://{text}"),
        };
        let path = url.split('?').next().unwrap_or_default();
        let service = SERVICES.iter().find(|service| path.ends_with(*service));
        let (base, service) = match service {
            Some(service) => url.split_at(url.rfind(service)?),
            // As jeprof has it, time is meant where nothing is said.
            None => (url.trim_end_matches('/'), SERVICES[1]),
        };
        Some(Host {
            base: base.to_owned(),
            service: service.to_owned(),
        })
    }

    /// Fetches a profile into the folder of profiles.
    pub fn fetch(&self, seconds: u64) -> Result<PathBuf> {
        let mut url = format!("{}{}", self.base, self.service);
        let is_timed = self.service.starts_with("/pprof/profile")
            || self.service.starts_with("/pprof/pmuprofile");
        let mut patience = 60;
        if is_timed {
            let mark = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{mark}seconds={seconds}");
            patience += seconds + seconds / 100;
            say(&format!(
                "Gathering a profile from {url} for {seconds} seconds"
            ));
        } else {
            say(&format!("Fetching {} profile from {url}", self.service));
        }
        let bytes = get(&url, patience)?;
        let file = self.file()?;
        fs::write(&file, bytes).with_context(|| file.display().to_string())?;
        say(&format!("Wrote profile to {}", file.display()));
        Ok(file)
    }

    /// A name that tells the program, the host and the time.
    fn file(&self) -> Result<PathBuf> {
        let home = || Some(PathBuf::from(env::var_os("HOME")?).join("jeprof"));
        let folder = env::var_os("JEPROF_TMPDIR")
            .map(PathBuf::from)
            .or_else(home);
        let folder = folder.unwrap_or_else(env::temp_dir);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let program = self.program().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        let host = self.base.split("://").nth(1).unwrap_or_default();
        let plain = |text: &str| text.replace(|c: char| !c.is_alphanumeric() && c != '-', ".");
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        let kind = self.service.split('?').next().unwrap_or_default();
        let name = format!(
            "{}.{seconds}.{}{}",
            plain(program),
            plain(host),
            plain(kind)
        );
        Ok(folder.join(name.trim_start_matches('.')))
    }

    /// The first word of the server's command line.
    pub fn program(&self) -> Option<String> {
        let text = get(&format!("{}/pprof/cmdline", self.base), 60).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let first = text.split(['\0', '\n']).next()?.trim();
        Some(first.to_owned())
    }

    /// Asks the server for the names of all addresses that have none. A server without names is no error:
    /// they may be found in files.
    pub fn name(&self, profile: &mut Profile) -> Result<()> {
        let url = format!("{}/pprof/symbol", self.base);
        let Ok(count) = get(&url, 60) else {
            say(&format!("{url} does not answer: names come from files"));
            return Ok(());
        };
        let text = String::from_utf8_lossy(&count).into_owned();
        let count = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("num_symbols:"));
        let count: u64 = count
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0);
        if count == 0 {
            say(&format!("{url}: Stripped binary. No symbols available."));
            return Ok(());
        }
        let open = profile
            .locations
            .iter()
            .filter(|l| l.lines.is_empty() && !l.managed);
        let addresses: Vec<u64> = open.map(|location| location.address).collect();
        let mut names = HashMap::new();
        for some in addresses.chunks(ADDRESSES) {
            let question: Vec<String> =
                some.iter().map(|address| format!("{address:#x}")).collect();
            let answer = post(&url, &question.join("+"))?;
            names.extend(read::names(&answer));
        }
        for location in profile.locations.iter_mut().filter(|l| l.lines.is_empty()) {
            let named = names.get(&location.address);
            location.lines = named.cloned().unwrap_or_default();
        }
        Ok(())
    }
}

fn agent(seconds: u64) -> ureq::Agent {
    web::agent(|wishes| wishes.timeout_global(Some(Duration::from_secs(seconds))))
}

fn get(url: &str, seconds: u64) -> Result<Vec<u8>> {
    body(url, agent(seconds).get(reachable(url)).call())
}

fn post(url: &str, question: &str) -> Result<Vec<u8>> {
    body(url, agent(60).post(reachable(url)).send(question))
}

/// All names below `localhost` are this machine (RFC 6761), which not every resolver knows.
fn reachable(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(protocol, rest)| {
        let (below, rest) = rest.split_once(".localhost")?;
        let is_name = !below.contains('/') && (rest.is_empty() || rest.starts_with([':', '/']));
        is_name.then(|| format!("{protocol}://localhost{rest}"))
    });
    parts.unwrap_or_else(|| url.to_owned())
}

fn body(
    url: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Vec<u8>> {
    let answer = answer.map_err(|error| anyhow!("{url}: {error}"))?;
    let mut bytes = Vec::new();
    let mut reader = answer.into_body().into_reader().take(MOST);
    reader
        .read_to_end(&mut bytes)
        .with_context(|| url.to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<(String, String)> {
        Host::of(Path::new(text)).map(|host| (host.base, host.service))
    }

    #[test]
    fn hosts_are_known_by_their_protocol_or_port() {
        let pair = |base: &str, service: &str| Some((base.to_owned(), service.to_owned()));
        assert_eq!(
            host("http://h:80/pprof/heap"),
            pair("http://h:80", "/pprof/heap")
        );
        assert_eq!(host("h:80"), pair("http://h:80", "/pprof/profile"));
        assert_eq!(
            host("https://h/x/pprof/growth"),
            pair("https://h/x", "/pprof/growth")
        );
        assert_eq!(
            host("h:80/pprof/heap?gc=1"),
            pair("http://h:80", "/pprof/heap?gc=1")
        );
        assert_eq!(host("dir/file.heap"), None);
        assert_eq!(host("C:file"), None);
    }

    #[test]
    fn one_argument_may_stand_for_many_machines() {
        let machines = |text: &str| Host::machines(Path::new(text));
        assert_eq!(
            machines("h:80@2/pprof/heap"),
            [
                PathBuf::from("http://0.h:80/pprof/heap"),
                PathBuf::from("http://1.h:80/pprof/heap")
            ]
        );
        assert_eq!(machines("https://h@1"), [PathBuf::from("https://0.h")]);
        assert_eq!(
            reachable("http://0.localhost:80/pprof/heap"),
            "http://localhost:80/pprof/heap"
        );
        for other in ["http://h:80/x.localhost/y", "http://0.localhost.com/x"] {
            assert_eq!(reachable(other), other);
        }
        for other in ["h:80/pprof/heap", "a@b", "http://user@host/x"] {
            assert_eq!(machines(other), [PathBuf::from(other)]);
        }
    }
}

//! Files by their build id from debuginfod servers, as elfutils, gdb and perf ask for them: the servers of
//! `DEBUGINFOD_URLS`, and the cache that these tools share. Without that variable only the cache is read.
//! Protocol: debuginfod(8) of elfutils.

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;

use crate::web;

/// The most bytes of an answer.
const MOST: u64 = 4 << 30;

/// How long a server may be silent, in seconds.
const PATIENCE: u64 = 90;

/// The servers, and what they answered.
#[derive(Debug, Default)]
pub struct Debuginfod {
    urls: Vec<String>,
    cache: Option<PathBuf>,
    patience: Duration,
    /// What nobody has: it is not asked for again.
    missing: Mutex<HashSet<String>>,
}

impl Debuginfod {
    /// As the environment says.
    pub fn of_environment() -> Debuginfod {
        let urls = env::var("DEBUGINFOD_URLS").unwrap_or_default();
        let seconds = env::var("DEBUGINFOD_TIMEOUT").ok();
        let seconds = seconds.and_then(|text| text.parse().ok());
        Debuginfod {
            urls: urls.split_whitespace().map(str::to_owned).collect(),
            cache: cache(),
            patience: Duration::from_secs(seconds.unwrap_or(PATIENCE)),
            missing: Mutex::default(),
        }
    }

    /// The file of this build id: `what` is `debuginfo` or `executable`.
    pub fn file(&self, build_id: &str, what: &str) -> Option<PathBuf> {
        let is_id = !build_id.is_empty() && build_id.bytes().all(|b| b.is_ascii_hexdigit());
        let folder = self.cache.as_ref().filter(|_| is_id)?.join(build_id);
        let file = folder.join(what);
        // elfutils notes an empty file for what nobody has.
        if fs::metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
            return Some(file);
        }
        let path = format!("buildid/{build_id}/{what}");
        if self.missing.lock().contains(&path) {
            return None;
        }
        let mut servers = self.urls.iter();
        let fetched = servers.any(|url| self.fetch(url, &path, &file).is_some());
        if !fetched {
            self.missing.lock().insert(path);
        }
        fetched.then_some(file)
    }

    fn fetch(&self, url: &str, path: &str, file: &Path) -> Option<()> {
        let url = format!("{}/{path}", url.trim_end_matches('/'));
        let patience = Some(self.patience);
        let agent = web::agent(|wishes| {
            let wishes = wishes.timeout_connect(patience);
            wishes.timeout_recv_response(patience)
        });
        let answer = agent.get(&url).call().ok()?;
        let mut body = answer.into_body().into_reader().take(MOST);
        fs::create_dir_all(file.parent()?).ok()?;
        // Whole or not at all: others read the cache, too.
        let part = file.with_extension(format!("{}.part", std::process::id()));
        let written = File::create(&part).and_then(|mut out| io::copy(&mut body, &mut out));
        let moved = written.and_then(|_| fs::rename(&part, file));
        if moved.is_err() {
            let _ = fs::remove_file(&part);
        }
        moved.ok()
    }
}

fn cache() -> Option<PathBuf> {
    if let Some(path) = env::var_os("DEBUGINFOD_CACHE_PATH") {
        return Some(path.into());
    }
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
    Some(named.or_else(home)?.join("debuginfod_client"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that has one file, and answers so many requests.
    fn server(path: &'static str, body: &'static [u8], requests: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for _ in 0..requests {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let mut rest = String::new();
                while reader.read_line(&mut rest).unwrap() > 2 {
                    rest.clear();
                }
                let has = line.split(' ').nth(1) == Some(path);
                let (status, body) = if has {
                    ("200 OK", body)
                } else {
                    ("404 Not Found", &b""[..])
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
            }
        });
        url
    }

    #[test]
    fn a_file_is_fetched_once_and_what_is_missing_is_asked_for_once() {
        let cache = env::temp_dir().join(format!("malloscope-debuginfod-{}", std::process::id()));
        let url = server("/buildid/00ff/debuginfo", b"ELF", 2);
        let client = Debuginfod {
            urls: vec![url],
            cache: Some(cache.clone()),
            patience: Duration::from_secs(PATIENCE),
            missing: Mutex::default(),
        };
        let file = client.file("00ff", "debuginfo").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"ELF");
        assert_eq!(client.file("00ff", "debuginfo"), Some(file));
        assert_eq!(client.file("00ff", "executable"), None);
        // The server is gone by now.
        assert_eq!(client.file("00ff", "executable"), None);
        assert_eq!(client.file("../x", "debuginfo"), None);
        fs::remove_dir_all(cache).unwrap();
    }
}

//! Files by their build id from debuginfod servers, as elfutils, gdb and perf ask for them: the servers of
//! `DEBUGINFOD_URLS`, and the cache that these tools share. Without that variable only the cache is read.
//! Protocol: debuginfod(8) of elfutils.

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::web;

/// The most bytes of an answer.
const MOST: u64 = 4 << 30;

/// How long a server may be silent, in seconds.
const PATIENCE: u64 = 90;

/// The bytes that a server must send in that time, as elfutils has it: one that drips is as good as silent.
const SLOWEST: u64 = 100 << 10;

/// What a server may cost.
#[derive(Debug)]
struct Limits {
    /// How long it may be silent, or slower than [`SLOWEST`]; `None` for ever.
    patience: Option<Duration>,
    /// How long a whole body may take.
    body: Option<Duration>,
    /// Bytes of a body.
    bytes: u64,
}

/// The servers, and what they answered.
#[derive(Debug)]
pub struct Debuginfod {
    urls: Vec<String>,
    cache: Option<PathBuf>,
    limits: Limits,
    /// What nobody has: it is not asked for again.
    missing: Mutex<HashSet<String>>,
    /// Servers that were waited for in vain: a dump of a hundred files does not wait a hundred times.
    silent: Mutex<HashSet<String>>,
}

impl Debuginfod {
    /// As the environment says: `DEBUGINFOD_TIMEOUT` and `DEBUGINFOD_MAXTIME` are seconds, and 0 is no limit.
    pub fn of_environment() -> Debuginfod {
        let urls = env::var("DEBUGINFOD_URLS").unwrap_or_default();
        let limits = Limits {
            patience: seconds("DEBUGINFOD_TIMEOUT", PATIENCE),
            body: seconds("DEBUGINFOD_MAXTIME", 0),
            bytes: MOST,
        };
        Debuginfod::new(urls.split_whitespace(), cache(), limits)
    }

    fn new<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        cache: Option<PathBuf>,
        limits: Limits,
    ) -> Debuginfod {
        Debuginfod {
            urls: urls.into_iter().map(str::to_owned).collect(),
            cache,
            limits,
            missing: Mutex::default(),
            silent: Mutex::default(),
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
        let fetched = self.urls.iter().any(|url| self.ask(url, &path, &file));
        if !fetched {
            self.missing.lock().insert(path);
        }
        fetched.then_some(file)
    }

    /// Has this server got it? The file lies in the cache then.
    fn ask(&self, url: &str, path: &str, file: &Path) -> bool {
        if self.silent.lock().contains(url) {
            return false;
        }
        let fetched = self.fetch(url, path, file);
        if let Err(ureq::Error::Timeout(_)) = fetched {
            self.silent.lock().insert(url.to_owned());
        }
        fetched.is_ok()
    }

    fn fetch(&self, url: &str, path: &str, file: &Path) -> Result<(), ureq::Error> {
        let url = format!("{}/{path}", url.trim_end_matches('/'));
        let Limits { patience, body, .. } = self.limits;
        let agent = web::agent(|wishes| {
            let wishes = wishes.timeout_connect(patience);
            let wishes = wishes.timeout_recv_response(patience);
            let wishes = wishes.timeout_per_read(patience);
            wishes.timeout_recv_body(body)
        });
        let mut body = agent.get(&url).call()?.into_body().into_reader();
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder)?;
        // Whole or not at all: others read the cache, too.
        let part = file.with_extension(format!("{}.part", std::process::id()));
        let written = File::create(&part).and_then(|mut out| self.limits.copy(&mut body, &mut out));
        let moved = written.and_then(|()| fs::rename(&part, file));
        if moved.is_err() {
            let _ = fs::remove_file(&part);
        }
        Ok(moved?)
    }
}

impl Limits {
    /// Copies a body, all of it or to an error.
    fn copy(&self, body: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
        let mut chunk = vec![0; 64 << 10];
        let (mut all, mut lately, mut since) = (0, 0, Instant::now());
        loop {
            let length = body.read(&mut chunk)?;
            if length == 0 {
                return Ok(());
            }
            all += length as u64;
            lately += length as u64;
            if all > self.bytes {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            out.write_all(&chunk[..length])?;
            if self
                .patience
                .is_some_and(|patience| since.elapsed() >= patience)
            {
                if lately < SLOWEST {
                    return Err(ureq::Error::Timeout(ureq::Timeout::RecvBody).into_io());
                }
                (lately, since) = (0, Instant::now());
            }
        }
    }
}

/// Seconds that a variable says; 0 and less are no limit.
fn seconds(variable: &str, without: u64) -> Option<Duration> {
    let said = env::var(variable).ok();
    let said = said.and_then(|text| text.trim().parse::<i64>().ok());
    let seconds = said.map_or(without, |seconds| u64::try_from(seconds).unwrap_or(0));
    (seconds > 0).then(|| Duration::from_secs(seconds))
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
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// Hands so many connections with the path that was asked for to `answer`, and counts them.
    fn server(
        requests: usize,
        answer: impl Fn(TcpStream, &str) + Send + 'static,
    ) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let served = Arc::clone(&count);
        thread::spawn(move || {
            for _ in 0..requests {
                let (stream, _) = listener.accept().unwrap();
                served.fetch_add(1, Ordering::SeqCst);
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let mut rest = String::new();
                while reader.read_line(&mut rest).unwrap() > 2 {
                    rest.clear();
                }
                answer(stream, line.split(' ').nth(1).unwrap_or_default());
            }
        });
        (url, count)
    }

    fn respond(mut stream: &TcpStream, status: &str, length: usize, body: &[u8]) {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    }

    /// A client of one server with a cache of its own, and the limits of elfutils.
    fn client(name: &str, url: &str) -> Debuginfod {
        let id = std::process::id();
        let cache = env::temp_dir().join(format!("malloscope-debuginfod-{name}-{id}"));
        let limits = Limits {
            patience: Some(Duration::from_secs(PATIENCE)),
            body: None,
            bytes: MOST,
        };
        Debuginfod::new([url], Some(cache), limits)
    }

    /// Nothing of `00ff` is found, and nothing is left in the cache.
    #[track_caller]
    fn assert_nothing(client: &Debuginfod) {
        assert_eq!(client.file("00ff", "debuginfo"), None);
        let cache = client.cache.as_ref().unwrap();
        assert_eq!(fs::read_dir(cache.join("00ff")).unwrap().count(), 0);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_file_is_fetched_once_and_what_is_missing_is_asked_for_once() {
        let (url, asked) = server(2, |stream, path| match path {
            "/buildid/00ff/debuginfo" => respond(&stream, "200 OK", 3, b"ELF"),
            _ => respond(&stream, "404 Not Found", 0, b""),
        });
        let client = client("once", &url);
        let file = client.file("00ff", "debuginfo").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"ELF");
        assert_eq!(client.file("00ff", "debuginfo"), Some(file));
        assert_eq!(client.file("00ff", "executable"), None);
        assert_eq!(client.file("00ff", "executable"), None);
        assert_eq!(client.file("../x", "debuginfo"), None);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        fs::remove_dir_all(client.cache.unwrap()).unwrap();
    }

    #[test]
    fn who_falls_silent_in_a_body_is_not_waited_for_twice() {
        let (url, asked) = server(2, |stream, _| {
            respond(&stream, "200 OK", 9, b"ELF");
            // To the end of the client's patience.
            let _ = (&stream).read(&mut [0]);
        });
        let mut client = client("silent", &url);
        client.limits.patience = Some(Duration::from_millis(200));
        assert_eq!(client.file("00fe", "debuginfo"), None);
        assert_nothing_asked(&client, &asked);
    }

    #[test]
    fn who_drips_is_not_waited_for() {
        let drip = |mut stream: TcpStream, _: &str| {
            respond(&stream, "200 OK", 1 << 30, b"ELF");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        };
        let (url, asked) = server(2, drip);
        let mut dripped = client("drips", &url);
        dripped.limits.patience = Some(Duration::from_millis(200));
        assert_eq!(dripped.file("00fe", "debuginfo"), None);
        assert_nothing_asked(&dripped, &asked);
        let (url, _) = server(1, drip);
        let mut whole = client("whole", &url);
        whole.limits.body = Some(Duration::from_millis(200));
        assert_nothing(&whole);
    }

    /// The server was asked once, and never again.
    #[track_caller]
    fn assert_nothing_asked(client: &Debuginfod, asked: &AtomicUsize) {
        assert_eq!(client.file("00fd", "debuginfo"), None);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        fs::remove_dir_all(client.cache.as_ref().unwrap()).unwrap();
    }

    #[test]
    fn what_is_cut_or_too_large_is_not_taken_for_a_file() {
        let (url, _) = server(1, |stream, _| respond(&stream, "200 OK", 9, b"ELF"));
        assert_nothing(&client("cut", &url));
        let (url, _) = server(1, |stream, _| respond(&stream, "200 OK", 9, b"ELFELFELF"));
        let mut small = client("large", &url);
        small.limits.bytes = 8;
        assert_nothing(&small);
    }
}

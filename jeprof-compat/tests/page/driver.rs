//! A real browser, driven over plain WebDriver: HTTP with JSON to `chromedriver`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Kept open: it writes there for as long as it lives.
    _out: BufReader<std::process::ChildStdout>,
    _profile: tempdir::Dir,
}

/// A directory that goes with its owner.
pub mod tempdir {
    use std::path::{Path, PathBuf};

    pub struct Dir(PathBuf);

    impl Dir {
        pub fn new(name: &str) -> Dir {
            let path =
                std::env::temp_dir().join(format!("malloscope-page-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a directory for temporary files");
            Dir(path)
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

impl Browser {
    /// Nothing when the machine has no browser.
    pub fn start(name: &str, dark: bool, width: u32, height: u32) -> Option<Browser> {
        let (chromium, chromedriver) = ("/usr/bin/chromium", "/usr/bin/chromedriver");
        if ![chromium, chromedriver]
            .iter()
            .all(|p| Path::new(p).exists())
        {
            eprintln!(
                "skipped: there is no chromium with its driver (apt install chromium chromium-driver)"
            );
            return None;
        }
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut out = BufReader::new(driver.stdout.take().expect("its output"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            let read = out.read_line(&mut line).expect("text");
            assert!(read > 0, "chromedriver says its port");
            let number = line.trim().rsplit_once("successfully on port ");
            if let Some(port) = number.and_then(|n| n.1.trim_end_matches('.').parse().ok()) {
                break port;
            }
        };
        let profile = tempdir::Dir::new(name);
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--disable-dev-shm-usage".into(),
            "--hide-scrollbars".into(),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--window-size={width},{height}"),
        ];
        if dark {
            arguments.push("--blink-settings=preferredColorScheme=0".into());
        }
        let mut browser = Browser {
            driver,
            port,
            session: String::new(),
            _out: out,
            _profile: profile,
        };
        let options = json!({ "binary": chromium, "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } } });
        let answer = browser.call("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    /// Ends the session, and with it the browser; never panics.
    fn quit(&self) -> std::io::Result<u64> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "DELETE /session/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            self.session
        )?;
        std::io::copy(&mut stream, &mut std::io::sink())
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(50)))
            .expect("a timeout");
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all((head + &body).as_bytes())
            .expect("the driver reads");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("an answer");
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("the whole answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(
            answer["value"]["error"].is_null(),
            "{method} {path}: {}",
            answer["value"]
        );
        answer["value"].clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body)
    }

    pub fn open(&self, file: &Path, hash: &str) {
        // A page that differs in the hash alone would not be loaded anew.
        self.post("/url", &json!({ "url": "about:blank" }));
        self.post(
            "/url",
            &json!({ "url": format!("file://{}{hash}", file.display()) }),
        );
    }

    /// The value of a JavaScript expression.
    pub fn eval(&self, expression: &str) -> Value {
        self.post(
            "/execute/sync",
            &json!({ "script": format!("return ({expression})"), "args": [] }),
        )
    }

    /// The value that a promise comes to.
    pub fn resolve(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; ({promise}).then(done, error => done(String(error)))"
        );
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// A command of the browser's own protocol.
    pub fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": name, "params": parameters }),
        )
    }

    /// The window as of a telephone, or another.
    pub fn resize(&self, width: u32, height: u32) {
        self.command(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// Waits until an expression is true.
    pub fn wait(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0], end = Date.now() + 20000; \
             (function look() {{ if ({expression}) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 15); }})()"
        );
        let answer = self.post("/execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(
            answer,
            json!(true),
            "waited in vain for {expression}; status: {}",
            self.eval("document.getElementById('status').textContent")
        );
    }

    /// Keys as from a keyboard, to whatever has the focus.
    pub fn keys(&self, text: &str) {
        let press = |c: char| {
            [
                json!({ "type": "keyDown", "value": c }),
                json!({ "type": "keyUp", "value": c }),
            ]
        };
        let actions: Vec<Value> = text.chars().flat_map(press).collect();
        self.post(
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        );
    }

    /// The mouse from one point of the window to another, with its button held.
    pub fn drag(&self, from: (i64, i64), to: (i64, i64)) {
        let step =
            |(x, y): (i64, i64)| json!({ "type": "pointerMove", "duration": 0, "x": x, "y": y });
        let button = |what: &str| json!({ "type": what, "button": 0 });
        let actions = [
            step(from),
            button("pointerDown"),
            step(to),
            button("pointerUp"),
        ];
        self.post("/actions", &json!({ "actions": [{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions }] }));
    }

    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// What the browser complained about.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().into_iter().flatten();
        entries.map(|e| e["message"].to_string()).collect()
    }

    /// The whole page as PNG, in base64.
    pub fn shot(&self) -> String {
        let height = self
            .eval("document.documentElement.scrollHeight")
            .as_u64()
            .unwrap_or(1000);
        let width = self.eval("innerWidth").as_u64().unwrap_or(1000);
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let shot = self.command("Page.captureScreenshot", &json!({ "format": "png" }));
        self.command("Emulation.clearDeviceMetricsOverride", &json!({}));
        shot["data"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    /// A failed test leaves no browser behind: whatever goes wrong here, it may not panic again.
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.quit();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

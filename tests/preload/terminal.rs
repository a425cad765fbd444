//! `malloscope run` in a terminal, under a shell with job control: what the keys do is what they do
//! without us, the last dump is there, and so is the page.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::dump::Dump;
use crate::harness::{Preload, compile, dump_files, library, malloscope, name};

const TIMEOUT: Duration = Duration::from_secs(40);

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const CTRL_BACKSLASH: &str = "\x1c";

/// What `$RUN` is in the shells here.
fn run() -> String {
    let malloscope = malloscope();
    let path = malloscope.get_program().to_string_lossy();
    format!("{path} run -o d --rate 16k --")
}

/// A pseudo-terminal with an interactive bash in it.
struct Terminal {
    master: Option<File>,
    shell: Child,
    /// What was shown and not waited for yet.
    screen: String,
    directory: PathBuf,
}

impl Terminal {
    fn open() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let slave = ptsname(&master, Vec::new()).expect("its name");
        let flags = fcntl_getfl(&master).expect("flags");
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("flags");
        let slave: OwnedFd = File::options()
            .read(true)
            .write(true)
            .open(slave.to_str().expect("a path"))
            .expect("the other end")
            .into();
        let other_end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let program = compile("patient.c", &[]);
        let preload = Preload::command(["terminal"]);
        let directory = preload.directory().to_owned();
        let shell = Command::new("setsid")
            .args([
                "--ctty",
                "bash",
                "--norc",
                "--noprofile",
                "--noediting",
                "-i",
            ])
            .current_dir(&directory)
            .env("PS1", "$ ")
            .env("HISTFILE", "/dev/null")
            .env("RUN", run())
            .env("PATIENT", program)
            .env("MALLOSCOPE_LIB", library())
            .env_remove("MALLOSCOPE_CONF")
            .env_remove("MALLOC_CONF")
            .stdin(other_end())
            .stdout(other_end())
            .stderr(other_end())
            .spawn()
            .expect("setsid of util-linux, and bash");
        let master = File::from(master);
        Terminal {
            master: Some(master),
            shell,
            screen: String::new(),
            directory,
        }
    }

    fn master(&mut self) -> &mut File {
        self.master.as_mut().expect("it is open")
    }

    fn press(&mut self, keys: &str) {
        self.master()
            .write_all(keys.as_bytes())
            .expect("a terminal");
    }

    /// Reads on until `text` is shown; what was shown before it.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + TIMEOUT;
        loop {
            if let Some((before, after)) = self.screen.split_once(text) {
                let before = before.to_owned();
                self.screen = after.to_owned();
                return before;
            }
            assert!(Instant::now() < end, "no {text:?} in:\n{}", self.screen);
            self.read();
        }
    }

    fn read(&mut self) {
        let mut bytes = [0; 4096];
        match self.master().read(&mut bytes) {
            Ok(count) => self.screen += &String::from_utf8_lossy(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(20)),
            Err(error) => panic!("{error}:\n{}", self.screen),
        }
    }

    /// Runs `command`, presses `keys` when it is ready, and returns the status that the shell saw. The
    /// terminal is as it was.
    #[track_caller]
    fn ended_by(&mut self, command: &str, keys: &str) -> String {
        self.press(&format!("before=$(stty -g); {command}\n"));
        self.wait_for("ready\r\n");
        self.press(keys);
        self.wait_for("malloscope: report: d/report.html");
        self.press(
            "echo stat''us=$?; test \"$before\" = \"$(stty -g)\" && echo the same term''inal\n",
        );
        self.wait_for("status=");
        let status = self.wait_for("\r\n");
        self.wait_for("the same terminal");
        status
    }

    fn dumps(&self) -> PathBuf {
        self.directory.join("d")
    }

    /// As if the window were closed: the shell ends.
    fn close(&mut self) {
        self.master = None;
        self.shell.wait().expect("the shell ends");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}

/// The last dump holds all that the program had.
#[track_caller]
fn assert_final_dump(directory: &Path) {
    let files = dump_files(directory);
    let last = files.iter().find(|path| name(path).ends_with(".f.heap"));
    let dump = Dump::read(last.unwrap_or_else(|| panic!("{files:?}")));
    assert_eq!(dump.facts["trigger"], "final");
    assert!(dump.live_bytes() > 7 << 20, "{}", dump.live_bytes());
}

#[test]
fn ctrl_c_leaves_a_last_dump_and_the_page() {
    let mut terminal = Terminal::open();
    assert_eq!(terminal.ended_by("$RUN $PATIENT", CTRL_C), "130");
    assert_final_dump(&terminal.dumps());
}

#[test]
fn ctrl_c_reaches_a_program_behind_others() {
    for command in [
        "$RUN sh -c '$PATIENT; true'",
        "$RUN sh -c 'exec $PATIENT'",
        "$RUN env sh -c '$PATIENT | cat'",
        // It makes itself a process group of its own, which the terminal does not reach.
        "$RUN timeout 100 $PATIENT",
    ] {
        let mut terminal = Terminal::open();
        let status = terminal.ended_by(command, CTRL_C);
        // timeout passes the signal on, and dies of it too.
        assert_eq!(status, "130", "{command}");
        assert_final_dump(&terminal.dumps());
    }
}

#[test]
fn ctrl_backslash_ends_it_at_once() {
    let mut terminal = Terminal::open();
    assert_eq!(
        terminal.ended_by("ulimit -c 0; $RUN $PATIENT", CTRL_BACKSLASH),
        "131"
    );
}

#[test]
fn a_program_that_handles_or_ignores_ctrl_c_does_as_it_likes() {
    let mut terminal = Terminal::open();
    assert_eq!(terminal.ended_by("$RUN $PATIENT handle", CTRL_C), "9");
    assert_final_dump(&terminal.dumps());
    let keys = format!("{CTRL_C}{CTRL_C}a line\n");
    // The terminal throws what was typed before a Ctrl-C away, and takes what comes behind it.
    assert_eq!(terminal.ended_by("$RUN $PATIENT ignore", &keys), "4");
}

#[test]
fn ctrl_z_stops_both_and_fg_goes_on() {
    let mut terminal = Terminal::open();
    terminal.press("$RUN $PATIENT\n");
    terminal.wait_for("ready\r\n");
    terminal.press(CTRL_Z);
    terminal.wait_for("Stopped");
    terminal.press("fg\n");
    terminal.wait_for("PATIENT\r\n");
    sleep(Duration::from_millis(200));
    terminal.press(CTRL_C);
    terminal.wait_for("malloscope: report: d/report.html");
    terminal.press("echo stat''us=$?\n");
    terminal.wait_for("status=130\r\n");
    assert_final_dump(&terminal.dumps());
}

#[test]
fn a_program_reads_from_the_terminal() {
    let mut terminal = Terminal::open();
    terminal.press("$RUN sh -c 'read line; echo \"got: $line\"; exit 3'\n");
    terminal.wait_for("running sh");
    terminal.press("some words\n");
    terminal.wait_for("got: some words\r\n");
    terminal.wait_for("$ ");
    terminal.press("echo stat''us=$?\n");
    terminal.wait_for("status=3\r\n");
}

#[test]
fn a_terminal_that_goes_away_leaves_a_last_dump_and_the_page() {
    let mut terminal = Terminal::open();
    terminal.press("$RUN $PATIENT\n");
    terminal.wait_for("ready\r\n");
    let (page, dumps) = (terminal.dumps().join("report.html"), terminal.dumps());
    terminal.close();
    let end = Instant::now() + TIMEOUT;
    while !fs::read_to_string(&page).is_ok_and(|text| text.ends_with("</html>\n")) {
        assert!(Instant::now() < end, "no page in {}", dumps.display());
        sleep(Duration::from_millis(50));
    }
    assert_final_dump(&dumps);
}

/// A signal to `malloscope` alone, as of a supervisor.
#[test]
fn who_is_behind_a_shell_is_asked_for_a_last_dump_too() {
    let preload = Preload::command(["sh", "-c"]);
    let script = "$RUN sh -c '$PATIENT >ready; true' & until grep -q ready ready; do sleep 0.1; done; \
                  kill -TERM $!; wait $!; echo status=$?";
    let run = preload
        .arg(script)
        .libraries(&[])
        .env("RUN", run())
        .env("PATIENT", compile("patient.c", &[]))
        .env("MALLOSCOPE_LIB", library())
        .run();
    assert_eq!(run.stdout, "status=143\n", "{}", run.stderr);
    let files = dump_files(&run.directory().join("d"));
    // The shell may have been sampled too.
    let asked = files.iter().filter(|path| name(path).contains(".m0."));
    let most = asked.map(|path| Dump::read(path).live_bytes()).max();
    assert!(most > Some(7 << 20), "{most:?} in {files:?}");
}

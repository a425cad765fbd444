//! Runs a program with the library preloaded and collects what it left: output, status, dumps.
//!
//! Used by every file here. Programs of ours are compiled once per test run; each run has an empty
//! directory of its own, which stays for inspection. A program that does not end in time is killed
//! with all its children and fails the test.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::dump::Dump;

const TIMEOUT: Duration = Duration::from_secs(120);

/// Makes the directories of the runs differ; pairs with nothing.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Held while a program is compiled, so that two tests may share it.
static COMPILER: Mutex<()> = Mutex::new(());

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the release build, which stands beside the directory of the tests' build.
fn released(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("target directory");
    target.join("release").join(name)
}

/// The library under test: a copy, so that a build meanwhile does not take it from under a program
/// or from under the reader of a dump, which looks for names in the file that ran.
pub fn library() -> PathBuf {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(copy_library).clone()
}

fn copy_library() -> PathBuf {
    let built = std::env::var_os("MALLOSCOPE_LIB")
        .map_or_else(|| released("libmalloscope.so"), PathBuf::from);
    let Ok(bytes) = fs::read(&built) else {
        panic!(
            "{} is missing: build it with `cargo build --release -p preload`",
            built.display()
        );
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
    let copy = directory.join("libmalloscope.so");
    if fs::read(&copy).is_ok_and(|old| old == bytes) {
        return copy;
    }
    // Renamed, so that who has the old one mapped keeps it.
    fs::create_dir_all(&directory).expect("directory for the library");
    let new = directory.join("new");
    fs::write(&new, bytes).expect("a copy of the library");
    fs::rename(&new, &copy).expect("a copy of the library");
    copy
}

/// The companion under the name of the tool it replaces.
pub fn jeprof_compat() -> Command {
    let path = released("jeprof-compat");
    assert!(
        path.is_file(),
        "{} is missing: build it with `cargo build --release`",
        path.display()
    );
    Command::new(path)
}

/// The companion that a person uses.
pub fn malloscope() -> Command {
    let path = released("malloscope");
    assert!(
        path.is_file(),
        "{} is missing: build it with `cargo build --release`",
        path.display()
    );
    Command::new(path)
}

/// A file that comes with the repository.
pub fn source(path: &str) -> PathBuf {
    workspace().join(path)
}

/// Whether `tool` is somewhere in the path.
pub fn installed(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(tool))
        .find(|file| file.is_file())
}

/// A shared library of the system that stands in for the allocator behind us.
pub fn system_library(name: &str) -> PathBuf {
    let directories = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    let found = directories
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed; .ci/run installs it"))
}

/// Compiles `tests/programs/<file>` with `flags`, unless a binary newer than the source and
/// its header is there.
pub fn compile(file: &str, flags: &[&str]) -> PathBuf {
    let source = workspace().join("tests/programs").join(file);
    // A number for the flags: these may hold longer paths than a file's name can be.
    let mut hasher = DefaultHasher::new();
    flags.hash(&mut hasher);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("programs")
        .join(format!("{:016x}", hasher.finish()));
    // Not its own name: what ends like a source is one to the compiler that links it.
    let program = directory.join(source.file_stem().expect("a name"));
    let _one = COMPILER
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let header = source.with_extension("h");
    if modified(&program) > modified(&source).max(modified(&header)) {
        return program;
    }
    fs::create_dir_all(&directory).expect("directory for programs");
    let compiler = if file.ends_with(".cpp") { "c++" } else { "cc" };
    let status = Command::new(compiler)
        .args([
            "-g",
            "-O1",
            "-fno-optimize-sibling-calls",
            "-fno-builtin",
            "-pthread",
            "-Wall",
        ])
        .args(["-Wno-deprecated-declarations", "-o"])
        .arg(&program)
        .args(flags)
        .arg(&source)
        .arg("-ldl")
        .status()
        .expect("a C compiler");
    assert!(status.success(), "{file} does not compile");
    program
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

/// A program about to be run.
pub struct Preload {
    directory: PathBuf,
    command: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    libraries: Vec<PathBuf>,
}

impl Preload {
    /// A program of `tests/programs`, compiled without special flags.
    pub fn new(file: &str) -> Preload {
        Preload::command([compile(file, &[])])
    }

    /// Any command.
    pub fn command<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Preload {
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let command: Vec<OsString> = command
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        let program = Path::new(&command[0]).file_name().unwrap_or_default();
        let name = format!("{run:03}-{}", program.to_string_lossy());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("runs")
            .join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("directory for a run");
        Preload {
            directory,
            command,
            environment: Vec::new(),
            libraries: vec![library()],
        }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Preload {
        self.command.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args(self, arguments: &[String]) -> Preload {
        arguments.iter().fold(self, Preload::arg)
    }

    /// One more variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Preload {
        self.environment
            .push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Our options, with the dumps in the run's own directory.
    pub fn conf(self, options: &str) -> Preload {
        let prefix = self.directory.join("dump");
        self.env(
            "MALLOSCOPE_CONF",
            format!("prof_prefix:{},{options}", prefix.display()),
        )
    }

    /// The options exactly as they are.
    pub fn bare_conf(self, options: &str) -> Preload {
        self.env("MALLOSCOPE_CONF", options)
    }

    /// A library preloaded behind ours.
    pub fn behind_us(mut self, library: PathBuf) -> Preload {
        self.libraries.push(library);
        self
    }

    /// Other libraries than ours, or none at all.
    pub fn libraries(mut self, libraries: &[PathBuf]) -> Preload {
        self.libraries = libraries.to_vec();
        self
    }

    /// The directory of this run.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts it and returns at once, for servers.
    pub fn start(&self) -> Server {
        Server {
            child: self.spawn(),
            directory: self.directory.clone(),
        }
    }

    /// Runs it to its end.
    pub fn run(self) -> Run {
        let mut child = self.spawn();
        let status = wait(&mut child, &self.command);
        Run::collect(&self.directory, status)
    }

    fn spawn(&self) -> Child {
        let output = |name| File::create(self.directory.join(name)).expect("output file");
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .current_dir(&self.directory)
            .env_remove("MALLOSCOPE_CONF")
            .env_remove("MALLOC_CONF")
            .env_remove("LD_LIBRARY_PATH")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .process_group(0);
        if !self.libraries.is_empty() {
            let list: Vec<_> = self
                .libraries
                .iter()
                .map(|path| path.to_string_lossy())
                .collect();
            command.env("LD_PRELOAD", list.join(" "));
        }
        command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command))
    }
}

fn wait(child: &mut Child, command: &[OsString]) -> ExitStatus {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return status;
        }
        if Instant::now() > end {
            signal_group(child, "KILL");
            let _ = child.wait();
            panic!("{command:?} did not end within {TIMEOUT:?}");
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// Signals a child and all that it started.
fn signal_group(child: &Child, signal: &str) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), "--", &group])
        .status();
}

/// A program that runs until it is told to stop, or until the test that started it fails.
pub struct Server {
    child: Child,
    directory: PathBuf,
}

impl Server {
    /// Ends it where it stands.
    pub fn kill(self) -> Run {
        self.end("KILL")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it runs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until it ends by itself.
    pub fn wait(mut self) -> Run {
        let status = wait(&mut self.child, &["server".into()]);
        Run::collect(&self.directory, status)
    }

    /// Asks it to end, and waits for that.
    pub fn stop(self) -> Run {
        self.end("TERM")
    }

    fn end(self, signal: &str) -> Run {
        signal_group(&self.child, signal);
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            signal_group(&self.child, "KILL");
            let _ = self.child.wait();
        }
    }
}

/// What a program left behind.
pub struct Run {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How it ended.
    pub status: ExitStatus,
    directory: PathBuf,
}

impl Run {
    fn collect(directory: &Path, status: ExitStatus) -> Run {
        let read = |name| {
            let bytes = fs::read(directory.join(name)).expect("output of a run");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Run {
            stdout: read("stdout"),
            stderr: read("stderr"),
            status,
            directory: directory.to_owned(),
        }
    }

    /// Fails with all there is to see, unless the program ended well.
    #[track_caller]
    pub fn succeeded(self) -> Run {
        assert!(
            self.status.success(),
            "exit {:?}, signal {:?}, in {}\n{}\n{}",
            self.status.code(),
            self.status.signal(),
            self.directory.display(),
            self.stdout,
            self.stderr
        );
        self
    }

    /// The program's own `name=value` or `name>=value`.
    #[track_caller]
    pub fn truth(&self, name: &str) -> u64 {
        let value = self.stdout.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim_end_matches('>') == name).then_some(value)
        });
        let number = value.map(|text| match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        });
        match number {
            Some(Ok(number)) => number,
            _ => panic!("no {name} in:\n{}\n{}", self.stdout, self.stderr),
        }
    }

    /// Names of the dumps, in the order of their numbers.
    pub fn dump_files(&self) -> Vec<PathBuf> {
        dump_files(&self.directory)
    }

    /// All dumps, in the order of their numbers.
    pub fn dumps(&self) -> Vec<Dump> {
        self.dump_files()
            .iter()
            .map(|path| Dump::read(path))
            .collect()
    }

    /// The one final dump.
    #[track_caller]
    pub fn final_dump(&self) -> Dump {
        let files = self.dump_files();
        let ends: Vec<_> = files
            .iter()
            .filter(|path| name(path).ends_with(".f.heap"))
            .collect();
        assert_eq!(ends.len(), 1, "{files:?}\n{}", self.stderr);
        Dump::read(ends[0])
    }

    /// What was remarked with `prof_remarks`, without the process in front.
    pub fn remarks(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("dump.remarks")).unwrap_or_default();
        let remarks = text
            .lines()
            .filter_map(|line| Some(line.split_once('\t')?.1));
        remarks.map(str::to_owned).collect()
    }

    /// Where it ran.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The dumps of a directory by pid and number.
pub fn dump_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("directory of a run");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension() == Some(OsStr::new("heap")))
        .collect();
    files.sort_by_key(|path| {
        let name = name(path);
        let mut parts = name.rsplit('.').skip(2);
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let seq = number();
        (number(), seq)
    });
    files
}

/// The last part of a path.
pub fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

//! Tables made by hand, and a directory for their dumps. Used by the tests here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use malloscope::config::{self, Config};
use malloscope::dump::{self, Goal, Reason, Request};
use malloscope::sampler::weight;
use malloscope::table::live_table::{Drawn, LiveTable, Sample};
use malloscope::table::stack_table::{StackId, StackTable};

use crate::seen::Seen;

/// One case at a time: dumps are numbered for the whole process, and its arena has one ceiling.
static ALONE: Mutex<()> = Mutex::new(());

const UPTIME_MS: u64 = 100_000;

/// Tables and a directory for their dumps.
pub struct Case {
    /// Its stacks.
    pub stacks: Box<StackTable>,
    /// Its live samples.
    pub live: Box<LiveTable>,
    /// How the period follows a budget.
    pub rate: Option<dump::Rate>,
    directory: PathBuf,
    next: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Case {
    /// Empty tables; `name` tells its directory from others.
    pub fn new(name: &str) -> Case {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("malloscope-dump-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::remove_dir_all(&directory).ok();
        fs::create_dir_all(&directory).expect("a directory");
        Case {
            stacks: Box::new(StackTable::new()),
            live: Box::new(LiveTable::new(None)),
            rate: None,
            directory,
            next: 0x10_0000,
            _alone: alone,
        }
    }

    /// Samples a block; its address.
    pub fn alloc(&mut self, stack: StackId, size: usize, lg_period: u8, thread: u32) -> usize {
        let addr = self.next;
        self.next += 0x1000;
        let weight = weight(size, lg_period);
        self.live.insert(Sample::new(&Drawn {
            addr,
            size,
            lg_period,
            now_ms: self.next as u64 % UPTIME_MS,
            stack,
            thread,
        }));
        self.stacks.note_alloc(stack, &weight, lg_period);
        addr
    }

    /// Frees a sampled block.
    pub fn free(&mut self, addr: usize) {
        let sample = self.live.remove(addr).expect("live");
        self.stacks.note_free(sample.stack, 5, sample.first_bytes());
    }

    /// `conf`, for dumps in the case's directory.
    fn config(&self, conf: &str) -> Config {
        let prefix = self.directory.join("x");
        let text = format!("prof_prefix:{},{conf}", prefix.display());
        let mut config = Config::DEFAULT;
        config::parse(
            config::Source::MalloscopeConf,
            text.as_bytes(),
            &mut config,
            &mut |_| {},
        );
        config
    }

    /// The process begins under `conf`.
    pub fn begin(&self, conf: &str) {
        dump::start(&self.config(conf));
    }

    /// Writes a dump under `conf`; the directory's files afterwards, oldest first.
    pub fn dump(&self, conf: &str, reason: Reason) -> Vec<PathBuf> {
        let config = self.config(conf);
        dump::write(
            &Request {
                reason,
                goal: Goal {
                    prefix: config.prof_prefix.as_bytes(),
                    ..Goal::default()
                },
                config: &config,
                stacks: &self.stacks,
                live: &self.live,
                kinds: &[],
                uptime_ms: UPTIME_MS,
                lg_period: 19,
                rate: self.rate.as_ref(),
                places: &dump::Places {
                    java_heap: 0..0,
                    java_code: 0..0,
                    has_thread: &|_| false,
                },
                thread_name: &|uid| {
                    *if uid == 1 {
                        b"worker 100%\t\0\0\0\0"
                    } else {
                        &[0; 16]
                    }
                },
            },
            &mut |_| (),
        );
        files(&self.directory)
    }

    /// Writes a dump under `conf` and reads it.
    pub fn read(&self, conf: &str) -> Seen {
        let paths = self.dump(conf, Reason::Final);
        Seen::of(&fs::read(paths.last().expect("a dump")).expect("its bytes"))
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort_by_key(|path| {
        let name = path.to_string_lossy().into_owned();
        let seq = name
            .rsplit('.')
            .nth(2)
            .and_then(|seq| seq.parse::<u64>().ok());
        seq.expect("a number in the name")
    });
    found
}

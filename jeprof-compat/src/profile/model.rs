//! The profile as every room of the companion sees it: samples over call stacks, with the
//! mappings they ran in. Knows no file format.
//!
//! Values are unbiased estimates already: `read` scales and moves return addresses onto their
//! call sites at the door. Stacks are leaf first.

use std::collections::BTreeMap;
use std::ops::AddAssign;

pub use super::language::{Language, Seen};
pub use super::parts::Parts;
pub use super::shared::Shared;
pub use super::weighed::Weighed;

/// What the samples of malloc are called where a kind is to be named.
pub const MALLOC: &str = "malloc";

/// The kind of samples of a JVM's objects; the leaf of a stack is the class.
pub const JAVA_HEAP: &str = "java_heap";

/// The kind of samples of V8's objects.
pub const JS_HEAP: &str = "js_heap";

/// The kind of the small objects of CPython.
pub const PYTHON_OBJECTS: &str = "python_objects";

/// The kind of Ruby's own objects.
pub const RUBY_OBJECTS: &str = "ruby_objects";

/// Are the samples of this kind objects, with their class as the leaf of the stack?
pub fn is_of_objects(kind: Option<&str>) -> bool {
    matches!(kind, Some(JAVA_HEAP | RUBY_OBJECTS))
}

/// One of the four heap values that a sample carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueKind {
    /// Bytes that are live now.
    #[default]
    InuseSpace,
    /// Blocks that are live now.
    InuseObjects,
    /// Bytes ever allocated (needs `prof_accum`).
    AllocSpace,
    /// Blocks ever allocated (needs `prof_accum`).
    AllocObjects,
    /// Bytes for each block: the mean delay of a profile of delays.
    Mean,
}

/// What the values of a profile measure. The names of [`Values`] are those of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Blocks and bytes.
    #[default]
    Memory,
    /// Samples of a processor's time, and nanoseconds.
    Time,
    /// Contentions, and nanoseconds waited.
    Delay,
}

/// Estimates of one stack, in blocks and bytes. Signed and fractional: `--base` subtracts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    /// Blocks that are live.
    pub inuse_objects: f64,
    /// Bytes that are live.
    pub inuse_space: f64,
    /// Blocks ever allocated.
    pub alloc_objects: f64,
    /// Bytes ever allocated.
    pub alloc_space: f64,
}

impl Values {
    /// The value that `kind` names.
    pub fn get(&self, kind: ValueKind) -> f64 {
        match kind {
            ValueKind::InuseSpace => self.inuse_space,
            ValueKind::InuseObjects => self.inuse_objects,
            ValueKind::AllocSpace => self.alloc_space,
            ValueKind::AllocObjects => self.alloc_objects,
            ValueKind::Mean if self.inuse_objects == 0.0 => 0.0,
            ValueKind::Mean => self.inuse_space / self.inuse_objects,
        }
    }
}

impl AddAssign for Values {
    fn add_assign(&mut self, more: Values) {
        self.inuse_objects += more.inuse_objects;
        self.inuse_space += more.inuse_space;
        self.alloc_objects += more.alloc_objects;
        self.alloc_space += more.alloc_space;
    }
}

/// What our own dumps say of a stack beyond its values; absent for jemalloc's dumps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackFacts {
    /// Number of the stack in its process, the same in all its dumps.
    pub id: u64,
    /// Real live samples behind the estimate.
    pub samples: u64,
    /// Variance of the live bytes estimate, bytes squared.
    pub variance: f64,
    /// Live samples by birth epoch, with what they stood for when they were born: what a block grew by
    /// since is not in it.
    pub births: Parts,
    /// Real samples ever taken.
    pub alloc_samples: u64,
    /// Smallest and largest size of the live samples.
    pub sizes: Option<(u64, u64)>,
    /// Freed samples by lifetime: the buckets of [`profile_format::lifetimes`].
    pub lives: Parts,
}

/// Index into [`Profile::locations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(pub u32);

/// A code address and, once symbolized, the functions inlined there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    /// The address looked up: of the call, not of the return.
    pub address: u64,
    /// Index into [`Profile::mappings`].
    pub mapping: Option<usize>,
    /// Innermost inlined function first; empty until symbolized or when no name was found.
    pub lines: Shared<Line>,
    /// Where the function starts in memory, when that is known though its name is not.
    pub function_start: Option<u64>,
    /// A frame of a managed runtime: named by the dump itself, its address means nothing.
    pub managed: bool,
}

/// One function at a location.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line {
    /// Whole demangled name, parameters included.
    pub function: String,
    /// The same without its parameter list, when it has one: `os::malloc`.
    pub short: Option<String>,
    /// The linker's name, where that is another one.
    pub linker: Option<Box<str>>,
    /// Where the function starts, in the addresses of its own file; tells namesakes apart.
    pub start: Option<u64>,
    /// The linker has another name for the same start: then jeprof does not know where the function starts.
    pub has_alias: bool,
    /// Source file, when known.
    pub file: Option<String>,
    /// Line number, when known.
    pub line: Option<u32>,
    /// True for every frame inlined into the one behind it.
    pub inlined: bool,
    /// The name is a class's: what was allocated, not the allocating function.
    pub is_class: bool,
    /// Not a frame: it stands where frames are missing, and its name is the reason.
    pub is_cut: bool,
    /// The language of a managed frame.
    pub language: Option<Language>,
}

impl Line {
    /// The name without parameters, as `jeprof` prints it.
    pub fn short(&self) -> &str {
        self.short.as_deref().unwrap_or(&self.function)
    }
}

/// One mapped file or area.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Where offset 0 of the file lies in memory, mapped or not: offsets printed count from here.
    pub base: u64,
    /// Executable pages.
    pub executable: bool,
    /// Path as the kernel named it, or a pseudo-name such as `[vdso]`.
    pub path: String,
    /// The file was unlinked or replaced while it was mapped.
    pub deleted: bool,
    /// The file was closed before the dump was written; its addresses are numbered apart from what lies
    /// there now.
    pub unloaded: bool,
    /// Build id in lower-case hex, when the dump recorded it or the file was found.
    pub build_id: Option<String>,
}

/// One stack with its values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Leaf first.
    pub stack: Shared<LocationId>,
    /// Totals over all threads.
    pub values: Values,
    /// Per thread: `(thread uid, values)`.
    pub threads: Box<[(u64, Values)]>,
    /// Only in our own dumps.
    pub facts: Option<StackFacts>,
}

/// Facts about the process and the dump, as `key value` pairs of our own dumps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFacts {
    /// In file order, for example `("pid", "123")`.
    pub entries: Vec<(String, String)>,
    /// How births are cut: width of an epoch in milliseconds, and how many have begun.
    pub epochs: Option<(u64, u64)>,
}

/// Samples of what malloc never saw: a managed heap, mmap. Never to be added to malloc's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OtherKind {
    /// In file order, for example `("note", "live as of the last collection")`.
    pub facts: Vec<(String, String)>,
    /// One a stack, over the locations of the profile.
    pub samples: Vec<Sample>,
}

/// A whole profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// What the values are.
    pub measure: Measure,
    /// Mean bytes between samples.
    pub period: u64,
    /// One a stack, of malloc.
    pub samples: Vec<Sample>,
    /// Samples of other kinds, by the name of the kind.
    pub other_kinds: BTreeMap<String, OtherKind>,
    /// The first frame of every stack is the profiler's own allocation function, unless it is a
    /// managed one: the format says so, whatever name its address has by now.
    pub leaf_is_hook: bool,
    /// Shared by all samples.
    pub locations: Vec<Location>,
    /// Sorted by start.
    pub mappings: Vec<Mapping>,
    /// `(uid, name)` of threads.
    pub threads: Vec<(u64, String)>,
    /// Process facts.
    pub process: ProcessFacts,
    /// The end of the file was missing.
    pub cut_off: bool,
    /// Whose frames a person wants to see.
    pub seen: Seen,
}

impl Profile {
    /// The location behind an id of this profile's own samples.
    pub fn location(&self, id: LocationId) -> &Location {
        &self.locations[id.0 as usize]
    }

    /// The samples of the kind that `kind` names, of malloc without one.
    pub fn samples_of(&self, kind: Option<&str>) -> &[Sample] {
        match kind {
            None => &self.samples,
            Some(name) => self.other_kinds.get(name).map_or(&[], |kind| &kind.samples),
        }
    }

    /// Mean bytes between samples of a kind, of malloc without one.
    pub fn period_of(&self, kind: Option<&str>) -> f64 {
        let own = kind.and_then(|kind| self.other_kinds.get(kind)?.get("period"));
        let period = own.and_then(|text| text.parse().ok());
        period.unwrap_or(self.period as f64)
    }

    /// Bytes that are live of a kind, of malloc without one.
    pub fn total_of(&self, kind: Option<&str>) -> f64 {
        let samples = self.samples_of(kind).iter();
        samples.map(|s| s.values.inuse_space).sum()
    }

    /// Sum of one heap value over all samples of malloc.
    pub fn total(&self, kind: ValueKind) -> f64 {
        self.samples.iter().map(|s| s.values.get(kind)).sum()
    }
}

impl ProcessFacts {
    /// The first value recorded under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        first(&self.entries, key)
    }

    /// The short name of the program: of the command up to a blank what is behind the directory.
    pub fn program(&self) -> &str {
        let command = self.get("command").unwrap_or_default();
        let program = command.split(' ').next().unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// What the profiler had to remark: there may be several of the same key.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        let remarks = self.entries.iter().filter(|(key, _)| key == "remark");
        remarks.map(|(_, text)| text.as_str())
    }
}

impl OtherKind {
    /// The first fact recorded under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        first(&self.facts, key)
    }
}

fn first<'a>(entries: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let entry = entries.iter().find(|(k, _)| k == key);
    entry.map(|(_, value)| value.as_str())
}

impl ValueKind {
    /// True when the value counts blocks, false when it counts bytes.
    pub fn is_objects(self) -> bool {
        matches!(self, ValueKind::InuseObjects | ValueKind::AllocObjects)
    }
}

impl Mapping {
    /// The path without its directory.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// True for a library that came with the system rather than with the program.
    pub fn is_system_library(&self) -> bool {
        const DIRECTORIES: [&str; 5] = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "[vdso]"];
        // Extensions that were installed for Python.
        const PACKAGES: [&str; 3] = ["/site-packages/", "/dist-packages/", "/lib-dynload/"];
        DIRECTORIES.iter().any(|d| self.path.starts_with(d))
            || PACKAGES.iter().any(|d| self.path.contains(d))
    }

    /// True when names may be found for it: a file, though not a device or a shared memory
    /// segment, or the vdso.
    pub fn has_code_file(&self) -> bool {
        const NOT_FILES: [&str; 3] = ["/dev/", "/memfd:", "/SYSV"];
        let file = self.path.starts_with('/');
        self.path == "[vdso]" || (file && !NOT_FILES.iter().any(|p| self.path.starts_with(p)))
    }
}

//! How memory went, and where RSS is. Part of the report's data.

use serde::Serialize;

use crate::figures::Estimate;

/// The timeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// In order of time; a dump has a point of its own.
    pub points: Vec<Point>,
    /// In order of time: the same order as the columns of every [`super::Kind`].
    pub dumps: Vec<Dump>,
    /// Whose live bytes [`Point::live`] has, where it is not malloc: [`super::Kind::title`].
    pub kind: Option<String>,
    /// What must not be reached, if there is such a limit.
    pub limit: Option<Limit>,
    /// Events worth a line: a garbage collection, a restart.
    pub marks: Vec<Mark>,
}

/// What was known at one moment. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since the process started.
    pub seconds: f64,
    /// Resident set.
    pub rss: Option<f64>,
    /// Live bytes of the kind that the report is about, with their 95 % band.
    pub live: Option<Estimate>,
    /// Live bytes of malloc, where the report is about another kind.
    pub malloc: Option<f64>,
    /// What the allocator has mapped, when it said so.
    pub mapped: Option<f64>,
}

/// One dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Dump {
    /// Seconds since the process started.
    pub seconds: f64,
    /// Why it was written, in a word: `timer`, `signal`, `end`.
    pub trigger: String,
    /// Its file name, without directory.
    pub file: String,
}

/// A limit of memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limit {
    /// Where it lies.
    pub bytes: f64,
    /// Whose it is: `cgroup limit`.
    pub name: String,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Mark {
    /// Seconds since the process started.
    pub seconds: f64,
    /// What happened.
    pub text: String,
}

/// The account of RSS at one dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    /// Index into [`Timeline::dumps`].
    pub dump: usize,
    /// The whole.
    pub rss: f64,
    /// Its parts, in the same order at every dump.
    pub parts: Vec<Share>,
}

/// A part of RSS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// `live heap`, `allocator overhead`, `thread stacks`, `files`, `GC heap`, `other`.
    pub name: String,
    /// Resident bytes of it.
    pub bytes: f64,
    /// What it is, in a sentence, and what helps when it grows.
    pub meaning: String,
}

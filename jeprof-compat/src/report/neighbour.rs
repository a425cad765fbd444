//! Another process of the same directory: what the page says of it, so that nobody believes the page
//! to be about all. Part of the report's data.

use serde::Serialize;

use crate::analysis::suspects::Verdict;

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Neighbour {
    /// What tells it apart: `pid 123`.
    pub name: String,
    /// Its number, which `--pid` takes; 0 when it is not known.
    pub pid: u64,
    /// The verdict on it.
    pub verdict: Verdict,
    /// `Yes, it leaks 41 MB/h`.
    pub headline: String,
    /// Dumps it has.
    pub dumps: usize,
    /// Bytes of malloc live in the last of them.
    pub live: f64,
    /// File name of its page, beside this one.
    pub page: Option<String>,
}

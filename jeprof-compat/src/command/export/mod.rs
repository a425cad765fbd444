//! `malloscope table`, `flame`, `graph` and `convert`: one dump in, one file out. Reads, names,
//! chooses, and hands over to the views; a file is written at once when it is whole. Data goes to
//! stdout or where `-o` says, talk to stderr.

mod convert;
mod picture;
mod rows;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

pub use convert::{ConvertArgs, convert};
pub use picture::{FlameArgs, GraphArgs, TableArgs, flame, graph, table};

/// Writes all of it to a file, or to the standard output where there is none.
fn deliver(output: Option<&Path>, bytes: &[u8]) -> Result<()> {
    match output {
        Some(file) if file.as_os_str() != "-" => {
            fs::write(file, bytes).with_context(|| file.display().to_string())
        }
        _ => Ok(io::stdout().lock().write_all(bytes)?),
    }
}

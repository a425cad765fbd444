//! `malloscope unpack`: the library that this program carries, as a file: for images, init containers and
//! units.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::console;
use crate::command::launch::unpack;

/// Write the library that this program carries into a directory
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where libmalloscope.so goes; made when it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes it and prints its path.
pub fn unpack(args: &Args) -> Result<u8> {
    let library = unpack::carried().context(
        "this build carries no library; build it with cargo build --release, or copy \
         libmalloscope.so by hand",
    )?;
    let path = unpack::into(library, &args.directory)?;
    console::print(&path.display().to_string());
    Ok(0)
}

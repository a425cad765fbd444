//! The bytes of a profile: of a file or of the standard input, plain or compressed. A file that unpacks to
//! more than a profile can be is refused before it costs the memory of the machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// The most bytes of a profile. The largest that was met, of a compiler with 100,000 stacks, has 90 MB.
const MOST: u64 = 512 << 20;

/// As many of them tell what a file is.
const HEAD: u64 = 64 << 10;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What a file holds.
pub struct Unpacked {
    /// Its bytes, without compression.
    pub bytes: Vec<u8>,
    /// The end of what was compressed is missing.
    pub cut_off: bool,
}

/// Reads a file; `-` is the standard input.
pub fn read(path: &Path) -> Result<Unpacked> {
    let mut raw = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut raw)?;
    } else {
        File::open(path)?.take(MOST + 1).read_to_end(&mut raw)?;
    }
    if raw.len() as u64 > MOST {
        bail!("larger than {} MiB: no profile is", MOST >> 20);
    }
    unpack(raw)
}

/// The first bytes of a file; `None` where nothing can be read.
pub fn head(path: &Path) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD)
        .read_to_end(&mut raw)
        .ok()?;
    Some(unpack(raw).ok()?.bytes)
}

/// Undoes gzip and zstd where there is any.
fn unpack(raw: Vec<u8>) -> Result<Unpacked> {
    if raw.starts_with(&GZIP) {
        expand(MultiGzDecoder::new(&*raw))
    } else if raw.starts_with(&ZSTD) {
        expand(StreamingDecoder::new(&*raw).context("cannot be decompressed")?)
    } else {
        Ok(Unpacked {
            bytes: raw,
            cut_off: false,
        })
    }
}

fn expand(stream: impl Read) -> Result<Unpacked> {
    let mut bytes = Vec::new();
    let result = stream.take(MOST + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > MOST {
        bail!("unpacks to more than {} MiB: no profile does", MOST >> 20);
    }
    match result {
        Err(error) if bytes.is_empty() => Err(error).context("cannot be decompressed"),
        result => Ok(Unpacked {
            bytes,
            cut_off: result.is_err(),
        }),
    }
}

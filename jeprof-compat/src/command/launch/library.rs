//! Where `libmalloscope.so` is: named by `MALLOSCOPE_LIB`, else beside our own executable, else in
//! `../lib` from there, else in this program itself, from where it is unpacked.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::launch::unpack;

const NAME: &str = "libmalloscope.so";
const VARIABLE: &str = "MALLOSCOPE_LIB";

/// The absolute path of a library that is there and can be read.
pub(crate) fn find() -> Result<PathBuf> {
    let library = match env::var_os(VARIABLE) {
        Some(path) => named(Path::new(&path))?,
        None => search()?,
    };
    check(&library)?;
    Ok(library)
}

/// `MALLOSCOPE_LIB`: the library, or the directory it is in.
fn named(path: &Path) -> Result<PathBuf> {
    let path = if path.is_dir() {
        path.join(NAME)
    } else {
        path.to_owned()
    };
    File::open(&path).with_context(|| format!("{VARIABLE} names {}", path.display()))?;
    path.canonicalize()
        .with_context(|| format!("{VARIABLE} names {}", path.display()))
}

fn search() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot tell where this program is");
    let candidates = match (own, unpack::carried()) {
        // A symbolic link in ~/bin does not stand beside the library.
        (Ok(own), _) => candidates(&own.canonicalize().unwrap_or(own)),
        // Without /proc.
        (Err(_), Some(_)) => Vec::new(),
        (Err(error), None) => return Err(error),
    };
    for candidate in &candidates {
        if let Ok(library) = candidate.canonicalize()
            && File::open(&library).is_ok()
        {
            return Ok(library);
        }
    }
    if let Some(library) = unpack::carried() {
        return unpack::somewhere(library).context("the library cannot be unpacked");
    }
    let tried: Vec<String> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    bail!(
        "cannot find {NAME}; looked for {}; {VARIABLE} can name it",
        tried.join(" and ")
    )
}

fn candidates(own: &Path) -> Vec<PathBuf> {
    let directory = own.parent().unwrap_or(Path::new("/"));
    vec![directory.join(NAME), directory.join("../lib").join(NAME)]
}

/// The loader splits `LD_PRELOAD` at blanks and colons and has no way to escape them.
fn check(library: &Path) -> Result<()> {
    let bytes = library.as_os_str().as_encoded_bytes();
    if bytes.iter().any(|b| matches!(b, b' ' | b':')) {
        bail!(
            "LD_PRELOAD cannot carry the blank or colon in {}; move the library, or let \
             {VARIABLE} name a copy elsewhere",
            library.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_looked_for_beside_and_in_lib() {
        assert_eq!(
            candidates(Path::new("/opt/m/bin/malloscope")),
            [
                Path::new("/opt/m/bin/libmalloscope.so"),
                Path::new("/opt/m/bin/../lib/libmalloscope.so")
            ]
        );
    }

    #[test]
    fn a_path_that_the_loader_would_split_is_refused() {
        assert!(check(Path::new("/a b/libmalloscope.so")).is_err());
        assert!(check(Path::new("/a:b/libmalloscope.so")).is_err());
        assert!(check(Path::new("/ab/libmalloscope.so")).is_ok());
    }
}

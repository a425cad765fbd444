//! The program to run: where it is, as a shell would find it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// As the user typed it; passed on as argument 0.
    pub(crate) typed: OsString,
    pub(crate) path: PathBuf,
}

/// A program that cannot.
#[derive(Debug)]
pub(crate) enum Missing {
    NotFound(OsString),
    NotExecutable(PathBuf),
}

impl Missing {
    /// As shells have it.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Missing::NotFound(_) => 127,
            Missing::NotExecutable(_) => 126,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::NotFound(name) => write!(f, "{}: command not found", name.display()),
            Missing::NotExecutable(path) => write!(f, "{}: not executable", path.display()),
        }
    }
}

/// The exit code when the kernel refused the start after all.
pub(crate) fn start_error(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

impl Program {
    /// Looks through `PATH` as execvp(3) does.
    pub(crate) fn find(typed: &OsStr) -> Result<Program, Missing> {
        let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        let candidates: Vec<PathBuf> = if typed.as_encoded_bytes().contains(&b'/') {
            vec![PathBuf::from(typed)]
        } else {
            env::split_paths(&path).map(|d| d.join(typed)).collect()
        };
        let files = candidates.into_iter().filter(|path| path.exists());
        let mut refused = None;
        for path in files {
            if is_executable(&path) {
                let typed = typed.to_owned();
                return Ok(Program { typed, path });
            }
            refused.get_or_insert(path);
        }
        Err(match refused {
            Some(path) => Missing::NotExecutable(path),
            None => Missing::NotFound(typed.to_owned()),
        })
    }

    /// The last component, for lines and file names.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

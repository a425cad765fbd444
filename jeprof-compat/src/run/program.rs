//! The program to run: where it is, and whether a preloaded library will reach it. Called by `run`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

/// A program that can be started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// As the user typed it; passed on as argument 0.
    pub(super) typed: OsString,
    pub(super) path: PathBuf,
}

/// A program that cannot.
#[derive(Debug)]
pub(super) enum Missing {
    NotFound(OsString),
    NotExecutable(PathBuf),
}

impl Missing {
    /// As shells have it.
    pub(super) fn exit_code(&self) -> u8 {
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
pub(super) fn start_error(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }
}

impl Program {
    /// Looks through `PATH` as execvp(3) does.
    pub(super) fn find(typed: &OsStr) -> Result<Program, Missing> {
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
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Why the profiler will see nothing, if that can be told by looking.
    pub(super) fn warnings(&self) -> Vec<String> {
        let path = interpreter(&self.path).unwrap_or_else(|| self.path.clone());
        let shown = path.display();
        let mut warnings = Vec::new();
        if is_setuid(&path) {
            warnings.push(format!(
                "{shown} is set-user-ID: the loader ignores LD_PRELOAD there, nothing will be seen"
            ));
        }
        match loader(&path) {
            Some(Loader::None) => warnings.push(format!(
                "{shown} is statically linked: no library can be preloaded, nothing will be seen"
            )),
            Some(Loader::Musl) => warnings.push(format!(
                "{shown} runs on musl, which this library does not support yet: it may not start"
            )),
            Some(Loader::Other) | None => {}
        }
        warnings
    }
}

fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

fn is_setuid(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o6000 != 0)
}

/// The program behind `#!`.
fn interpreter(path: &Path) -> Option<PathBuf> {
    // The kernel reads no more of the line.
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split_whitespace();
    let first = PathBuf::from(words.next()?);
    if first.file_name() != Some(OsStr::new("env")) {
        return Some(first);
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    Program::find(OsStr::new(name)).ok().map(|p| p.path)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loader {
    None,
    Musl,
    Other,
}

/// What the program header says of the dynamic loader; nothing for what is no 64-bit ELF file.
fn loader(path: &Path) -> Option<Loader> {
    // The headers stand at the beginning; the files can be large.
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(1 << 16)
        .read_to_end(&mut head)
        .ok()?;
    let header = FileHeader64::<Endianness>::parse(head.as_slice()).ok()?;
    let endian = header.endian().ok()?;
    let headers = header.program_headers(endian, head.as_slice()).ok()?;
    let Some(interp) = headers.iter().find(|h| h.p_type(endian) == PT_INTERP) else {
        return Some(Loader::None);
    };
    let name = interp.data(endian, head.as_slice()).unwrap_or_default();
    let musl = name.windows(7).any(|w| w == b"ld-musl");
    Some(if musl { Loader::Musl } else { Loader::Other })
}

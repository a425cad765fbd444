//! The library that this program carries, laid where the loader finds it.
//!
//! A file is taken only if it is ours alone to write and equal byte by byte: the directories are such
//! that others may write beside them, and a planted library would run in the user's programs. Where no
//! directory fits, the library lives in memory as long as we do.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, StatVfsMountFlags};
use rustix::io::Errno;

/// The library; empty where the program was built without it.
const CARRIED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libmalloscope.so"));

/// Readable for whoever the programs run as.
const MODE: u32 = 0o555;
/// Bits that let others write.
const OTHERS: u32 = 0o022;

/// The library that this program carries.
pub(crate) fn carried() -> Option<&'static [u8]> {
    (!CARRIED.is_empty()).then_some(CARRIED)
}

/// Lays the library into the first directory that fits; the path of it.
pub(crate) fn somewhere(library: &[u8]) -> Result<PathBuf> {
    let mut refused = Vec::new();
    for directory in directories(rustix::process::getuid().as_raw()) {
        match cached(library, &directory) {
            Ok(path) => return Ok(path),
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    in_memory(library).with_context(|| refused.join("; "))
}

/// Writes the library as `directory/libmalloscope.so`, in place of what is there.
pub(crate) fn into(library: &[u8], directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let path = directory.join("libmalloscope.so");
    write(library, &path)?;
    Ok(path)
}

/// Where it may lie, best first. The home of root cannot be read after a change of the user.
fn directories(uid: u32) -> Vec<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let own = cache.or_else(home).map(|cache| cache.join("malloscope"));
    let common = (uid == 0).then(|| PathBuf::from("/var/cache/malloscope"));
    let temporary = ["/var/tmp", "/tmp"].map(|root| format!("{root}/malloscope-{uid}").into());
    common.into_iter().chain(own).chain(temporary).collect()
}

/// The path of a file in `directory` that holds the library; it is written if it is not there.
fn cached(library: &[u8], directory: &Path) -> Result<PathBuf> {
    let is_split = |byte: &u8| matches!(byte, b' ' | b':' | b'\n');
    ensure!(
        directory.is_absolute()
            && !directory
                .as_os_str()
                .as_encoded_bytes()
                .iter()
                .any(is_split),
        "the loader cannot be told of {}",
        directory.display()
    );
    prepare(directory).with_context(|| directory.display().to_string())?;
    let mut sum = flate2::Crc::new();
    sum.update(library);
    let version = env!("CARGO_PKG_VERSION");
    // Older ones stay: programs that run name them in their environment.
    let path = directory.join(format!("libmalloscope-{version}-{:08x}.so", sum.sum()));
    if !holds(&path, library) {
        write(library, &path)?;
        ensure!(
            holds(&path, library),
            "{} is not what was written",
            path.display()
        );
    }
    Ok(path)
}

/// Makes the directory, and refuses one that others write to, or whose files are not executable.
fn prepare(directory: &Path) -> Result<()> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    if let Err(error) = DirBuilder::new().mode(0o755).create(directory)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error.into());
    }
    let found = fs::symlink_metadata(directory)?;
    ensure!(found.is_dir(), "it is no directory");
    ensure!(
        is_ours(&found),
        "it is another user's, or others may write to it"
    );
    let mount = rustix::fs::statvfs(directory)?;
    ensure!(
        !mount.f_flag.contains(StatVfsMountFlags::NOEXEC),
        "its file system is mounted noexec"
    );
    Ok(())
}

fn is_ours(found: &fs::Metadata) -> bool {
    found.uid() == rustix::process::getuid().as_raw() && found.mode() & OTHERS == 0
}

/// Is this a file of ours alone with these bytes?
fn holds(path: &Path, library: &[u8]) -> bool {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags as i32)
        .open(path);
    let Ok(mut file) = opened else {
        return false;
    };
    let Ok(found) = file.metadata() else {
        return false;
    };
    let mut bytes = Vec::new();
    found.is_file()
        && is_ours(&found)
        && found.len() == library.len() as u64
        && file.read_to_end(&mut bytes).is_ok()
        && bytes == library
}

/// Writes a new file and gives it the name when it is whole.
fn write(library: &[u8], path: &Path) -> Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        bail!("{} names no file", path.display());
    };
    let draft = format!(".{}.{}", name.display(), std::process::id());
    let draft = directory.join(draft);
    let _ = fs::remove_file(&draft);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(library)?;
        file.set_permissions(fs::Permissions::from_mode(MODE))?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// A file without a name, under the name that `/proc` gives it. The descriptor stays open: processes
/// that the program starts load it from there, too.
fn in_memory(library: &[u8]) -> Result<PathBuf> {
    let make = |flags| rustix::fs::memfd_create("libmalloscope.so", flags);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and their files are executable.
    let made = match make(flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => make(flags),
        made => made,
    };
    let mut file = File::from(made.context("no file in memory either")?);
    file.write_all(library)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    File::open(&path).with_context(|| path.clone())?;
    std::mem::forget(OwnedFd::from(file));
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LIBRARY: &[u8] = b"\x7fELF and so on";

    /// An empty directory, which is gone when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path =
                env::temp_dir().join(format!("malloscope-unpack-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("a directory");
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_there_is_taken_as_it_is() {
        let scratch = Scratch::new("taken");
        let directory = scratch.0.join("cache/malloscope");
        let path = cached(LIBRARY, &directory).expect("a library");
        assert_eq!(fs::read(&path).expect("its bytes"), LIBRARY);
        let first = fs::metadata(&path).expect("a file");
        assert_eq!(first.mode() & 0o777, MODE);
        assert_eq!(cached(LIBRARY, &directory).expect("again"), path);
        assert_eq!(fs::metadata(&path).expect("a file").ino(), first.ino());
        let other = cached(b"another build", &directory).expect("beside it");
        assert!(other != path && path.exists());
        assert_eq!(fs::read_dir(&directory).expect("a directory").count(), 2);
    }

    #[test]
    fn what_was_planted_is_replaced() {
        let scratch = Scratch::new("planted");
        let path = cached(LIBRARY, &scratch.0).expect("a library");
        let is_whole = || {
            let again = cached(LIBRARY, &scratch.0).expect("a library");
            let found = fs::symlink_metadata(&again).expect("a file");
            found.is_file() && fs::read(&again).expect("bytes") == LIBRARY && is_ours(&found)
        };
        fs::remove_file(&path).expect("removed");
        fs::write(&path, b"\x7fELF and so oN").expect("other bytes");
        assert!(is_whole());
        let elsewhere = scratch.0.join("elsewhere");
        fs::write(&elsewhere, LIBRARY).expect("the same bytes");
        fs::remove_file(&path).expect("removed");
        symlink(&elsewhere, &path).expect("a link");
        assert!(is_whole());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(is_whole());
    }

    #[test]
    fn a_directory_that_is_not_ours_is_passed_over() {
        let scratch = Scratch::new("directory");
        let refused = |directory: &Path| format!("{:#}", cached(LIBRARY, directory).unwrap_err());
        let open = scratch.0.join("open");
        fs::create_dir(&open).expect("a directory");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(refused(&open).contains("others may write"));
        let link = scratch.0.join("link");
        symlink(&scratch.0, &link).expect("a link");
        assert!(refused(&link).contains("no directory"));
        assert!(refused(&scratch.0.join("a b")).contains("cannot be told"));
        assert!(refused(Path::new("relative")).contains("cannot be told"));
        // Of another user, who may be root; proc(5) is of nobody's cache.
        assert!(cached(LIBRARY, Path::new("/proc/malloscope")).is_err());
    }

    #[test]
    fn a_file_in_memory_is_whole_and_cannot_be_changed() {
        let path = in_memory(LIBRARY).expect("a file in memory");
        assert_eq!(fs::read(&path).expect("its bytes"), LIBRARY);
        let changed = OpenOptions::new().write(true).open(&path);
        assert!(changed.and_then(|mut file| file.write_all(b"x")).is_err());
    }

    #[test]
    fn a_directory_of_choice_gets_the_plain_name() {
        let scratch = Scratch::new("into");
        let path = into(LIBRARY, &scratch.0.join("a/b")).expect("a library");
        assert_eq!(path, scratch.0.join("a/b/libmalloscope.so"));
        let again = into(b"newer", &scratch.0.join("a/b")).expect("a library");
        assert_eq!(fs::read(again).expect("its bytes"), b"newer");
    }

    #[test]
    fn root_does_not_hide_it_in_its_home() {
        assert_eq!(directories(0)[0], Path::new("/var/cache/malloscope"));
        assert!(directories(7).contains(&PathBuf::from("/var/tmp/malloscope-7")));
        assert!(!directories(7).contains(&PathBuf::from("/var/cache/malloscope")));
    }
}

//! Opens an ELF file and reads only the parts that are asked for. No memory map, so no `unsafe` and no
//! SIGBUS when a file shrinks under us.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use object::read::ReadCache;
use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};

/// An ELF file that is read piece by piece.
pub type Elf<'a> = object::File<'a, &'a ReadCache<File>>;

/// Runs `f` on the file at `path`.
pub fn open<T>(path: &Path, f: impl FnOnce(&Elf<'_>) -> T) -> Result<T> {
    let file = regular(path).with_context(|| format!("{}", path.display()))?;
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).with_context(|| format!("{}", path.display()))?;
    Ok(f(&elf))
}

/// A dump may name anything: to open a pipe would wait for its other end, to open a device may do more than
/// reading.
fn regular(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

/// The build id in lower-case hex.
pub fn build_id<'a, O: Object<'a>>(elf: &O) -> Option<String> {
    let id = elf.build_id().ok().flatten()?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// True when the file holds DWARF itself.
pub fn has_dwarf(elf: &Elf<'_>) -> bool {
    elf.section_by_name(".debug_info")
        .is_some_and(|s| s.size() > 0)
}

/// One loadable part of a file.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Address the file itself gives it.
    pub address: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Bytes of it in the file.
    pub size: u64,
    /// It holds code.
    pub executable: bool,
}

/// The loadable parts.
pub fn segments<'a, O: Object<'a>>(elf: &O) -> Vec<Segment> {
    let segment = |s: O::Segment<'_>| {
        let (offset, size) = s.file_range();
        let executable = match s.flags() {
            SegmentFlags::Elf { p_flags, .. } => (p_flags & object::elf::PF_X).0 != 0,
            _ => false,
        };
        Segment {
            address: s.address(),
            offset,
            size,
            executable,
        }
    };
    elf.segments().map(segment).collect()
}

/// The address that a file offset has in the file's own terms.
pub fn address_of(segments: &[Segment], offset: u64) -> Option<u64> {
    let holds = |s: &&Segment| offset >= s.offset && offset - s.offset < s.size;
    let segment = segments.iter().find(holds)?;
    Some(segment.address + (offset - segment.offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_pipe_is_not_waited_for() {
        let pipe = std::env::temp_dir().join(format!("malloscope-pipe-{}", std::process::id()));
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        let error = open(&pipe, |_| ()).expect_err("no ELF file");
        assert!(format!("{error:#}").ends_with("not a regular file"));
        fs::remove_file(pipe).expect("removal");
    }
}

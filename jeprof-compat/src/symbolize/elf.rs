//! Opens an ELF file and reads only the parts that are asked for. No memory map, so no `unsafe` and no
//! SIGBUS when a file shrinks under us.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::read::ReadCache;
use object::{CompressionFormat, Object, ObjectSection, ObjectSegment, SegmentFlags};

/// The most bytes of a table, and of what is unpacked of a file: of Chromium's these are 400 MB.
const MOST: u64 = 1 << 30;

/// What is read as a whole, by this program or by `object`.
const WHOLE: [&str; 8] = [
    ".symtab",
    ".strtab",
    ".dynsym",
    ".dynstr",
    ".shstrtab",
    ".eh_frame",
    ".eh_frame_hdr",
    ".gnu_debugdata",
];

/// An ELF file that is read piece by piece.
pub type Elf<'a> = object::File<'a, &'a ReadCache<File>>;

/// Runs `f` on the file at `path`.
pub fn open<T>(path: &Path, f: impl FnOnce(&Elf<'_>) -> T) -> Result<T> {
    let file = regular(path).with_context(|| format!("{}", path.display()))?;
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).with_context(|| format!("{}", path.display()))?;
    if let Some(section) = too_big(&elf) {
        bail!(
            "{}: the section {section} is too big to be read",
            path.display()
        );
    }
    Ok(f(&elf))
}

/// A section that is read as a whole, and has more bytes than one has, or would have as it is unpacked. The file
/// may take less on the disk: it can have holes.
fn too_big(elf: &Elf<'_>) -> Option<String> {
    let mut unpacked = 0_u64;
    elf.sections().find_map(|section| {
        let packed = section.compressed_file_range().ok();
        let packed = packed.filter(|range| range.format != CompressionFormat::None);
        unpacked = unpacked.saturating_add(packed.map_or(0, |range| range.uncompressed_size));
        let is_read = |name: &str| WHOLE.contains(&name) && section.size() > MOST;
        let name = section.name().ok()?;
        (unpacked > MOST || is_read(name)).then(|| name.to_owned())
    })
}

/// A dump may name anything: to open a pipe would wait for its other end, to open a device may do more than
/// reading. Files of the kernel that make their readers wait (`/proc/kmsg`, `trace_pipe`) say that they are empty.
fn regular(path: &Path) -> io::Result<File> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if meta.len() == 0 {
        return Err(io::Error::other("empty"));
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
        let error = open(Path::new("/proc/self/status"), |_| ()).expect_err("no ELF file");
        assert!(format!("{error:#}").ends_with("empty"));
    }

    #[test]
    fn what_unpacks_to_more_than_can_be_read_is_refused() {
        use object::write::Object as Writer;
        use object::{Architecture, BinaryFormat, Endianness, SectionFlags, SectionKind};
        let file = std::env::temp_dir().join(format!("malloscope-packed-{}", std::process::id()));
        let write = |bytes: u64| {
            let mut elf = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
            let section = elf.add_section(Vec::new(), b".debug_info".to_vec(), SectionKind::Debug);
            // Elf64_Chdr: zlib, reserved, size, alignment.
            let head = [1, bytes, 1].map(u64::to_le_bytes).concat();
            elf.append_section_data(section, &head, 8);
            elf.section_mut(section).flags = SectionFlags::Elf {
                sh_flags: object::elf::SHF_COMPRESSED,
                sh_type: object::elf::SHT_PROGBITS,
            };
            fs::write(&file, elf.write().expect("a file")).expect("a file");
            open(&file, |_| ()).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(write(1 << 20), Ok(()));
        let error = write(1 << 40).expect_err("a bomb");
        assert!(
            error.ends_with("the section .debug_info is too big to be read"),
            "{error}"
        );
        fs::remove_file(file).expect("removal");
    }
}

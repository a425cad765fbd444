//! Facts about the process that stand beside the samples: from `/proc`, read with raw calls into
//! buffers that the caller brings.
//!
//! Called by `dump`, and by `trigger` for the number of threads. Takes no lock and asks the loader
//! nothing: build ids are read through `/proc/self/mem`, which answers an error where a read of
//! unmapped memory would be a signal, so a library that is closed meanwhile does no harm.
//!
//! Sources: proc(5), the gABI on notes and program headers.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod cgroup;
pub mod command_line;
pub mod lineage;
pub mod pressure;
pub mod resident;

use core::ffi::CStr;

use crate::diag::Decimal;
use crate::sys;

/// Largest build id kept, in bytes; linkers make 16 or 20.
pub const BUILD_ID: usize = 32;

/// A file open for reading, closed when dropped.
struct File(i32);

impl File {
    fn open(path: &CStr) -> Option<File> {
        let fd = sys::open(path, libc::O_RDONLY, 0);
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(File)
    }

    /// Fills as much of `buffer` as there is.
    fn read_to_end<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match usize::try_from(sys::read(self.0, rest)) {
                Ok(read) if read > 0 => length += read,
                _ => break,
            }
        }
        buffer.get(..length).unwrap_or_default()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

/// The beginning of a small file of `/proc`, as much as `buffer` holds.
pub fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    Some(File::open(path)?.read_to_end(buffer))
}

/// Hands a file to `piece` in pieces, for copying it. False when it cannot be read.
pub fn copy(path: &CStr, buffer: &mut [u8], piece: &mut dyn FnMut(&[u8])) -> bool {
    let Some(file) = File::open(path) else {
        return false;
    };
    loop {
        match usize::try_from(sys::read(file.0, buffer)) {
            Ok(0) => return true,
            Ok(length) => piece(buffer.get(..length).unwrap_or_default()),
            Err(_) => return false,
        }
    }
}

/// Hands the whole lines of a file to `line`, without their ends. A line longer than `buffer` is
/// passed over.
pub fn lines(path: &CStr, buffer: &mut [u8], line: &mut dyn FnMut(&[u8])) -> bool {
    let Some(file) = File::open(path) else {
        return false;
    };
    let mut kept = 0;
    let mut overlong = false;
    loop {
        let Some(room) = buffer.get_mut(kept..) else {
            return false;
        };
        let read = match usize::try_from(sys::read(file.0, room)) {
            Ok(0) => return true,
            Ok(read) => read,
            Err(_) => return false,
        };
        let end = kept + read;
        let mut start = 0;
        while let Some(rest) = buffer.get(start..end)
            && let Some(length) = rest.iter().position(|byte| *byte == b'\n')
        {
            if !core::mem::take(&mut overlong) {
                line(rest.get(..length).unwrap_or_default());
            }
            start += length + 1;
        }
        if start == 0 && end == buffer.len() {
            overlong = true;
            kept = 0;
            continue;
        }
        buffer.copy_within(start..end, 0);
        kept = end - start;
    }
}

/// Threads of this process, at least 1. `trigger` asks on a thread of the program, in whose table
/// even a descriptor of a moment may be closed, reused, or inherited. So the links of the directory
/// are counted: its own two, and one for each thread (Linux, `proc_task_getattr`).
pub fn threads() -> u32 {
    let directories = sys::links(c"/proc/self/task").and_then(|links| links.checked_sub(2));
    if let Some(threads @ 1..) = directories {
        return u32::try_from(threads).unwrap_or(u32::MAX);
    }
    threads_by_stat()
}

/// Where another kind of `/proc` counts no links.
fn threads_by_stat() -> u32 {
    let mut buffer = [0; 512];
    read(c"/proc/self/stat", &mut buffer)
        .and_then(threads_in_stat)
        .unwrap_or(1)
}

/// The exit status of the program's first thread, if it ended and no other of its threads is left.
/// A thread of ours then keeps the process, which glibc ends only when the last thread that it
/// knows is gone.
pub fn deserted_with() -> Option<i32> {
    if threads() > 2 {
        return None;
    }
    let mut buffer = [0; 1024];
    read(c"/proc/self/stat", &mut buffer).and_then(status_of_zombie)
}

/// The state is the first field behind the command, what wait(2) will say the fiftieth.
fn status_of_zombie(stat: &[u8]) -> Option<i32> {
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(command_end + 2..)?.split(|byte| *byte == b' ');
    let is_zombie = fields.next()? == b"Z";
    let status = fields.nth(48).and_then(number).unwrap_or(0);
    is_zombie.then_some((status >> 8 & 0xff) as i32)
}

/// Does this process, by its first thread, wait until a child that it made by vfork(2) lets it go on? It sleeps as
/// nobody else does for long. `None` when that cannot be told.
pub fn sleeps_for_vfork(pid: u32) -> Option<bool> {
    let mut path = [0; 32];
    let number = Decimal::new(u64::from(pid));
    let parts = [&b"/proc/"[..], number.as_str().as_bytes(), b"/stat"];
    for (place, byte) in path.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    let mut buffer = [0; 64];
    let stat = read(CStr::from_bytes_until_nul(&path).ok()?, &mut buffer)?;
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    Some(stat.get(command_end + 2)? == &b'D')
}

/// What the calling thread may, beside the program's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same. So it is said before Linux 3.17, which has no `thread-self`.
    Same,
    /// It has another user, other groups or capabilities.
    OtherRights,
    /// One of them has a seccomp filter that the other has not.
    OtherFilter,
    /// There is no `/proc` (any more: chroot(2)).
    Unknown,
}

/// How the calling thread stands to the program's first one.
pub fn standing() -> Standing {
    let Some(of_program) = credentials(c"/proc/self/status") else {
        return Standing::Unknown;
    };
    match credentials(c"/proc/thread-self/status") {
        Some(own) if own.rights != of_program.rights => Standing::OtherRights,
        Some(own) if own.filters != of_program.filters => Standing::OtherFilter,
        _ => Standing::Same,
    }
}

/// Digests of what a status file says of a thread.
#[derive(Debug, PartialEq, Eq)]
struct Credentials {
    rights: u64,
    /// Mode and number of its filters.
    filters: u64,
}

fn credentials(status: &CStr) -> Option<Credentials> {
    const RIGHTS: [&[u8]; 4] = [b"Uid:", b"Gid:", b"Groups:", b"CapEff:"];
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mut found = Credentials {
        rights: START,
        filters: START,
    };
    let mut buffer = [0; 2048];
    let is_read = lines(status, &mut buffer, &mut |line| {
        let digest = match line {
            _ if RIGHTS.iter().any(|key| line.starts_with(key)) => &mut found.rights,
            _ if line.starts_with(b"Seccomp") => &mut found.filters,
            _ => return,
        };
        // FNV-1a.
        *digest = line.iter().fold(*digest, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
    });
    is_read.then_some(found)
}

/// `num_threads` is the eighteenth field behind the command, which may hold anything but ends at
/// the last parenthesis. Source: proc(5), /proc/pid/stat.
fn threads_in_stat(stat: &[u8]) -> Option<u32> {
    let command_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(command_end + 2..)?.split(|byte| *byte == b' ');
    let threads = number(fields.nth(17)?)?;
    u32::try_from(threads).ok()
}

/// A decimal number at the beginning of `text`, blanks before it passed over.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..digits)
        .filter(|digits| !digits.is_empty())?
        .iter()
        .try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
}

/// Resident memory and its parts in bytes, as `/proc/self/status` states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident set.
    pub rss: u64,
    /// Of it, anonymous.
    pub anonymous: u64,
    /// Of it, mapped files.
    pub file: u64,
    /// Of it, shared memory.
    pub shared: u64,
    /// Largest resident set so far.
    pub peak: u64,
    /// Mapped address space.
    pub virtual_size: u64,
}

/// The memory of this process now.
pub fn memory(buffer: &mut [u8]) -> Memory {
    let mut memory = Memory::default();
    lines(c"/proc/self/status", buffer, &mut |line| {
        let fields: [(&[u8], &mut u64); 6] = [
            (b"VmRSS:", &mut memory.rss),
            (b"RssAnon:", &mut memory.anonymous),
            (b"RssFile:", &mut memory.file),
            (b"RssShmem:", &mut memory.shared),
            (b"VmHWM:", &mut memory.peak),
            (b"VmSize:", &mut memory.virtual_size),
        ];
        for (key, field) in fields {
            if let Some(kilobytes) = line.strip_prefix(key).and_then(number) {
                *field = kilobytes.saturating_mul(1024);
            }
        }
    });
    memory
}

/// This machine's name.
pub fn host(buffer: &mut [u8]) -> &[u8] {
    read(c"/proc/sys/kernel/hostname", buffer)
        .unwrap_or_default()
        .trim_ascii_end()
}

/// The command line: arguments with a NUL behind each, as much as `buffer` holds.
pub fn command(buffer: &mut [u8]) -> &[u8] {
    read(c"/proc/self/cmdline", buffer).unwrap_or_default()
}

/// The number of this process's pid namespace.
pub fn pid_namespace() -> Option<u64> {
    let mut buffer = [0; 64];
    let length = usize::try_from(sys::readlink(c"/proc/self/ns/pid", &mut buffer)).ok()?;
    number(buffer.get(..length)?.strip_prefix(b"pid:[")?)
}

/// Our own memory, read through the kernel.
pub struct SelfMemory(File);

impl SelfMemory {
    /// `None` where `/proc` is not to be had.
    pub fn open() -> Option<SelfMemory> {
        File::open(c"/proc/self/mem").map(SelfMemory)
    }

    fn read<'a>(&self, address: u64, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = usize::try_from(sys::pread(self.0.0, buffer, address)).ok()?;
        (length == buffer.len()).then_some(&*buffer)
    }

    /// The build id of the ELF file whose first page is mapped at `start`.
    pub fn build_id<'a>(&self, start: u64, id: &'a mut [u8; BUILD_ID]) -> Option<&'a [u8]> {
        const PT_NOTE: u32 = 4;
        let mut header = [0; 64];
        let header = self.read(start, &mut header)?;
        if !header.starts_with(b"\x7fELF\x02\x01") || half(header, 54)? != 56 {
            return None;
        }
        let (first, count) = (word(header, 32)?, half(header, 56)?);
        (0..u64::from(count)).find_map(|index| {
            let mut segment = [0; 56];
            let at = start.checked_add(first)?.checked_add(index * 56)?;
            let segment = self.read(at, &mut segment)?;
            if quarter(segment, 0)? != PT_NOTE {
                return None;
            }
            // The first page is mapped at file offset 0, so the note lies at its offset from there.
            let (offset, size) = (word(segment, 8)?, word(segment, 32)?);
            self.build_id_in_notes(start.checked_add(offset)?, size, id)
        })?;
        let length = usize::from(*id.last()?);
        id.get(..length)
    }

    /// Leaves the id in `id`, its length in the last byte.
    fn build_id_in_notes(&self, mut at: u64, size: u64, id: &mut [u8; BUILD_ID]) -> Option<()> {
        const NT_GNU_BUILD_ID: u32 = 3;
        let end = at.checked_add(size)?;
        while at.checked_add(12)? <= end {
            let mut note = [0; 16];
            let note = self.read(at, &mut note)?;
            let (name, description) = (quarter(note, 0)?, quarter(note, 4)?);
            let body = at + 12 + u64::from(name).next_multiple_of(4);
            if quarter(note, 8)? == NT_GNU_BUILD_ID && note.get(12..16)? == b"GNU\0" {
                let length = (description as usize).min(BUILD_ID - 1);
                self.read(body, id.get_mut(..length)?)?;
                *id.last_mut()? = u8::try_from(length).ok()?;
                return Some(());
            }
            at = body.checked_add(u64::from(description).next_multiple_of(4))?;
        }
        None
    }
}

fn bytes<const N: usize>(of: &[u8], at: usize) -> Option<[u8; N]> {
    of.get(at..)?.first_chunk().copied()
}

fn half(of: &[u8], at: usize) -> Option<u16> {
    bytes(of, at).map(u16::from_le_bytes)
}

fn quarter(of: &[u8], at: usize) -> Option<u32> {
    bytes(of, at).map(u32::from_le_bytes)
}

fn word(of: &[u8], at: usize) -> Option<u64> {
    bytes(of, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let before = threads();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(
            threads() > before || before > 2,
            "{before} then {}",
            threads()
        );
        drop(stop);
        assert!(thread.join().is_ok());
        assert_eq!(
            threads_in_stat(b"7 (a) b) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 5 0 9"),
            Some(5)
        );
        assert_eq!(threads_in_stat(b"7 (a"), None);
    }

    #[test]
    fn who_waits_for_a_vfork_sleeps() {
        assert_eq!(sleeps_for_vfork(std::process::id()), Some(false));
        assert_eq!(sleeps_for_vfork(0), None);
        let mut status = 0;
        // SAFETY: both children make system calls alone, and end.
        #[allow(unsafe_code, deprecated)]
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let parent = libc::getpid() as u32;
                let borrower = libc::vfork();
                if borrower == 0 {
                    libc::_exit(sleeps_for_vfork(parent).map_or(1, |sleeps| 2 + i32::from(sleeps)));
                }
                libc::waitpid(borrower, &raw mut status, 0);
                libc::_exit(libc::WEXITSTATUS(status));
            }
            libc::waitpid(child, &raw mut status, 0);
        }
        assert_eq!(libc::WEXITSTATUS(status), 3);
    }

    #[test]
    fn a_process_that_runs_is_not_deserted() {
        assert_eq!(deserted_with(), None);
        let stat = |state: &str| {
            let zeros = "0 ".repeat(48);
            status_of_zombie(format!("7 (a) b) {state} {zeros}1280\n").as_bytes())
        };
        assert_eq!((stat("Z"), stat("S")), (Some(5), None));
        assert_eq!(standing(), Standing::Same);
        assert_ne!(credentials(c"/proc/self/status"), None);
        assert_eq!(credentials(c"/nowhere"), None);
    }

    #[test]
    fn lines_come_whole_whatever_the_buffer() {
        let file = std::env::temp_dir().join(format!("malloscope-lines-{}", std::process::id()));
        let text = (0..300)
            .map(|n| "x".repeat(n % 90) + "\n")
            .collect::<String>();
        let overlong = "y".repeat(500) + "\n";
        std::fs::write(&file, text.clone() + &overlong + &text).expect("a file");
        let path = std::ffi::CString::new(file.to_str().expect("UTF-8")).expect("a path");
        for size in [91, 100, 128, 400] {
            let mut seen = String::new();
            assert!(lines(&path, &mut vec![0; size], &mut |line| {
                seen += std::str::from_utf8(line).expect("UTF-8");
                seen += "\n";
            }));
            assert_eq!(
                seen,
                text.clone() + &text,
                "buffer of {size}; the long line is passed over"
            );
        }
        std::fs::remove_file(file).expect("removal");
    }

    #[test]
    fn memory_is_what_status_says() {
        let memory = memory(&mut [0; 1024]);
        assert!(
            memory.rss > 0 && memory.rss <= memory.virtual_size && memory.rss <= memory.peak * 2
        );
        assert!(memory.anonymous + memory.file <= memory.rss * 2);
    }

    #[test]
    fn the_build_id_of_libc_is_found() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let line = maps
            .lines()
            .find(|line| line.ends_with("libc.so.6"))
            .expect("libc");
        let start = u64::from_str_radix(line.split('-').next().expect("start"), 16).expect("hex");
        let mut id = [0; BUILD_ID];
        let id = SelfMemory::open()
            .expect("mem")
            .build_id(start, &mut id)
            .expect("id")
            .to_vec();
        assert_eq!(id.len(), 20);
        let file = std::fs::read(line.split_whitespace().last().expect("path")).expect("file");
        assert!(file.windows(20).any(|window| window == id));
        assert!(
            SelfMemory::open()
                .expect("mem")
                .build_id(4096, &mut [0; BUILD_ID])
                .is_none()
        );
    }
}

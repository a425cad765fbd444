//! Facts about the process that a dump has besides the samples: from `/proc`, read with raw calls
//! into buffers that the caller brings.
//!
//! No lock is taken, and the loader is not asked.
//!
//! Source: proc(5).

pub mod cgroup;
pub mod command_line;
mod file;
mod image;
pub mod lineage;
pub mod pressure;
pub mod program;
pub mod resident;
mod section;
mod threads;

pub use file::{copy, lines, read};
pub use image::{BUILD_ID, SelfMemory};
pub use section::Sections;
pub use threads::{Standing, deserted_with, sleeps_for_vfork, standing, threads};

use file::number;

use crate::platform::sys;

/// Resident memory and its parts in bytes, as `/proc/self/status` states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident set.
    pub rss: u64,
    /// The anonymous part of it.
    pub anonymous: u64,
    /// The part of it that is mapped files.
    pub file: u64,
    /// The part of it that is shared memory.
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

/// The path by which this program was started, from the root where the working directory tells: for
/// where there is no `/proc`.
pub fn program(buffer: &mut [u8]) -> &[u8] {
    // SAFETY: getauxval has no precondition. GLIBC_2.16. The kernel put the text on the first stack.
    #[allow(unsafe_code)]
    let path = unsafe {
        let at = libc::getauxval(libc::AT_EXECFN) as *const core::ffi::c_char;
        if at.is_null() {
            return &[];
        }
        core::ffi::CStr::from_ptr(at).to_bytes()
    };
    let relative = path.strip_prefix(b"./").unwrap_or(path);
    // The kernel's length counts the terminator.
    let directory = usize::try_from(sys::getcwd(buffer)).unwrap_or(0);
    let end = directory + relative.len();
    match buffer.get_mut(..end) {
        Some(whole) if directory > 1 && !path.starts_with(b"/") => {
            let (before, behind) = whole.split_at_mut(directory);
            if let Some(separator) = before.last_mut() {
                *separator = b'/';
            }
            behind.copy_from_slice(relative);
            whole
        }
        _ => path,
    }
}

/// The number of this process's pid namespace.
pub fn pid_namespace() -> Option<u64> {
    let mut buffer = [0; 64];
    let length = usize::try_from(sys::readlink(c"/proc/self/ns/pid", &mut buffer)).ok()?;
    number(buffer.get(..length)?.strip_prefix(b"pid:[")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_runs() {
        let mut buffer = [0; 4096];
        let program = String::from_utf8(program(&mut buffer).to_vec()).expect("UTF-8");
        let own = std::env::current_exe().expect("a path");
        assert_eq!(std::fs::canonicalize(program).expect("a file"), own);
        assert!(
            !super::program(&mut []).is_empty(),
            "no room: as it was started"
        );
    }

    #[test]
    fn memory_is_what_status_says() {
        let memory = memory(&mut [0; 1024]);
        assert!(
            memory.rss > 0 && memory.rss <= memory.virtual_size && memory.rss <= memory.peak * 2
        );
        assert!(memory.anonymous + memory.file <= memory.rss * 2);
    }
}

//! The memory limit that the kernel holds this process to.
//!
//! Called by `dump`. A limit may stand at the process's own cgroup or at any above it, and the
//! smallest one counts. Inside a container the path in `/proc/self/cgroup` may be the host's, which
//! is not there; then what is mounted as the root is the container's own.
//!
//! Source: cgroups(7), the kernel's cgroup-v2 and cgroup-v1 memory documents.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use core::ffi::CStr;

use super::{number, read};

/// Version 1 says "none" by the largest multiple of a page.
const NONE: u64 = 1 << 62;

/// The smallest memory limit in bytes of this process's cgroups; `None` when there is none.
/// `buffer` is room for paths, 8 KiB or more.
pub fn limit(buffer: &mut [u8]) -> Option<u64> {
    let (membership, path) = buffer.split_at_mut_checked(buffer.len() / 2)?;
    let membership = read(c"/proc/self/cgroup", membership)?;
    smallest(b"/sys/fs/cgroup", membership, path)
}

/// As [`limit`], for the hierarchies mounted at `root` and the lines of `/proc/self/cgroup`.
fn smallest(root: &[u8], membership: &[u8], buffer: &mut [u8]) -> Option<u64> {
    let lines = membership.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let (hierarchy, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
            let of_memory = controllers
                .split(|byte| *byte == b',')
                .any(|controller| controller == b"memory");
            match (hierarchy, of_memory) {
                (b"0", _) => along(&[root], group, b"/memory.max", buffer),
                (_, true) => {
                    let root = [root, b"/memory"];
                    along(&root, group, b"/memory.limit_in_bytes", buffer)
                }
                _ => None,
            }
        })
        .min()
}

/// The smallest limit on the way from `group` up to the root of its hierarchy.
fn along(root: &[&[u8]], group: &[u8], file: &[u8], buffer: &mut [u8]) -> Option<u64> {
    let mut group = group.trim_suffix_slash();
    let mut smallest = None;
    loop {
        let found = path(root.iter().copied().chain([group, file, b"\0"]), buffer)
            .and_then(|path| read(path, &mut [0; 32]).and_then(number))
            .filter(|limit| *limit < NONE);
        smallest = match (smallest, found) {
            (Some(before), Some(found)) => Some(found.min(before)),
            (before, found) => before.or(found),
        };
        let Some(parent) = group.iter().rposition(|byte| *byte == b'/') else {
            return smallest;
        };
        group = group.get(..parent).unwrap_or_default();
    }
}

/// Puts a path together; the last part brings the NUL.
fn path<'a, 'b>(parts: impl Iterator<Item = &'b [u8]>, buffer: &'a mut [u8]) -> Option<&'a CStr> {
    let mut length = 0;
    for part in parts {
        let end = length + part.len();
        buffer.get_mut(length..end)?.copy_from_slice(part);
        length = end;
    }
    CStr::from_bytes_with_nul(buffer.get(..length)?).ok()
}

/// The root's own path is `/`, which is no part of a file's path here.
trait TrimSlash {
    fn trim_suffix_slash(&self) -> &Self;
}

impl TrimSlash for [u8] {
    fn trim_suffix_slash(&self) -> &[u8] {
        self.strip_suffix(b"/").unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let root = std::env::temp_dir().join(format!("malloscope-cgroup-{}", std::process::id()));
        let set = |group: &str, file: &str, limit: &str| {
            let directory = root.join(group);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join(file), limit).expect("a file");
        };
        set("a/b", "memory.max", "max\n");
        set("a", "memory.max", "1048576\n");
        set("c", "memory.max", "4096\n");
        set("memory", "memory.limit_in_bytes", "9223372036854771712\n");
        set("memory/d", "memory.limit_in_bytes", "8192\n");
        let smallest = |membership: &[u8]| {
            let root = root.as_os_str().as_encoded_bytes();
            smallest(root, membership, &mut [0; 4096])
        };
        assert_eq!(smallest(b"0::/a/b\n"), Some(1_048_576));
        assert_eq!(smallest(b"0::/c\n"), Some(4096));
        assert_eq!(smallest(b"0::/\n"), None);
        assert_eq!(smallest(b"0::/gone/a\n"), None);
        assert_eq!(
            smallest(b"5:cpu:/c\n4:hugetlb,memory:/d\n0::/a\n"),
            Some(8192)
        );
        assert_eq!(smallest(b"4:memory:/docker/not/here\n"), None);
        assert_eq!(smallest(b"0::/a"), Some(1_048_576));
        assert_eq!(smallest(b"nonsense"), None);
        fs::remove_dir_all(root).expect("removal");
    }
}

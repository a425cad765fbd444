//! The memory limit that the kernel sets for this process.
//!
//! The limit may be set at the process's own cgroup or at any above it, and the smallest one
//! counts. Inside a container the path in `/proc/self/cgroup` may be the host's path, which does
//! not exist there. Then the root of what is mounted is the container's own cgroup.
//!
//! Source: cgroups(7), the kernel's cgroup-v2 and cgroup-v1 memory documents.

use core::ffi::CStr;

use super::{lines, number, read};

/// Version 1 expresses "none" by the largest multiple of a page.
const NONE: u64 = 1 << 62;

/// The names that a version uses.
struct Version {
    /// The directory below the place where hierarchies are mounted.
    directory: &'static [u8],
    limit: &'static [u8],
    usage: &'static [u8],
    statistics: &'static [u8],
    /// The statistic of file pages that were not used recently: the kernel drops these first.
    inactive: &'static [u8],
}

static UNIFIED: Version = Version {
    directory: b"",
    limit: b"/memory.max",
    usage: b"/memory.current",
    statistics: b"/memory.stat",
    inactive: b"inactive_file ",
};

static MEMORY: Version = Version {
    directory: b"/memory",
    limit: b"/memory.limit_in_bytes",
    usage: b"/memory.usage_in_bytes",
    statistics: b"/memory.stat",
    inactive: b"total_inactive_file ",
};

/// A group that has a limit.
#[derive(Clone, Copy)]
struct Group<'a> {
    limit: u64,
    version: &'static Version,
    path: &'a [u8],
}

/// The smallest memory limit in bytes of this process's cgroups; `None` when there is none.
/// `buffer` is room for paths, 8 KiB or more.
pub fn limit(buffer: &mut [u8]) -> Option<u64> {
    let (membership, path) = buffer.split_at_mut_checked(buffer.len() / 2)?;
    let membership = read(c"/proc/self/cgroup", membership)?;
    smallest(ROOT, membership, path).map(|group| group.limit)
}

/// The usage of the group with the smallest limit, and that limit. As the OOM killer sees it:
/// without the file pages that the kernel drops before it kills.
pub fn usage(buffer: &mut [u8]) -> Option<(u64, u64)> {
    let (membership, path) = buffer.split_at_mut_checked(buffer.len() / 2)?;
    let membership = read(c"/proc/self/cgroup", membership)?;
    let group = smallest(ROOT, membership, path)?;
    Some((used(ROOT, &group, path)?, group.limit))
}

const ROOT: &[u8] = b"/sys/fs/cgroup";

/// As [`limit`], for the hierarchies mounted at `root` and the lines of `/proc/self/cgroup`.
fn smallest<'a>(root: &[u8], membership: &'a [u8], buffer: &mut [u8]) -> Option<Group<'a>> {
    let lines = membership.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let (hierarchy, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
            let of_memory = controllers
                .split(|byte| *byte == b',')
                .any(|controller| controller == b"memory");
            match (hierarchy, of_memory) {
                (b"0", _) => along(root, &UNIFIED, group, buffer),
                (_, true) => along(root, &MEMORY, group, buffer),
                _ => None,
            }
        })
        .min_by_key(|group| group.limit)
}

/// The smallest limit on the way from `group` up to the root of its hierarchy.
fn along<'a>(
    root: &[u8],
    version: &'static Version,
    group: &'a [u8],
    buffer: &mut [u8],
) -> Option<Group<'a>> {
    let mut at = group.trim_suffix_slash();
    let mut smallest: Option<Group<'a>> = None;
    loop {
        let parts = [root, version.directory, at, version.limit, b"\0"];
        let found = path(parts.into_iter(), buffer)
            .and_then(|path| read(path, &mut [0; 32]).and_then(number))
            .filter(|limit| *limit < NONE);
        if let Some(limit) = found
            && smallest.is_none_or(|before| limit < before.limit)
        {
            smallest = Some(Group {
                limit,
                version,
                path: at,
            });
        }
        let Some(parent) = at.iter().rposition(|byte| *byte == b'/') else {
            return smallest;
        };
        at = at.get(..parent).unwrap_or_default();
    }
}

/// What `group` uses and could not give back at once.
fn used(root: &[u8], group: &Group<'_>, buffer: &mut [u8]) -> Option<u64> {
    let version = group.version;
    let (path_room, room) = buffer.split_at_mut_checked(buffer.len() / 2)?;
    let parts = |name| [root, version.directory, group.path, name, b"\0"].into_iter();
    let usage = read(path(parts(version.usage), path_room)?, room).and_then(number)?;
    let statistics = path(parts(version.statistics), path_room)?;
    let mut inactive = 0;
    lines(statistics, room, &mut |line| {
        if let Some(bytes) = line.strip_prefix(version.inactive).and_then(number) {
            inactive = bytes;
        }
    });
    Some(usage.saturating_sub(inactive))
}

/// Joins the parts of a path; the last part has the NUL.
fn path<'a, 'b>(parts: impl Iterator<Item = &'b [u8]>, buffer: &'a mut [u8]) -> Option<&'a CStr> {
    let mut length = 0;
    for part in parts {
        let end = length + part.len();
        buffer.get_mut(length..end)?.copy_from_slice(part);
        length = end;
    }
    CStr::from_bytes_with_nul(buffer.get(..length)?).ok()
}

/// The root's own path is `/`, which is not a part of a file's path here.
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
            smallest(root, membership, &mut [0; 4096]).map(|group| group.limit)
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

    #[test]
    fn pages_that_can_be_dropped_are_not_used() {
        let root = std::env::temp_dir().join(format!("malloscope-usage-{}", std::process::id()));
        let set = |group: &str, file: &str, text: &str| {
            let directory = root.join(group);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join(file), text).expect("a file");
        };
        set("a", "memory.max", "1000000\n");
        set("a", "memory.current", "900000\n");
        set("a", "memory.stat", "anon 5\ninactive_file 100000\n");
        set("memory/d", "memory.limit_in_bytes", "500000\n");
        set("memory/d", "memory.usage_in_bytes", "400000\n");
        set(
            "memory/d",
            "memory.stat",
            "inactive_file 1\ntotal_inactive_file 50000\n",
        );
        let used = |membership: &[u8]| {
            let root = root.as_os_str().as_encoded_bytes();
            let group = smallest(root, membership, &mut [0; 4096])?;
            used(root, &group, &mut [0; 4096])
        };
        assert_eq!(
            used(b"0::/a/b\n"),
            Some(800_000),
            "the limit is the parent's"
        );
        assert_eq!(used(b"4:memory:/d\n0::/a\n"), Some(350_000));
        assert_eq!(used(b"0::/"), None);
        fs::remove_dir_all(root).expect("removal");
    }
}

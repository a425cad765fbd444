//! `/etc/ld.so.cache`: which library names the machine knows, and where they are. Pure but for reading
//! that one file.
//!
//! Source: glibc 2.36 `sysdeps/generic/dl-cache.h` (`struct cache_file_new`): a magic of 20 bytes,
//! the number of entries, 24 bytes of no interest, then entries of 24 bytes with the offsets of
//! name and path at bytes 4 and 8. An older table may stand in front of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

const FILE: &str = "/etc/ld.so.cache";
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// Names and paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache(HashMap<String, Vec<PathBuf>>);

impl Cache {
    /// Empty where there is none: other ways of finding libraries remain.
    pub(crate) fn of_this_machine() -> Cache {
        let bytes = std::fs::read(FILE).unwrap_or_default();
        Cache::parse(&bytes).unwrap_or_default()
    }

    /// In the order of the loader's preference; for several architectures.
    pub(crate) fn paths(&self, name: &str) -> &[PathBuf] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn parse(bytes: &[u8]) -> Option<Cache> {
        let start = bytes.windows(MAGIC.len()).position(|w| w == MAGIC)?;
        let table = &bytes[start..];
        let count = number(table, MAGIC.len())?;
        let mut cache = Cache::default();
        for entry in table.get(HEADER..)?.chunks_exact(ENTRY).take(count) {
            let name = text(table, number(entry, 4)?)?;
            let path = text(table, number(entry, 8)?)?;
            let paths = cache.0.entry(name.to_owned()).or_default();
            paths.push(Path::new(path).to_owned());
        }
        Some(cache)
    }
}

/// The cache is in the byte order of the machine.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_ne_bytes(word.try_into().ok()?)).ok()
}

fn text(table: &[u8], at: usize) -> Option<&str> {
    let text = table.get(at..)?.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of `(name, path)`, as ldconfig writes it.
    fn table(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut strings = Vec::new();
        let base = HEADER + entries.len() * ENTRY;
        let mut put = |text: &str| {
            let at = u32::try_from(base + strings.len()).expect("a small table");
            strings.extend(text.bytes().chain([0]));
            at.to_ne_bytes()
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(entries.len()).expect("few").to_ne_bytes());
        bytes.resize(HEADER, 0);
        for (name, path) in entries {
            let mut entry = vec![3, 3, 0, 0];
            entry.extend(put(name));
            entry.extend(put(path));
            entry.resize(ENTRY, 0);
            bytes.extend(entry);
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn names_lead_to_all_their_paths() {
        let entries = [("libz.so.1", "/a/libz.so.1"), ("libz.so.1", "/b/libz.so.1")];
        let mut bytes = b"ld.so-1.7.0 and what stood before".to_vec();
        bytes.extend(table(&entries));
        let cache = Cache::parse(&bytes).expect("a table");
        let paths = ["/a/libz.so.1", "/b/libz.so.1"].map(PathBuf::from);
        assert_eq!(cache.paths("libz.so.1"), paths);
        assert_eq!(cache.paths("liby.so.1"), &[] as &[PathBuf]);
    }

    #[test]
    fn a_cut_off_table_is_no_table() {
        let whole = table(&[("libz.so.1", "/a/libz.so.1")]);
        assert!(Cache::parse(b"").is_none());
        for end in 0..whole.len() {
            // Whatever comes out: it comes out.
            let _ = Cache::parse(&whole[..end]);
        }
    }

    #[test]
    fn this_machine_knows_its_libc() {
        if Path::new(FILE).exists() {
            assert!(!Cache::of_this_machine().paths("libc.so.6").is_empty());
        }
    }
}

//! A section of an ELF file that is not loaded, read from the file.
//!
//! Source: System V ABI (gABI) chapter 4, sections.

use core::ffi::CStr;

use super::file::File;
use crate::platform::sys;

/// A section is compressed: `SHF_COMPRESSED`.
const COMPRESSED: u64 = 1 << 11;

/// Bytes of a section header.
const HEADER: usize = 64;

/// Sections of one file; more are those of an object file.
const MOST: usize = 256;

/// Longest name that is compared.
const LONGEST: usize = 16;

/// A file to read sections from.
pub struct Sections(File);

impl Sections {
    /// `None`: it cannot be opened.
    pub fn open(path: &CStr) -> Option<Sections> {
        File::open(path).map(Sections)
    }

    /// Fills `buffer` from `offset` on.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Option<()> {
        let read = sys::pread(self.0.0, buffer, offset);
        (usize::try_from(read) == Ok(buffer.len())).then_some(())
    }

    /// Where the section `name` lies in the file, and how many bytes it has. `None`: there is none, or it
    /// is compressed.
    pub fn find(&self, name: &[u8]) -> Option<(u64, usize)> {
        let mut file = [0; HEADER];
        self.read(0, &mut file)?;
        let table = number::<8>(&file, 40)?;
        let (count, names) = (number::<2>(&file, 60)?, number::<2>(&file, 62)?);
        if number::<2>(&file, 58)? != HEADER as u64 || count as usize > MOST {
            return None;
        }
        let header = |index: u64| {
            let mut header = [0; HEADER];
            let at = table.checked_add(index * HEADER as u64)?;
            self.read(at, &mut header).map(|()| header)
        };
        let strings = number::<8>(&header(names)?, 24)?;
        let found = (1..count).filter_map(header).find(|header| {
            let at = number::<4>(header, 0).and_then(|name| strings.checked_add(name));
            at.is_some_and(|at| self.is_at(at, name))
        })?;
        let is_plain = number::<8>(&found, 8)? & COMPRESSED == 0;
        let length = usize::try_from(number::<8>(&found, 32)?).ok()?;
        is_plain.then_some((number::<8>(&found, 24)?, length))
    }

    fn is_at(&self, at: u64, name: &[u8]) -> bool {
        let mut text = [0; LONGEST];
        let length = name.len() + 1;
        let text = text.get_mut(..length).unwrap_or_default();
        self.read(at, text).is_some() && text.split_last() == Some((&0, name))
    }
}

/// The number of `N` bytes at `at`.
fn number<const N: usize>(of: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; N] = *of.get(at..)?.first_chunk()?;
    let sum = bytes.iter().rev();
    Some(sum.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    #[test]
    fn a_section_of_this_program_is_found() {
        let own = std::env::current_exe().expect("a path");
        let path = CString::new(own.to_str().expect("UTF-8")).expect("no NUL");
        let sections = Sections::open(&path).expect("opened");
        let (offset, length) = sections.find(b".comment").expect("the compiler's mark");
        let mut text = vec![0; length];
        sections.read(offset, &mut text).expect("read");
        assert!(
            text.windows(5)
                .any(|word| word == b"rustc" || word == b"GCC: ")
        );
        assert_eq!(sections.find(b".nothing"), None);
        assert!(Sections::open(c"/nowhere").is_none());
        let text = Sections::open(c"/etc/passwd").expect("a file");
        assert_eq!(text.find(b".comment"), None);
    }
}

//! The images of ELF files as they are mapped, read through `/proc/self/mem`. If the library is
//! closed meanwhile, the read fails with an error; reading its memory directly would raise a
//! signal.
//!
//! Source: the gABI on notes and program headers; proc(5).

use super::file::File;
use crate::platform::sys;

/// Largest build id kept, in bytes; linkers make 16 or 20.
pub const BUILD_ID: usize = 32;

/// Our own memory, read through the kernel.
pub struct SelfMemory(File);

impl SelfMemory {
    /// `None` where there is no `/proc`.
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

    /// Puts the id into `id`, with its length in the last byte.
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

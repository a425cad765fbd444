//! The small symbol table that Fedora, RHEL and their kin leave in stripped files: an ELF file of its own,
//! packed with xz in the section `.gnu_debugdata`. gdb calls it MiniDebugInfo.

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use lzma_rust2::XzReader;
use object::{Object, ObjectSection};

use super::elf::{self, Elf};
use super::symtab::{self, Symbol};

/// The most bytes of such a table; that of a large program has ten million.
const MOST: u64 = 256 << 20;

/// Fills the names that are still missing. `addresses` are sorted.
pub fn fill(image: &Path, addresses: &[u64], out: &mut [Option<Symbol>]) -> Result<()> {
    let Some(packed) = elf::open(image, packed)? else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    let read = XzReader::new(&*packed, true)
        .take(MOST)
        .read_to_end(&mut bytes);
    // What is spoiled names nothing: the file has other names.
    if let (Ok(_), Ok(small)) = (read, object::File::parse(&*bytes)) {
        symtab::fill(&small, addresses, out);
    }
    Ok(())
}

fn packed(elf: &Elf<'_>) -> Option<Vec<u8>> {
    let section = elf.section_by_name(".gnu_debugdata")?;
    section.data().ok().map(<[u8]>::to_vec)
}

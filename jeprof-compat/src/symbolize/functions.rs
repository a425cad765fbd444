//! Where a function without a name starts: stripped files keep their unwind tables, which know the
//! bounds of every function: all addresses of one function make one frame instead of hundreds.

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, UnwindSection};
use object::{Object, ObjectSection};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// For each address the distance from the start of its function, where the tables know it.
pub fn distances<'a>(elf: &impl Object<'a>, addresses: &[u64]) -> Vec<Option<u64>> {
    distances_from_tables(elf, addresses).unwrap_or_else(|| vec![None; addresses.len()])
}

fn distances_from_tables<'a>(elf: &impl Object<'a>, addresses: &[u64]) -> Option<Vec<Option<u64>>> {
    let header = elf.section_by_name(".eh_frame_hdr")?;
    let frames = elf.section_by_name(".eh_frame")?;
    let bases = BaseAddresses::default()
        .set_eh_frame_hdr(header.address())
        .set_eh_frame(frames.address());
    let header = EhFrameHdr::new(header.data().ok()?, LittleEndian)
        .parse(&bases, 8)
        .ok()?;
    let table = header.table()?;
    let frames: EhFrame<Slice<'_>> = EhFrame::new(frames.data().ok()?, LittleEndian);
    let distance = |&address: &u64| {
        let cie = |s: &EhFrame<_>, b: &BaseAddresses, o| s.cie_from_offset(b, o);
        let fde = table.fde_for_address(&frames, &bases, address, cie).ok()?;
        address.checked_sub(fde.initial_address())
    };
    Some(addresses.iter().map(distance).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::symbolize::elf;

    #[test]
    fn a_stripped_file_still_knows_its_functions() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky");
        let symbols = elf::open(&data.join("leaky"), |elf| {
            use object::ObjectSymbol;
            let main = elf.symbol_by_name("main").unwrap();
            (main.address(), main.size())
        });
        let (start, size) = symbols.unwrap();
        let asked = [start, start + 5, start + size - 1, 0x10];
        let found = elf::open(&data.join("stripped"), |elf| distances(elf, &asked)).unwrap();
        assert_eq!(found, [Some(0), Some(5), Some(size - 1), None]);
    }
}

//! Names in the kernel's vdso, which lies in no file: this process has one too, and when it has the
//! same build id it is the same.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::{Answer, Named, dwarf, elf, symtab};
use crate::profile::model::Mapping;

/// Names for offsets in the vdso; nothing when ours is another one.
pub fn answer(module: &Mapping, offsets: &[u64]) -> Answer {
    lines(module, offsets).unwrap_or_default()
}

fn lines(module: &Mapping, offsets: &[u64]) -> Option<Answer> {
    let image = own_image()?;
    let elf = object::File::parse(&*image).ok()?;
    let build_id = elf::build_id(&elf);
    if module.build_id.is_none() || module.build_id != build_id {
        return None;
    }
    let segments = elf::segments(&elf);
    let address = |&o: &u64| elf::address_of(&segments, o).unwrap_or(o);
    let addresses: Vec<u64> = offsets.iter().map(address).collect();
    let mut symbols = vec![None; addresses.len()];
    symtab::fill(&elf, &addresses, &mut symbols);
    let named = |symbol| Named {
        lines: dwarf::merge(Vec::new(), symbol).into(),
        distance: None,
    };
    let names = symbols.into_iter().map(named).collect();
    Some(Answer {
        names,
        build_id,
        warning: None,
    })
}

fn own_image() -> Option<Vec<u8>> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|l| l.ends_with("[vdso]"))?;
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let mut image = vec![0; usize::try_from(end.checked_sub(start)?).ok()?];
    File::open("/proc/self/mem")
        .ok()?
        .read_exact_at(&mut image, start)
        .ok()?;
    Some(image)
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSymbol};

    use super::*;

    /// The module and the offset of one function; a machine without a vdso has none.
    fn gettime() -> Option<(Mapping, u64)> {
        let image = own_image()?;
        let elf = object::File::parse(&*image).unwrap();
        let mut symbols = elf.dynamic_symbols();
        let symbol = symbols.find(|s| s.name() == Ok("__vdso_clock_gettime"))?;
        let module = Mapping {
            path: "[vdso]".into(),
            build_id: elf::build_id(&elf),
            ..Mapping::default()
        };
        Some((module, symbol.address()))
    }

    #[test]
    fn only_the_same_vdso_gives_names() {
        let Some((mut module, offset)) = gettime() else {
            println!("skipped: no vdso here");
            return;
        };
        let names = answer(&module, &[offset + 1]).names;
        assert!(names[0].lines[0].function.contains("clock_gettime"));
        module.build_id = Some("00".into());
        assert!(answer(&module, &[offset]).names.is_empty());
        module.build_id = None;
        assert!(answer(&module, &[offset]).names.is_empty());
    }
}

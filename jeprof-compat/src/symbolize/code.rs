//! The code of functions: where they begin and end, which lines of source their instructions are from, and
//! the instructions themselves. Addresses are those of the file.

use std::collections::BTreeMap;

use iced_x86::{
    Decoder, DecoderOptions, Formatter, GasFormatter, Instruction as Decoded, MemorySize,
};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::demangle::demangle;
use super::dwarf::Dwarf;
use super::elf::{self, Elf};
use super::locate::Locator;
use super::symtab;
use crate::profile::code::{Instruction, Routine};
use crate::profile::model::Mapping;

/// Longer functions are none: a symbol with a wrong size.
const LONGEST: u64 = 16 << 20;

/// The functions of a file in which these offsets of it lie, by address.
pub fn routines(
    module: &Mapping,
    offsets: &[u64],
    locator: &Locator,
) -> Result<Vec<Routine>, String> {
    let found = locator.locate(std::path::Path::new(&module.path), module, &[])?;
    let mut routines: BTreeMap<u64, Routine> = BTreeMap::new();
    let addresses = found.addresses(module, offsets);
    let asked: Vec<(u64, u64)> = offsets
        .iter()
        .zip(addresses)
        .filter_map(|(o, a)| Some((*o, a?)))
        .collect();
    for file in found.symbol_files() {
        let extents = elf::open(file, |elf| extents(elf, &asked)).map_err(|e| format!("{e:#}"))?;
        for (offset, address, routine) in extents {
            let known = routines
                .values()
                .any(|r| r.asked.iter().any(|(o, _)| *o == offset));
            if !known {
                let routine = routines.entry(routine.start).or_insert(routine);
                routine.asked.push((offset, address));
            }
        }
    }
    let dwarf = Dwarf::open(&found);
    let mut routines: Vec<Routine> = routines.into_values().collect();
    for routine in &mut routines {
        if let Some(dwarf) = &dwarf {
            routine.rows = dwarf.rows(routine.start, routine.end);
        }
    }
    if let Some(image) = &found.image {
        let read = elf::open(image, |elf| {
            for routine in &mut routines {
                routine.instructions = instructions(elf, routine);
            }
        });
        read.map_err(|e| format!("{e:#}"))?;
    }
    Ok(routines)
}

/// For each address that lies in a function, that function: of several the smallest.
fn extents(elf: &Elf<'_>, asked: &[(u64, u64)]) -> Vec<(u64, u64, Routine)> {
    let mut best: Vec<Option<Routine>> = vec![None; asked.len()];
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let is_code = |kind| matches!(kind, SymbolKind::Text | SymbolKind::Unknown);
    for symbol in symbols.filter(|s| is_code(s.kind()) && (1..LONGEST).contains(&s.size())) {
        let (start, end) = (symbol.address(), symbol.address() + symbol.size());
        for (slot, (_, address)) in best.iter_mut().zip(asked) {
            let is_smaller = slot.as_ref().is_none_or(|r| end - start < r.end - r.start);
            if (start..end).contains(address) && is_smaller {
                *slot = Some(Routine {
                    name: demangle(symbol.name().unwrap_or_default()).full,
                    start,
                    end,
                    ..Routine::default()
                });
            }
        }
    }
    let found = best.into_iter().zip(asked);
    found
        .filter_map(|(routine, (offset, address))| Some((*offset, *address, routine?)))
        .collect()
}

fn instructions(elf: &Elf<'_>, routine: &Routine) -> Vec<Instruction> {
    let sections = elf.sections();
    let length = routine.end - routine.start;
    let bytes = sections
        .filter(|section| section.address() <= routine.start)
        .find_map(|section| section.data_range(routine.start, length).ok().flatten());
    let (Some(bytes), Architecture::X86_64) = (bytes, elf.architecture()) else {
        return Vec::new();
    };
    let decoded: Vec<Decoded> = Decoder::with_ip(64, bytes, routine.start, DecoderOptions::NONE)
        .into_iter()
        .collect();
    let names = targets(elf, &decoded);
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_uppercase_hex(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    decoded
        .iter()
        .map(|instruction| {
            let mut text = String::new();
            formatter.format(instruction, &mut text);
            if let Some(name) = names.get(&target(instruction)) {
                text = format!("{text} <{name}>");
            }
            Instruction {
                address: instruction.ip(),
                text,
            }
        })
        .collect()
}

/// Where an instruction jumps to, or what it reads by its own address; 0 for none.
fn target(instruction: &Decoded) -> u64 {
    let near = instruction.near_branch_target();
    match near {
        0 if instruction.is_ip_rel_memory_operand()
            && instruction.memory_size() != MemorySize::Unknown =>
        {
            instruction.ip_rel_memory_address()
        }
        near => near,
    }
}

/// Names of what instructions lead to, with the distance from the start, as objdump has them.
fn targets(elf: &Elf<'_>, decoded: &[Decoded]) -> BTreeMap<u64, String> {
    let mut addresses: Vec<u64> = decoded.iter().map(target).filter(|a| *a != 0).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut symbols = vec![None; addresses.len()];
    symtab::fill(elf, &addresses, &mut symbols);
    let named = addresses.into_iter().zip(symbols);
    let named = named.filter_map(|(address, symbol)| {
        let symbol = symbol?;
        let name = demangle(&symbol.name).full;
        Some(match address - symbol.start {
            0 => (address, name),
            distance => (address, format!("{name}+{distance:#x}")),
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_lines_and_its_instructions() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/leaky/leaky");
        let (start, size) = elf::open(&path, |elf| {
            let main = elf.symbol_by_name("main").unwrap();
            (main.address(), main.size())
        })
        .unwrap();
        let segments = elf::open(&path, |elf| elf::segments(elf)).unwrap();
        let code = segments.iter().find(|s| s.executable).unwrap();
        let offset = start + 4 - code.address + code.offset;
        let module = Mapping {
            path: path.display().to_string(),
            ..Mapping::default()
        };
        let found = routines(&module, &[offset], &Locator::default()).unwrap();
        let [main] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (main.name.as_str(), main.start, main.end),
            ("main", start, start + size)
        );
        assert_eq!(main.asked, [(offset, start + 4)]);
        assert!(
            main.rows
                .iter()
                .any(|row| row.file.ends_with("leaky.cpp") && row.line > 0)
        );
        assert_eq!(main.instructions[0].address, start);
        assert!(
            main.instructions
                .iter()
                .any(|i| i.text.starts_with("call") && i.text.contains('<'))
        );
    }
}

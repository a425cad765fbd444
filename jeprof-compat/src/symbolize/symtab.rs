//! Names from symbol tables: `.symtab` first, `.dynsym` after it.
//!
//! A name holds from a symbol's start to its end and no further. Symbols without a size are hand
//! written assembly, and count only from `.symtab` and only up to the next symbol of the same
//! section: in `.dynsym` the next symbol is not known, because the local ones are stripped, and
//! the label would swallow all of them.

use std::cmp::Reverse;

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionIndex, SymbolKind};

/// Addresses that the symbols of a table cover, each counted as often as it is covered: linkers write a function
/// once, with some aliases. A hostile table has a million symbols that all cover a million addresses.
const MOST_COVERED: usize = 50_000_000;

/// A name and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As it stands in the table, without a symbol version.
    pub name: String,
    /// Its start.
    pub start: u64,
    /// Another strong symbol starts there, as `C1` and `C2` of a constructor do.
    pub has_alias: bool,
}

/// Fills the names that are still missing. `addresses` are sorted.
pub fn fill<'a, O: Object<'a>>(elf: &O, addresses: &[u64], out: &mut [Option<Symbol>]) {
    fill_from(elf, addresses, MOST_COVERED, out);
}

/// The same; no symbols are read behind those that cover `most` addresses.
fn fill_from<'a, O: Object<'a>>(
    elf: &O,
    addresses: &[u64],
    most: usize,
    out: &mut [Option<Symbol>],
) {
    let statics = search(elf, elf.symbols(), addresses, most, true);
    let dynamics = search(elf, elf.dynamic_symbols(), addresses, most, false);
    for (slot, found) in out.iter_mut().zip(statics.into_iter().zip(dynamics)) {
        if slot.is_none() {
            *slot = found.0.or(found.1);
        }
    }
}

/// A symbol that may be the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate<'a> {
    start: u64,
    text: bool,
    global: bool,
    weak: bool,
    has_alias: bool,
    name: &'a [u8],
    section: Option<SectionIndex>,
}

/// What is known of the symbols around one address.
#[derive(Clone, Copy, Debug, Default)]
struct Near<'a> {
    /// The best symbol that covers the address.
    covering: Option<Candidate<'a>>,
    /// The nearest start of any symbol at or below the address.
    start: u64,
    /// The best symbol without a size at that start.
    label: Option<Candidate<'a>>,
}

fn search<'a, O: Object<'a>>(
    elf: &O,
    symbols: impl Iterator<Item = impl ObjectSymbol<'a>>,
    addresses: &[u64],
    most: usize,
    labels: bool,
) -> Vec<Option<Symbol>> {
    let mut near = vec![Near::default(); addresses.len()];
    let mut covered = 0;
    for symbol in symbols.filter(is_code) {
        covered += note(&symbol, addresses, &mut near);
        if covered > most {
            break;
        }
    }
    carry_forward(&mut near);
    let pick = |(near, &address): (Near<'a>, &u64)| {
        let label = near
            .label
            .filter(|l| labels && in_code_section(elf, l, address));
        near.covering.or(label).and_then(to_symbol)
    };
    near.into_iter().zip(addresses).map(pick).collect()
}

fn is_code<'a>(symbol: &impl ObjectSymbol<'a>) -> bool {
    let kind = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
    kind && !symbol.is_undefined() && symbol.section_index().is_some()
}

/// Enters a symbol at the addresses it covers, and its start at the first address behind it. Returns how many it
/// covers.
fn note<'a>(symbol: &impl ObjectSymbol<'a>, addresses: &[u64], near: &mut [Near<'a>]) -> usize {
    let (start, size) = (symbol.address(), symbol.size());
    let first = addresses.partition_point(|&a| a < start);
    let covered = addresses[first..].partition_point(|&a| a - start < size);
    if let Some(slot) = near.get_mut(first).filter(|slot| start > slot.start) {
        (slot.start, slot.label) = (start, None);
    }
    if size == 0 && near.get(first).is_some_and(|slot| start == slot.start) {
        keep_better(&mut near[first].label, candidate(symbol));
    }
    if covered > 0 {
        let candidate = candidate(symbol);
        for slot in &mut near[first..first + covered] {
            keep_better(&mut slot.covering, candidate);
        }
    }
    covered
}

/// Reads the name, which costs a look into the file: only for symbols that may be the answer.
fn candidate<'a>(symbol: &impl ObjectSymbol<'a>) -> Candidate<'a> {
    Candidate {
        start: symbol.address(),
        text: symbol.kind() == SymbolKind::Text,
        global: !symbol.is_local(),
        weak: symbol.is_weak(),
        has_alias: false,
        name: symbol.name_bytes().unwrap_or_default(),
        section: symbol.section_index(),
    }
}

/// A start holds for every address up to the next start.
fn carry_forward(near: &mut [Near<'_>]) {
    for at in 1..near.len() {
        let before = near[at - 1];
        if near[at].start < before.start {
            (near[at].start, near[at].label) = (before.start, before.label);
        }
    }
}

/// Of several symbols the innermost; of aliases a function before a label, a global one before a
/// local one, and then the plainest name.
fn keep_better<'a>(best: &mut Option<Candidate<'a>>, new: Candidate<'a>) {
    let rank = |c: &Candidate<'a>| {
        let underscores = c.name.iter().take_while(|&&b| b == b'_').count();
        let mangled = c.name.starts_with(b"_Z") || c.name.starts_with(b"_R");
        let underscores = if mangled { 0 } else { underscores };
        (
            c.start,
            c.text,
            c.global,
            Reverse((underscores, c.name.len(), c.name)),
        )
    };
    let is_strong = |c: &Candidate<'a>| c.text && !c.weak;
    let before = best.filter(|b| b.start == new.start);
    let has_alias = before
        .is_some_and(|b| b.has_alias || (is_strong(&b) && is_strong(&new) && b.name != new.name));
    if best.as_ref().is_none_or(|b| rank(b) < rank(&new)) {
        *best = Some(new);
    }
    if let Some(best) = best.as_mut().filter(|b| b.start == new.start) {
        best.has_alias |= has_alias;
    }
}

/// The section's flags are asked, not its contents: in a debug file there are none.
fn in_code_section<'a>(elf: &impl Object<'a>, label: &Candidate<'_>, address: u64) -> bool {
    let section = label.section.and_then(|i| elf.section_by_index(i).ok());
    section.is_some_and(|s| {
        let code = match s.flags() {
            SectionFlags::Elf { sh_flags, .. } => (sh_flags & object::elf::SHF_EXECINSTR).0 != 0,
            _ => false,
        };
        code && address.wrapping_sub(s.address()) < s.size()
    })
}

/// Leaves away the assembler's own labels and the version of a versioned symbol.
fn to_symbol(candidate: Candidate<'_>) -> Option<Symbol> {
    let name = String::from_utf8_lossy(candidate.name);
    let name = name.split_once('@').map_or(&*name, |(bare, _)| bare);
    let useful = !name.is_empty() && !name.starts_with('$') && !name.starts_with(".L");
    useful.then(|| Symbol {
        name: name.to_owned(),
        start: candidate.start,
        has_alias: candidate.has_alias,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::write::{Object as Writer, Symbol as Sym, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolScope};

    /// Sixteen pages of code with these symbols: name, start, size, global.
    fn image(symbols: &[(&str, u64, u64, bool)]) -> Vec<u8> {
        let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = file.section_id(object::write::StandardSection::Text);
        file.append_section_data(text, &[0x90; 0x1000], 16);
        for &(name, value, size, global) in symbols {
            file.add_symbol(Sym {
                name: name.into(),
                value,
                size,
                kind: SymbolKind::Text,
                scope: if global {
                    SymbolScope::Dynamic
                } else {
                    SymbolScope::Compilation
                },
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        file.write().unwrap()
    }

    fn names(symbols: &[(&str, u64, u64, bool)], addresses: &[u64]) -> Vec<String> {
        let image = image(symbols);
        let elf = object::File::parse(&*image).unwrap();
        let mut out = vec![None; addresses.len()];
        fill(&elf, addresses, &mut out);
        out.into_iter()
            .map(|s| s.map_or("-".to_owned(), |s| s.name))
            .collect()
    }

    #[test]
    fn a_name_ends_where_its_symbol_ends() {
        let symbols = [("f", 0x10, 0x10, true), ("g", 0x40, 0x10, false)];
        let found = names(&symbols, &[0xf, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x50]);
        assert_eq!(found, ["-", "f", "f", "-", "-", "g", "-"]);
    }

    #[test]
    fn a_label_reaches_to_the_next_symbol_and_not_beyond_its_section() {
        let symbols = [
            ("label", 0x100, 0, true),
            ("f", 0x200, 0x10, true),
            ("late", 0xff0, 0, true),
        ];
        let found = names(&symbols, &[0xff, 0x100, 0x1ff, 0x200, 0x210, 0xff8, 0x1008]);
        assert_eq!(found, ["-", "label", "label", "f", "-", "late", "-"]);
    }

    #[test]
    fn the_innermost_symbol_and_the_plainest_alias_win() {
        let symbols = [
            ("outer", 0x100, 0x100, true),
            ("inner", 0x120, 0x10, false),
            ("__libc_alias", 0x300, 0x10, true),
            ("alias", 0x300, 0x10, true),
            ("a", 0x300, 0x10, false),
        ];
        let found = names(&symbols, &[0x110, 0x125, 0x130, 0x300]);
        assert_eq!(found, ["outer", "inner", "outer", "alias"]);
    }

    #[test]
    fn symbols_that_lie_over_each_other_are_not_read_without_end() {
        let image = image(&[("f", 0, 9, true), ("g", 0, 9, true), ("h", 0x20, 9, true)]);
        let elf = object::File::parse(&*image).unwrap();
        let found = |most| {
            let mut out = vec![None; 4];
            fill_from(&elf, &[1, 2, 3, 0x21], most, &mut out);
            out.into_iter().flatten().count()
        };
        assert_eq!((found(MOST_COVERED), found(5)), (4, 3));
    }

    #[test]
    fn versions_are_cut_off() {
        assert_eq!(
            names(&[("memcpy@@GLIBC_2.14", 0, 8, true)], &[0]),
            ["memcpy"]
        );
    }
}

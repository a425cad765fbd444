//! Inlined functions, files and lines from DWARF, and how they go together with the symbol tables. The
//! work is `addr2line`'s.

use addr2line::{FrameIter, Loader, LocationRangeIter};

use super::demangle::{self, demangle};
use super::elf;
use super::locate::Found;
use super::split::Split;
use super::symtab::Symbol;
use crate::profile::bounds::MOST_INLINED;
use crate::profile::code::Row;
use crate::profile::model::Line;

/// The DWARF of one file.
pub enum Dwarf {
    /// All of it lies there.
    Whole(Box<Loader>),
    /// Parts of it lie in other files.
    Split(Box<Split>),
}

/// One function at an address, named as the linker names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFrame {
    /// Its name, if DWARF has one.
    pub name: Option<String>,
    /// Its source file.
    pub file: Option<String>,
    /// Its source line.
    pub line: Option<u32>,
}

impl Dwarf {
    /// Opens the file with DWARF of a module, with the supplementary file that `dwz` may have split off. None when
    /// the file cannot be read: names from symbol tables are better than none.
    pub fn open(found: &Found) -> Option<Dwarf> {
        let file = found.dwarf.as_ref()?;
        // The loader unpacks whatever it is told to.
        let mut files = std::iter::once(file).chain(found.alt.as_ref());
        if files.any(|file| elf::open(file, |_| ()).is_err()) {
            return None;
        }
        match Split::open(found) {
            Some(split) => Some(Dwarf::Split(Box::new(split))),
            None => {
                let loader = Loader::new_with_sup(file, found.alt.as_ref()).ok()?;
                Some(Dwarf::Whole(Box::new(loader)))
            }
        }
    }

    /// The source of the addresses from `start` to `end`, in their order.
    pub fn rows(&self, start: u64, end: u64) -> Vec<Row> {
        match self {
            Dwarf::Whole(loader) => loader
                .find_location_range(start, end)
                .map_or(Vec::new(), rows),
            Dwarf::Split(split) => {
                let found = split.context().find_location_range(start, end);
                found.map_or(Vec::new(), rows)
            }
        }
    }

    /// The functions at an address, innermost first.
    pub fn frames(&self, address: u64) -> Vec<RawFrame> {
        match self {
            Dwarf::Whole(loader) => loader.find_frames(address).map_or(Vec::new(), frames),
            Dwarf::Split(split) => split.find_frames(address).map_or(Vec::new(), frames),
        }
    }
}

fn rows<R: gimli::Reader>(found: LocationRangeIter<'_, R>) -> Vec<Row> {
    let row = |(start, length, place): (u64, u64, addr2line::Location<'_>)| {
        Some(Row {
            start,
            end: start.saturating_add(length),
            file: place.file?.to_owned(),
            line: place.line?,
        })
    };
    let mut rows: Vec<Row> = found.filter_map(row).collect();
    rows.sort_by_key(|row| row.start);
    rows
}

fn frames<R: gimli::Reader>(mut frames: FrameIter<'_, R>) -> Vec<RawFrame> {
    let mut out = Vec::new();
    while out.len() < MOST_INLINED
        && let Ok(Some(frame)) = frames.next()
    {
        let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
        let place = frame.location.as_ref();
        out.push(RawFrame {
            name: name.map(|n| n.into_owned()),
            file: place.and_then(|p| p.file).map(str::to_owned),
            line: place.and_then(|p| p.line),
        });
    }
    out
}

/// The lines of a location. The outermost function is the one the symbol table knows too: it
/// gets its start from there, and its name where DWARF has none or only an unqualified one.
pub fn merge(mut frames: Vec<RawFrame>, symbol: Option<Symbol>) -> Vec<Line> {
    if frames.is_empty() && symbol.is_some() {
        frames.push(RawFrame::default());
    }
    let outermost = frames.len().saturating_sub(1);
    let mut lines = Vec::with_capacity(frames.len());
    for (depth, frame) in frames.into_iter().enumerate() {
        let symbol = symbol.as_ref().filter(|_| depth == outermost);
        let Some(name) = best_name(frame.name, symbol) else {
            continue;
        };
        let linker = demangle::is_mangled(&name).then(|| name.as_str().into());
        let name = demangle(&name);
        lines.push(Line {
            linker,
            function: name.full,
            short: name.short,
            start: symbol.map(|s| s.start),
            has_alias: symbol.is_some_and(|s| s.has_alias),
            file: frame.file,
            line: frame.line,
            inlined: depth < outermost,
            is_class: false,
            is_cut: false,
            language: None,
        });
    }
    lines
}

/// DWARF's name, unless the symbol table says more: the qualified name, or which clone of the
/// function it is (`f.part.0`), as `jeprof` has it.
fn best_name(dwarf: Option<String>, symbol: Option<&Symbol>) -> Option<String> {
    let symbol = symbol.map(|s| s.name.as_str());
    let Some(dwarf) = dwarf else {
        return symbol.map(str::to_owned);
    };
    let says_more = |symbol: &&str| {
        let qualified = demangle::is_mangled(symbol) && !demangle::is_mangled(&dwarf);
        let rest = symbol.strip_prefix(dwarf.as_str());
        qualified || rest.is_some_and(|r| r.starts_with('.'))
    };
    let better = symbol.filter(says_more).map(str::to_owned);
    better.or(Some(dwarf))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, line: u32) -> RawFrame {
        let name = Some(name.to_owned()).filter(|n| !n.is_empty());
        RawFrame {
            name,
            file: Some("/src/a.c".into()),
            line: Some(line),
        }
    }

    fn symbol(name: &str) -> Option<Symbol> {
        Some(Symbol {
            name: name.into(),
            start: 0x40,
            has_alias: false,
        })
    }

    #[test]
    fn only_the_outermost_function_is_not_inlined() {
        let lines = merge(
            vec![raw("in", 1), raw("mid", 2), raw("out", 3)],
            symbol("out"),
        );
        let seen: Vec<_> = lines
            .iter()
            .map(|l| (&*l.function, l.inlined, l.start))
            .collect();
        let none = None;
        assert_eq!(
            seen,
            [
                ("in", true, none),
                ("mid", true, none),
                ("out", false, Some(0x40))
            ]
        );
    }

    #[test]
    fn the_symbol_table_completes_what_dwarf_says() {
        assert_eq!(
            merge(vec![raw("bar", 1)], symbol("_ZN3foo3barEi"))[0].function,
            "foo::bar(int)"
        );
        assert_eq!(
            merge(vec![raw("f", 1)], symbol("f.part.0"))[0].function,
            "f.part.0"
        );
        let bare = merge(vec![raw("", 9)], symbol("asm_label"));
        assert_eq!((&*bare[0].function, bare[0].line), ("asm_label", Some(9)));
        assert_eq!(merge(Vec::new(), symbol("f"))[0].function, "f");
        assert!(merge(Vec::new(), None).is_empty());
    }
}

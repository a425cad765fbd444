//! The facts about an ELF file that decide whether a preload works. `Image::parse` is pure over
//! bytes, `Image::open` reads a file piece by piece.
//!
//! What is broken in a file is as if it were not there: the loader will say more about it.

use std::fs::File;
use std::path::Path;

use object::elf::{
    DF_1_PIE, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DynamicTag, ET_DYN, ET_EXEC,
    FileHeader32, FileHeader64, Machine, SHT_DYNSYM, SHT_SYMTAB, STT_FUNC, STT_GNU_IFUNC,
    VER_FLG_BASE,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{FileKind, ReadCache, ReadRef};
use object::{Endianness, StringTable};

use crate::command::doctor::target::brand::{self, Brand};

/// What a file is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It can be started.
    Program,
    /// It can be loaded into a program.
    Library,
    /// An object file, a core.
    #[default]
    Other,
}

/// A version of another library's symbols that a file was linked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) library: String,
    pub(crate) version: String,
}

/// A function of interest that the file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// The loader sees it: calls from elsewhere come here.
    pub(crate) exported: bool,
}

/// The facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) machine: Machine,
    pub(crate) wide: bool,
    pub(crate) kind: Kind,
    pub(crate) interpreter: Option<String>,
    pub(crate) soname: Option<String>,
    pub(crate) needed: Vec<String>,
    /// Directories of libraries before those of the environment.
    pub(crate) rpath: Vec<String>,
    /// And those after them.
    pub(crate) runpath: Vec<String>,
    pub(crate) requires: Vec<Requirement>,
    /// Versions of its own symbols.
    pub(crate) provides: Vec<String>,
    pub(crate) symbols: Vec<Symbol>,
    /// Allocators known by the messages they print: these survive `strip`.
    pub(crate) texts: Vec<&'static Brand>,
    pub(crate) is_go: bool,
    /// It calls dlmopen.
    pub(crate) opens_namespaces: bool,
}

impl Image {
    /// Nothing when it is no ELF file, or cannot be read.
    pub(crate) fn open(path: &Path) -> Option<Image> {
        let cache = ReadCache::new(File::open(path).ok()?);
        Image::parse(&cache)
    }

    pub(crate) fn parse<'data, R: ReadRef<'data>>(data: R) -> Option<Image> {
        match FileKind::parse(data).ok()? {
            FileKind::Elf32 => read::<FileHeader32<Endianness>, R>(data),
            FileKind::Elf64 => read::<FileHeader64<Endianness>, R>(data),
            _ => None,
        }
    }

    /// The symbol of this name that the file defines.
    pub(crate) fn symbol(&self, name: &str) -> Option<&Symbol> {
        let mut named = self.symbols.iter().filter(|symbol| symbol.name == name);
        named.clone().find(|s| s.exported).or_else(|| named.next())
    }

    /// Calls of malloc from other files come here, if nothing stands before it.
    pub(crate) fn exports_malloc(&self) -> bool {
        self.symbol("malloc").is_some_and(|symbol| symbol.exported)
    }

    /// `x86-64`, or what else it is built for.
    pub(crate) fn architecture(&self) -> String {
        use object::elf;
        let name = match (self.machine, self.wide) {
            (elf::EM_X86_64, true) => "x86-64",
            (elf::EM_X86_64, false) => "x32",
            (elf::EM_386, _) => "i386",
            (elf::EM_AARCH64, _) => "aarch64",
            (elf::EM_ARM, _) => "arm",
            (elf::EM_RISCV, true) => "riscv64",
            (elf::EM_PPC64, _) => "ppc64",
            (elf::EM_S390, _) => "s390",
            (elf::EM_LOONGARCH, _) => "loongarch",
            (Machine(other), _) => return format!("machine {other}"),
        };
        name.to_owned()
    }
}

fn read<'data, Elf, R>(data: R) -> Option<Image>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    let interpreter = segments
        .iter()
        .find_map(|segment| segment.interpreter(endian, data).ok().flatten());
    let sections = header.sections(endian, data).unwrap_or_default();
    let mut image = Image {
        machine: header.e_machine(endian),
        wide: header.is_class_64(),
        interpreter: interpreter.map(text),
        ..Image::default()
    };
    let is_pie = read_dynamic(&mut image, endian, data, &sections);
    image.kind = match header.e_type(endian) {
        ET_EXEC => Kind::Program,
        ET_DYN if image.interpreter.is_some() || is_pie => Kind::Program,
        ET_DYN => Kind::Library,
        _ => Kind::Other,
    };
    read_versions(&mut image, endian, data, &sections);
    read_symbols(&mut image, endian, data, &sections);
    read_sections(&mut image, endian, data, &sections);
    Some(image)
}

/// True when the file says that it is a position-independent program.
fn read_dynamic<'data, Elf, R>(
    image: &mut Image,
    endian: Endianness,
    data: R,
    sections: &SectionTable<'data, Elf, R>,
) -> bool
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let table = sections.dynamic_table(endian, data).unwrap_or_default();
    let texts = |wanted: DynamicTag| {
        let entries = table.iter().filter(move |entry| entry.tag == wanted);
        entries
            .filter_map(|entry| table.string(entry).ok())
            .map(text)
    };
    let directories = |wanted: DynamicTag| {
        let lists =
            texts(wanted).flat_map(|list| list.split(':').map(str::to_owned).collect::<Vec<_>>());
        lists
            .filter(|directory| !directory.is_empty())
            .collect::<Vec<_>>()
    };
    image.needed = texts(DT_NEEDED).collect();
    image.soname = texts(DT_SONAME).next();
    image.rpath = directories(DT_RPATH);
    image.runpath = directories(DT_RUNPATH);
    let mut flags = table.iter().filter(|entry| entry.tag == DT_FLAGS_1);
    flags.any(|entry| entry.val & DF_1_PIE.0 != 0)
}

fn read_versions<'data, Elf, R>(
    image: &mut Image,
    endian: Endianness,
    data: R,
    sections: &SectionTable<'data, Elf, R>,
) where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    if let Ok(Some((needs, link))) = sections.gnu_verneed(endian, data) {
        let strings = sections.strings(endian, data, link).unwrap_or_default();
        for (need, versions) in needs.flatten() {
            let library = need.file(endian, strings).map(text).unwrap_or_default();
            let versions = versions
                .flatten()
                .filter_map(|v| v.name(endian, strings).ok());
            image.requires.extend(versions.map(|version| Requirement {
                library: library.clone(),
                version: text(version),
            }));
        }
    }
    if let Ok(Some((definitions, link))) = sections.gnu_verdef(endian, data) {
        let strings = sections.strings(endian, data, link).unwrap_or_default();
        for (definition, mut names) in definitions.flatten() {
            let is_file = definition.vd_flags.get(endian).contains(VER_FLG_BASE);
            if let (false, Ok(Some(name))) = (is_file, names.next()) {
                image.provides.extend(name.name(endian, strings).map(text));
            }
        }
    }
}

fn read_symbols<'data, Elf, R>(
    image: &mut Image,
    endian: Endianness,
    data: R,
    sections: &SectionTable<'data, Elf, R>,
) where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    for (table, exported) in [(SHT_DYNSYM, true), (SHT_SYMTAB, false)] {
        let Ok(symbols) = sections.symbols(endian, data, table) else {
            continue;
        };
        image.opens_namespaces |= symbols.iter().any(|symbol| {
            let name = symbol.name(endian, symbols.strings());
            symbol.is_undefined(endian) && name.is_ok_and(|name| name == b"dlmopen")
        });
        let found = symbols.iter().filter_map(|symbol| {
            let name = definition(endian, symbol, symbols.strings())?;
            Some(Symbol { name, exported })
        });
        image.symbols.extend(found);
    }
}

/// What survives `strip`.
fn read_sections<'data, Elf, R>(
    image: &mut Image,
    endian: Endianness,
    data: R,
    sections: &SectionTable<'data, Elf, R>,
) where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    for section in sections.iter() {
        match sections.section_name(endian, section) {
            Ok(b".go.buildinfo" | b".gopclntab") => image.is_go = true,
            Ok(b".rodata") => {
                image.texts = brand::in_text(section.data(endian, data).unwrap_or(&[]))
            }
            _ => {}
        }
    }
}

/// The name of a function that stands here and matters to us.
fn definition<'data, S, R>(
    endian: Endianness,
    symbol: &S,
    strings: StringTable<'data, R>,
) -> Option<String>
where
    S: Sym<Endian = Endianness>,
    R: ReadRef<'data>,
{
    // An undefined one with an address is the PLT slot of a function elsewhere.
    let is_function = matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC);
    if !is_function || symbol.is_undefined(endian) {
        return None;
    }
    let name = std::str::from_utf8(symbol.name(endian, strings).ok()?).ok()?;
    brand::is_watched(name).then(|| name.to_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;

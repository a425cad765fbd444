//! Split DWARF: the compiler leaves most of it in `.dwo` files, and a packager puts these into one `.dwp`. They are
//! looked for where the compiler put them, below each root that was given, and beside the program and its debug file:
//! there they lie when they came with it. Their ids prove them. The work is `addr2line`'s.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult, SplitDwarfLoad};
use gimli::{DwarfPackage, EndianArcSlice, Reader, RunTimeEndian};
use object::{Object, ObjectSection};

use super::elf::{self, Elf};
use super::locate::{Found, under};

type Bytes = EndianArcSlice<RunTimeEndian>;

/// The DWARF of one file, of which parts lie in others.
pub struct Split {
    context: Context<Bytes>,
    package: Option<DwarfPackage<Bytes>>,
    /// Where the parts may lie besides.
    folders: Vec<PathBuf>,
    roots: Vec<PathBuf>,
}

impl Split {
    /// Opens what is split; `None` where nothing is.
    pub fn open(found: &Found) -> Option<Split> {
        let dwarf = elf::open(found.dwarf.as_ref()?, |elf| {
            // Only DWARF with addresses of its own is split, but not all of it is.
            elf.section_by_name(".debug_addr")?;
            gimli::Dwarf::load(|id| section(elf, Some(id.name()))).ok()
        });
        let dwarf = dwarf.ok().flatten().filter(is_split)?;
        let files = || found.dwarf.iter().chain(&found.image);
        let folder = |file: &PathBuf| Some(file.canonicalize().ok()?.parent()?.to_owned());
        Some(Split {
            context: Context::from_dwarf(dwarf).ok()?,
            package: files()
                .flat_map(|file| packages(file))
                .find_map(|file| package(&file)),
            folders: files().filter_map(folder).collect(),
            roots: found.roots.clone(),
        })
    }

    /// What is known of all addresses.
    pub fn context(&self) -> &Context<Bytes> {
        &self.context
    }

    /// The functions at an address.
    pub fn find_frames(
        &self,
        address: u64,
    ) -> Result<addr2line::FrameIter<'_, Bytes>, gimli::Error> {
        let mut answer = self.context.find_frames(address);
        loop {
            match answer {
                LookupResult::Output(frames) => return frames,
                LookupResult::Load { load, continuation } => {
                    answer = continuation.resume(self.part(&load).map(Arc::new));
                }
            }
        }
    }

    fn part(&self, wanted: &SplitDwarfLoad<Bytes>) -> Option<gimli::Dwarf<Bytes>> {
        let packed = self.package.as_ref();
        let packed = packed.and_then(|p| p.find_cu(wanted.dwo_id, &wanted.parent).ok().flatten());
        packed.or_else(|| {
            let mut files = self.files(wanted).into_iter();
            let mut part = files.find_map(|file| part(&file, wanted.dwo_id))?;
            part.make_dwo(&wanted.parent);
            Some(part)
        })
    }

    /// Where a part may lie, the likeliest first.
    fn files(&self, wanted: &SplitDwarfLoad<Bytes>) -> Vec<PathBuf> {
        let path = |bytes: Option<&Bytes>| {
            let bytes = bytes?.to_slice().ok()?;
            Some(PathBuf::from(OsStr::from_bytes(&bytes)))
        };
        let Some(name) = path(wanted.path.as_ref()) else {
            return Vec::new();
        };
        let made = path(wanted.comp_dir.as_ref())
            .unwrap_or_default()
            .join(&name);
        let below: Vec<PathBuf> = self.roots.iter().map(|root| under(root, &made)).collect();
        let beside = self.folders.iter().flat_map(|folder| {
            let bare = name.file_name().map(|bare| folder.join(bare));
            [Some(folder.join(&name)), bare].into_iter().flatten()
        });
        below.into_iter().chain([made]).chain(beside).collect()
    }
}

fn section(elf: &Elf<'_>, name: Option<&str>) -> Result<Bytes, gimli::Error> {
    let section = name.and_then(|name| elf.section_by_name(name));
    let bytes = section.and_then(|section| section.uncompressed_data().ok());
    Ok(Bytes::new(
        Arc::from(&*bytes.unwrap_or_default()),
        RunTimeEndian::Little,
    ))
}

fn is_split(dwarf: &gimli::Dwarf<Bytes>) -> bool {
    let mut units = dwarf.units();
    while let Ok(Some(unit)) = units.next() {
        if dwarf.unit(unit).is_ok_and(|unit| unit.dwo_id.is_some()) {
            return true;
        }
    }
    false
}

/// The file itself with `.dwp` behind it, and the same for the program that a debug file is of.
fn packages(file: &Path) -> Vec<PathBuf> {
    let with = |file: &Path| PathBuf::from(format!("{}.dwp", file.display()));
    let stripped = file.extension().filter(|end| *end == "debug");
    let program = stripped.map(|_| with(&file.with_extension("")));
    [with(file)].into_iter().chain(program).collect()
}

fn package(file: &Path) -> Option<DwarfPackage<Bytes>> {
    let nothing = Bytes::new(Arc::from(&[][..]), RunTimeEndian::Little);
    let read = elf::open(file, |elf| {
        DwarfPackage::load(|id| section(elf, id.dwo_name()), nothing)
    });
    read.ok()?.ok()
}

fn part(file: &Path, id: gimli::DwoId) -> Option<gimli::Dwarf<Bytes>> {
    let dwarf = elf::open(file, |elf| {
        gimli::Dwarf::load(|id| section(elf, id.dwo_name()))
    });
    let dwarf = dwarf.ok()?.ok()?;
    let unit = dwarf.unit(dwarf.units().next().ok()??).ok()?;
    (unit.dwo_id == Some(id)).then_some(dwarf)
}

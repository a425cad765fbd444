//! Which file on this machine is the one that ran, and where its symbols are. Order: PROGRAM of the
//! command line, the recorded path below each root that was given, the path itself, the path as the process
//! that still runs sees it (`/proc/PID/root`), then the debug file by build id, by debuglink, at
//! `/usr/lib/debug<path>`, and from debuginfod.
//!
//! A recorded build id has the last word. Without one (jemalloc's own dumps) the path is
//! believed, unless the kernel said that the file was deleted.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::CrcReader;
use object::Object;

use super::debuginfod::Debuginfod;
use super::elf::{self, Elf, Segment};
use super::known::Known;
use crate::profile::model::Mapping;

/// Where to look.
#[derive(Clone, Debug)]
pub struct Locator {
    /// PROGRAM as the user gave it: stands for the mapping of the same build id or, where no
    /// build id is known, of the same file name.
    pub program: Option<PathBuf>,
    /// Other files that may stand for a mapping, in the same way.
    pub libraries: Vec<PathBuf>,
    /// Where the root of the machine that ran lies on this one: an unpacked image, a container's files.
    pub roots: Vec<PathBuf>,
    /// The directories of debug files, `/usr/lib/debug`.
    pub debug_roots: Vec<PathBuf>,
    /// Servers of debug files.
    pub debuginfod: Arc<Debuginfod>,
    /// Told the path of each file before its names are looked up, and how many are done of how many; at the
    /// end an empty path.
    pub watch: Option<fn(&str, usize, usize)>,
    /// What was found by it already.
    pub known: Known,
}

impl Default for Locator {
    fn default() -> Self {
        Locator {
            program: None,
            libraries: Vec::new(),
            roots: Vec::new(),
            debuginfod: Arc::new(Debuginfod::of_environment()),
            watch: None,
            debug_roots: vec![PathBuf::from("/usr/lib/debug")],
            known: Known::default(),
        }
    }
}

/// The files that name one module.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The file that was mapped.
    pub image: Option<PathBuf>,
    /// The file with DWARF: the image itself or its debug file.
    pub dwarf: Option<PathBuf>,
    /// A separate debug file, for its symbol table.
    pub debug: Option<PathBuf>,
    /// The supplementary file of `dwz`.
    pub alt: Option<PathBuf>,
    /// The build id that all of them have.
    pub build_id: Option<String>,
    /// Where the roots of the machine that ran lie on this one.
    pub roots: Vec<PathBuf>,
    segments: Vec<Segment>,
}

const MISSING: &str = "is not on this machine";

/// What is read of an image once.
struct Image {
    path: PathBuf,
    build_id: Option<String>,
    has_dwarf: bool,
    debuglink: Option<(PathBuf, u32)>,
    segments: Vec<Segment>,
}

impl Locator {
    /// The files that the user gave.
    pub fn given(&self) -> impl Iterator<Item = &PathBuf> {
        self.program.iter().chain(&self.libraries)
    }

    /// The path below each root: of a path that is absolute.
    fn below_roots(&self, path: &Path) -> Vec<PathBuf> {
        self.roots.iter().map(|root| under(root, path)).collect()
    }

    /// Finds the files of a module, or says in one line why there are none. `pids` are the processes whose
    /// module it is.
    pub fn locate(&self, path: &Path, module: &Mapping, pids: &[u64]) -> Result<Found, String> {
        let image = self.image(path, module, pids);
        let build_id = match &image {
            Ok(image) => image.build_id.clone(),
            Err(_) => module.build_id.clone(),
        };
        let debug = self.debug_file(image.as_ref().ok(), build_id.as_deref());
        let mut found = match (image, &debug) {
            (Ok(image), _) => Found {
                dwarf: image.has_dwarf.then(|| image.path.clone()),
                image: Some(image.path),
                segments: image.segments,
                ..Found::default()
            },
            (Err(_), Some(debug)) => Found {
                segments: elf::open(debug, |elf| elf::segments(elf)).unwrap_or_default(),
                ..Found::default()
            },
            (Err(reason), None) => return Err(reason),
        };
        if found.dwarf.is_none() {
            found.dwarf = debug.clone();
        }
        found.alt = found.dwarf.as_ref().and_then(|d| self.alt_file(d));
        Ok(Found {
            debug,
            build_id,
            roots: self.roots.clone(),
            ..found
        })
    }

    fn image(&self, path: &Path, module: &Mapping, pids: &[u64]) -> Result<Image, String> {
        let given = self
            .given()
            .filter(|file| stands_for(file, module))
            .cloned();
        let below = self.below_roots(path);
        let seen = pids
            .iter()
            .map(|pid| under(&PathBuf::from(format!("/proc/{pid}/root")), path));
        // Without a build id nobody knows whether it is still the same process.
        let seen = seen.filter(|_| module.build_id.is_some());
        let given = given.chain(below).map(|file| (file, true));
        let recorded = [path.to_owned()]
            .into_iter()
            .chain(seen)
            .map(|file| (file, false));
        let mut reason = None;
        for (candidate, is_given) in given.chain(recorded) {
            match check(&candidate, module, is_given) {
                Ok(image) => return Ok(image),
                // A root need not have every file.
                Err(why) if why == MISSING && candidate != path => {}
                Err(why) => reason = reason.or(Some(why)),
            }
        }
        let id = module.build_id.as_deref();
        let fetched = id.and_then(|id| self.debuginfod.file(id, "executable"));
        if let Some(Ok(image)) = fetched.map(|file| check(&file, module, true)) {
            return Ok(image);
        }
        let reason = reason.unwrap_or_default();
        Err(format!(
            "{}: {reason}; its frames stay without names",
            path.display()
        ))
    }

    fn debug_file(&self, image: Option<&Image>, build_id: Option<&str>) -> Option<PathBuf> {
        if image.is_some_and(|i| i.has_dwarf) {
            return None;
        }
        let by_id = build_id.and_then(|id| self.by_build_id(id));
        by_id
            .or_else(|| self.by_link(image?))
            .or_else(|| self.by_path(image?))
            .or_else(|| {
                let file = self.debuginfod.file(build_id?, "debuginfo")?;
                has_build_id(&file, build_id?).then_some(file)
            })
    }

    /// Of this machine, and of those whose roots lie on it.
    fn all_debug_roots(&self) -> impl Iterator<Item = PathBuf> {
        let below = self
            .roots
            .iter()
            .flat_map(|root| self.debug_roots.iter().map(|d| under(root, d)));
        below.chain(self.debug_roots.iter().cloned())
    }

    fn by_build_id(&self, id: &str) -> Option<PathBuf> {
        let (first, rest) = id
            .split_at_checked(2)
            .filter(|(_, rest)| !rest.is_empty())?;
        let name = format!(".build-id/{first}/{rest}.debug");
        let mut files = self.all_debug_roots().map(|root| root.join(&name));
        files.find(|f| has_build_id(f, id))
    }

    fn by_link(&self, image: &Image) -> Option<PathBuf> {
        let (name, crc) = image.debuglink.as_ref()?;
        let dir = fs::canonicalize(&image.path).ok()?;
        let dir = dir.parent()?;
        let beside = [dir.join(name), dir.join(".debug").join(name)];
        let below = self.all_debug_roots().map(|r| under(&r, dir).join(name));
        let mut files = beside.into_iter().chain(below).filter(|f| *f != image.path);
        files.find(|f| belongs(f, image, *crc))
    }

    fn by_path(&self, image: &Image) -> Option<PathBuf> {
        let id = image.build_id.as_deref()?;
        let path = fs::canonicalize(&image.path).ok()?;
        let mut named = self.all_debug_roots().flat_map(|root| {
            let plain = under(&root, &path);
            let suffixed = PathBuf::from(format!("{}.debug", plain.display()));
            [plain, suffixed]
        });
        named.find(|f| has_build_id(f, id))
    }

    /// `dwz` moves what several debug files share into one more file.
    fn alt_file(&self, dwarf: &Path) -> Option<PathBuf> {
        let link = elf::open(dwarf, |elf| {
            let (name, id) = elf.gnu_debugaltlink().ok()??;
            let id: String = id.iter().map(|b| format!("{b:02x}")).collect();
            Some((String::from_utf8_lossy(name).into_owned(), id))
        });
        let (name, id) = link.ok()??;
        let beside = dwarf.parent()?.join(name);
        if has_build_id(&beside, &id) {
            Some(beside)
        } else {
            self.by_build_id(&id)
        }
    }
}

impl Found {
    /// Files to search for symbols, in order.
    pub fn symbol_files(&self) -> impl Iterator<Item = &Path> {
        self.image.iter().chain(&self.debug).map(PathBuf::as_path)
    }

    /// File offsets as the addresses of the file itself. A lone debug file has no offsets worth
    /// the name, but its code starts where the executable mapping starts.
    pub fn addresses(&self, module: &Mapping, offsets: &[u64]) -> Vec<Option<u64>> {
        let one = |&offset: &u64| match self.image {
            Some(_) => elf::address_of(&self.segments, offset),
            None => {
                let code = self.segments.iter().find(|s| s.executable)?;
                let page = code.address & !0xfff;
                Some(page + offset.checked_sub(module.offset)?)
            }
        };
        offsets.iter().map(one).collect()
    }
}

/// Why the program that the user gave stands for nothing in a profile, in one line; `None` where it does, and
/// where the profile has no map.
pub fn fits_nothing(program: &Path, mappings: &[Mapping], name: &str) -> Option<String> {
    let shown = program.display();
    let files = || mappings.iter().filter(|m| m.has_code_file());
    let Ok(own) = elf::open(program, |elf| elf::build_id(elf)) else {
        return Some(format!("{shown} is no program: it is not an ELF file"));
    };
    let is_same = |m: &Mapping| match (&own, &m.build_id) {
        (Some(own), Some(id)) => own == id,
        _ => stands_for(program, m),
    };
    if files().next().is_none() || files().any(is_same) {
        return None;
    }
    let main = files()
        .find(|m| m.file_name() == name)
        .or_else(|| files().next())?;
    let own = own.as_deref().unwrap_or("none");
    Some(match &main.build_id {
        Some(id) => format!(
            "{shown} is another build of {}: build id {own}, the one that ran had {id}",
            main.file_name()
        ),
        None => format!(
            "{shown} is none of the files in the profile: names come from where they lay ({})",
            main.path
        ),
    })
}

/// By build id, or by name: then [`check`] has the last word.
fn stands_for(program: &Path, module: &Mapping) -> bool {
    let real = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let names = [program.file_name(), real.file_name()];
    let named = names.into_iter().flatten().any(|n| n == module.file_name());
    let by_id = |id: &String| has_build_id(program, id);
    named || module.build_id.as_ref().is_some_and(by_id)
}

fn check(path: &Path, module: &Mapping, given: bool) -> Result<Image, String> {
    let wanted = module.build_id.as_deref();
    if wanted.is_none() && module.deleted && !given {
        return Err("was deleted, and without a build id its successor cannot be trusted".into());
    }
    let image = elf::open(path, |elf| read_image(path, elf)).map_err(|e| root_cause(&e))?;
    match wanted {
        Some(id) if image.build_id.as_deref() != Some(id) => {
            let have = image.build_id.as_deref().unwrap_or("none");
            Err(format!(
                "{} has build id {have}, the one that ran had {id}",
                path.display()
            ))
        }
        _ => Ok(image),
    }
}

fn root_cause(error: &anyhow::Error) -> String {
    match error.root_cause().downcast_ref::<std::io::Error>() {
        Some(e) if e.kind() == std::io::ErrorKind::NotFound => MISSING.into(),
        Some(e) => format!("cannot be read: {e}"),
        None => "is not an ELF file".into(),
    }
}

fn read_image(path: &Path, elf: &Elf<'_>) -> Image {
    let link = elf.gnu_debuglink().ok().flatten();
    Image {
        path: path.to_owned(),
        build_id: elf::build_id(elf),
        has_dwarf: elf::has_dwarf(elf),
        debuglink: link.map(|(n, crc)| (String::from_utf8_lossy(n).into_owned().into(), crc)),
        segments: elf::segments(elf),
    }
}

fn has_build_id(path: &Path, id: &str) -> bool {
    elf::open(path, |elf| elf::build_id(elf))
        .ok()
        .flatten()
        .is_some_and(|have| have == id)
}

/// A debuglink is proved by the build id or, for a file without one, by the CRC of the whole.
fn belongs(debug: &Path, image: &Image, crc: u32) -> bool {
    let Ok(id) = elf::open(debug, |elf| elf::build_id(elf)) else {
        return false;
    };
    match (&image.build_id, id) {
        (Some(want), Some(have)) => *want == have,
        _ => crc32(debug).is_ok_and(|have| have == crc),
    }
}

/// The most bytes of a debug file that are read for its CRC: one of Chromium has 2 GB. A file with holes takes no
/// room on the disk.
const MOST: u64 = 8 << 30;

fn crc32(path: &Path) -> io::Result<u32> {
    let mut bytes = CrcReader::new(File::open(path)?.take(MOST));
    io::copy(&mut bytes, &mut io::sink())?;
    Ok(bytes.crc().sum())
}

/// `/usr/lib/debug` and `/lib/x` make `/usr/lib/debug/lib/x`.
pub fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/leaky")
            .join(name)
    }

    fn id_of(name: &str) -> String {
        elf::open(&data(name), |elf| elf::build_id(elf))
            .unwrap()
            .unwrap()
    }

    fn module(path: &Path, build_id: Option<&str>) -> Mapping {
        Mapping {
            path: path.display().to_string(),
            build_id: build_id.map(str::to_owned),
            ..Mapping::default()
        }
    }

    fn locate(locator: &Locator, module: &Mapping) -> Result<Found, String> {
        locator.locate(Path::new(&module.path), module, &[])
    }

    #[test]
    fn a_file_with_dwarf_needs_no_other() {
        let path = data("leaky");
        let found = locate(&Locator::default(), &module(&path, Some(&id_of("leaky")))).unwrap();
        assert_eq!(found.image.as_ref(), Some(&path));
        assert_eq!(found.dwarf.as_ref(), Some(&path));
        assert_eq!(found.debug, None);
    }

    #[test]
    fn another_build_is_not_believed() {
        let path = data("leaky");
        let warning = locate(&Locator::default(), &module(&path, Some("00ff"))).unwrap_err();
        assert!(warning.contains("the one that ran had 00ff"), "{warning}");
        let mut gone = module(&path, None);
        gone.deleted = true;
        assert!(
            locate(&Locator::default(), &gone)
                .unwrap_err()
                .contains("was deleted")
        );
        gone.build_id = Some(id_of("leaky"));
        assert!(locate(&Locator::default(), &gone).is_ok());
    }

    #[test]
    fn a_debuglink_leads_to_the_debug_file() {
        let found = locate(&Locator::default(), &module(&data("stripped"), None)).unwrap();
        assert_eq!(found.debug.as_ref(), Some(&data("leaky.debug")));
        assert_eq!(found.dwarf, found.debug);
    }

    #[test]
    fn a_debug_file_alone_is_found_by_build_id() {
        let root = std::env::temp_dir().join(format!("malloscope-locate-{}", std::process::id()));
        let id = id_of("leaky");
        let dir = root.join(".build-id").join(&id[..2]);
        fs::create_dir_all(&dir).unwrap();
        let debug = dir.join(format!("{}.debug", &id[2..]));
        fs::copy(data("leaky.debug"), &debug).unwrap();
        let locator = Locator {
            debug_roots: vec![root.clone()],
            ..Locator::default()
        };
        let mut gone = module(Path::new("/nowhere/leaky"), Some(&id));
        gone.offset = 0x1000;
        let found = locate(&locator, &gone).unwrap();
        assert_eq!((&found.image, &found.dwarf), (&None, &Some(debug)));
        // The executable mapping starts at file offset 0x1000, which is also its address.
        assert_eq!(found.addresses(&gone, &[0x1234]), [Some(0x1234)]);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_program_stands_for_its_build_id_or_its_name() {
        let program = data("leaky");
        let locator = Locator {
            program: Some(program.clone()),
            ..Locator::default()
        };
        let elsewhere = Path::new("/opt/leaky/leaky");
        let image = |m: &Mapping| locate(&locator, m).ok().and_then(|f| f.image);
        assert_eq!(image(&module(elsewhere, None)), Some(program.clone()));
        assert_eq!(
            image(&module(Path::new("/x"), Some(&id_of("leaky")))),
            Some(program)
        );
        assert_eq!(image(&module(elsewhere, Some("00ff"))), None);
        assert_eq!(image(&module(Path::new("/opt/leaky/lib"), None)), None);
    }

    #[test]
    fn the_files_of_a_container_lie_below_its_root() {
        let root = std::env::temp_dir().join(format!("malloscope-root-{}", std::process::id()));
        fs::create_dir_all(root.join("opt/app")).unwrap();
        let there = root.join("opt/app/leaky");
        fs::copy(data("leaky"), &there).unwrap();
        let locator = Locator {
            roots: vec![PathBuf::from("/nowhere"), root.clone()],
            ..Locator::default()
        };
        let image = |id: Option<&str>| {
            let module = module(Path::new("/opt/app/leaky"), id);
            locate(&locator, &module).map(|found| found.image)
        };
        assert_eq!(image(None), Ok(Some(there.clone())));
        assert_eq!(image(Some(&id_of("leaky"))), Ok(Some(there)));
        assert!(
            image(Some("00ff"))
                .unwrap_err()
                .contains("the one that ran had 00ff")
        );
        // A process that runs shows its own files, if the build id proves them.
        let own = std::env::current_exe().unwrap();
        let id = elf::open(&own, |elf| elf::build_id(elf)).unwrap();
        let module = module(&own, id.as_deref());
        let pid = u64::from(std::process::id());
        let found = Locator::default().image(&own, &module, &[pid]);
        assert_eq!(found.map(|image| image.path), Ok(own));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_program_that_fits_nothing_is_told_from_another_build() {
        let said = |name: &str, module: Mapping| {
            fits_nothing(&data(name), &[module], "leaky").unwrap_or_default()
        };
        let path = Path::new("/opt/leaky");
        assert_eq!(said("leaky", module(path, None)), "");
        assert_eq!(said("leaky", module(path, Some(&id_of("leaky")))), "");
        let other = said("leaky", module(path, Some("00ff")));
        assert!(
            other.contains("is another build of leaky: build id "),
            "{other}"
        );
        assert!(other.ends_with("the one that ran had 00ff"));
        assert!(said("leaky.heap", module(path, None)).ends_with("is not an ELF file"));
        let none = said("stripped", module(path, None));
        assert!(
            none.contains("is none of the files in the profile"),
            "{none}"
        );
    }

    #[test]
    fn what_is_no_program_is_said_so() {
        let locator = Locator::default();
        let reason = |path: &Path| locate(&locator, &module(path, None)).unwrap_err();
        assert!(reason(&data("leaky.heap")).contains("is not an ELF file"));
        assert!(reason(Path::new("/nowhere/x")).contains("is not on this machine"));
    }
}

//! Where the loader finds libraries: the program's whole set, without running it.
//!
//! Source: ld.so(8). Left out: hardware capability directories, `$LIB` and `$PLATFORM`; what hides
//! there is found by its plain name too.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::command::doctor::target::image::Image;
use crate::command::doctor::target::ld_cache::Cache;

const DIRECTORIES: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// A file and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    pub(crate) image: Image,
}

impl Object {
    /// The last component of its path.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// The libraries of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Libraries {
    /// In the order of the loader.
    pub(crate) found: Vec<Object>,
    /// Names, and the files that need them.
    pub(crate) missing: Vec<(String, String)>,
}

/// The places that are the same for all libraries of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// `LD_LIBRARY_PATH`.
    environment: Vec<PathBuf>,
    /// Beside the loader: a libc of its own lies there.
    beside_loader: Option<PathBuf>,
    cache: Cache,
}

impl Search {
    pub(crate) fn new(library_path: Option<&OsStr>, interpreter: Option<&str>) -> Search {
        let environment = library_path.map(|path| std::env::split_paths(path).collect());
        let loader = interpreter.and_then(|path| Path::new(path).canonicalize().ok());
        Search {
            environment: environment.unwrap_or_default(),
            beside_loader: loader.and_then(|path| Some(path.parent()?.to_owned())),
            cache: Cache::of_this_machine(),
        }
    }

    /// The program's libraries, and theirs.
    pub(crate) fn libraries(&self, program: &Object) -> Libraries {
        let mut libraries = Libraries::default();
        let mut seen: HashSet<String> = HashSet::new();
        // Breadth first, as the loader does it; nobody stands for the program itself.
        let mut wanted = VecDeque::from([(program.image.needed.clone(), None)]);
        while let Some((names, index)) = wanted.pop_front() {
            for name in names {
                if !seen.insert(name.clone()) {
                    continue;
                }
                let wanter = index.map_or(program, |index: usize| &libraries.found[index]);
                match self.find(&name, wanter, program) {
                    Some(object) => {
                        wanted
                            .push_back((object.image.needed.clone(), Some(libraries.found.len())));
                        libraries.found.push(object);
                    }
                    None => libraries.missing.push((name, wanter.name())),
                }
            }
        }
        libraries
    }

    /// The library `name` for `wanter`, which belongs to `program`.
    pub(crate) fn find(&self, name: &str, wanter: &Object, program: &Object) -> Option<Object> {
        if name.contains('/') {
            return fitting(Path::new(name), program);
        }
        let mut directories = Vec::new();
        if wanter.image.runpath.is_empty() {
            directories.extend(expanded(wanter, &wanter.image.rpath));
            directories.extend(expanded(program, &program.image.rpath));
        }
        directories.extend(self.environment.iter().cloned());
        directories.extend(expanded(wanter, &wanter.image.runpath));
        directories.extend(self.beside_loader.iter().cloned());
        let named = directories
            .into_iter()
            .map(|directory| directory.join(name));
        let cached = self.cache.paths(name).iter().cloned();
        let usual = DIRECTORIES.iter().map(|d| Path::new(d).join(name));
        named
            .chain(cached)
            .chain(usual)
            .find_map(|path| fitting(&path, program))
    }
}

/// The file, when the program could load it.
fn fitting(path: &Path, program: &Object) -> Option<Object> {
    let image = Image::open(path)?;
    let fits = image.machine == program.image.machine && image.wide == program.image.wide;
    fits.then(|| Object {
        path: path.to_owned(),
        image,
    })
}

/// `$ORIGIN` is where the file itself is.
fn expanded(object: &Object, directories: &[String]) -> Vec<PathBuf> {
    let path = object.path.canonicalize();
    let path = path.as_deref().unwrap_or(&object.path);
    let origin = path.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let directories = directories
        .iter()
        .map(|d| d.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
    directories.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str, rpath: &[&str], runpath: &[&str]) -> Object {
        let owned = |list: &[&str]| list.iter().map(|d| (*d).to_owned()).collect();
        let image = Image {
            rpath: owned(rpath),
            runpath: owned(runpath),
            ..Image::default()
        };
        Object {
            path: path.into(),
            image,
        }
    }

    #[test]
    fn origin_is_where_the_file_is() {
        let program = object("/opt/x/bin/x", &["$ORIGIN/../lib", "${ORIGIN}"], &["/r"]);
        assert_eq!(
            expanded(&program, &program.image.rpath),
            ["/opt/x/bin/../lib", "/opt/x/bin"].map(PathBuf::from)
        );
        assert_eq!(program.name(), "x");
    }

    #[test]
    fn a_real_program_has_all_its_libraries() {
        let own = std::env::current_exe().expect("this test");
        let image = Image::open(&own).expect("an ELF file");
        let search = Search::new(None, image.interpreter.as_deref());
        let program = Object { path: own, image };
        let libraries = search.libraries(&program);
        assert_eq!(libraries.missing, []);
        let names: Vec<String> = libraries.found.iter().map(Object::name).collect();
        assert!(names.iter().any(|name| name == "libc.so.6"), "{names:?}");
    }

    #[test]
    fn a_library_of_another_architecture_is_passed_over() {
        let mut program = object("/bin/x", &[], &[]);
        program.image.machine = object::elf::EM_S390;
        program.image.needed = vec!["libc.so.6".to_owned()];
        let libraries = Search::new(None, None).libraries(&program);
        let missing = ("libc.so.6".to_owned(), "x".to_owned());
        assert_eq!(libraries.missing, [missing]);
    }
}

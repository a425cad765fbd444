//! Variables that are set already and meet ours: `LD_PRELOAD`, `MALLOC_CONF`. Pure but for opening the
//! libraries that are named.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::command::doctor::check::allocator;
use crate::command::doctor::check::linked;
use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::search::{Libraries, Object, Search};

const ABOUT: &str = "environment";

/// The variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    pub(crate) preload: Option<OsString>,
    pub(crate) malloc_conf: Option<OsString>,
}

/// A library that is preloaded already.
struct Preloaded {
    name: String,
    /// Nothing when it is not found.
    object: Option<Object>,
    is_ours: bool,
}

/// What the variables mean for `program`, whose `libraries` come behind all that is preloaded.
pub(crate) fn findings(
    variables: &Variables,
    ours: Option<&Path>,
    program: &Object,
    libraries: &Libraries,
    search: &Search,
) -> Vec<Finding> {
    let names = names(variables.preload.as_deref().unwrap_or_default());
    let preloaded: Vec<Preloaded> = names
        .into_iter()
        .map(|name| {
            let object = search.find(&name, program, program);
            let is_ours = object
                .as_ref()
                .is_some_and(|object| same(&object.path, ours));
            Preloaded {
                name,
                object,
                is_ours,
            }
        })
        .collect();
    let mut findings = preload(&preloaded);
    let objects = preloaded.iter().filter_map(|one| one.object.as_ref());
    let mut behind = objects.chain(&libraries.found);
    let profiles = asks_for_profile(variables.malloc_conf.as_deref().unwrap_or_default());
    if profiles && behind.any(is_jemalloc) {
        let text = "MALLOC_CONF asks the jemalloc behind us for a profile too: both write";
        let advice = "take prof:true out of MALLOC_CONF; MALLOSCOPE_CONF is for us alone";
        findings.push(Finding::note(ABOUT, text).instead(advice));
    }
    findings
}

/// The loader splits at colons and blanks.
fn names(preload: &OsStr) -> Vec<String> {
    let names = preload.as_bytes().split(|b| matches!(b, b':' | b' '));
    let names = names.filter(|name| !name.is_empty());
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn preload(preloaded: &[Preloaded]) -> Vec<Finding> {
    let own_place = preloaded.iter().position(|one| one.is_ours);
    let of_one = |(place, one): (usize, &Preloaded)| match &one.object {
        _ if one.is_ours => None,
        None => {
            let text = format!("LD_PRELOAD names {}, which cannot be loaded", one.name);
            Some(Finding::note(ABOUT, text))
        }
        Some(object) if !linked::is_allocator(object) => None,
        Some(_) if own_place.is_some_and(|own| own > place) => {
            let text = format!(
                "LD_PRELOAD has {} before libmalloscope.so: its malloc is the one that is called",
                one.name
            );
            Some(Finding::problem(ABOUT, text).instead("put libmalloscope.so first"))
        }
        Some(_) => {
            let text = format!(
                "LD_PRELOAD has an allocator: {}, which works behind us",
                one.name
            );
            let advice = "libmalloscope.so must come first, as malloscope run has it";
            Some(Finding::ok(ABOUT, text).instead(advice))
        }
    };
    preloaded.iter().enumerate().filter_map(of_one).collect()
}

fn same(path: &Path, other: Option<&Path>) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    other.is_some_and(|other| canonical(path).is_some_and(|p| canonical(other) == Some(p)))
}

fn is_jemalloc(library: &Object) -> bool {
    let mut carried = allocator::carried(&library.image).into_iter();
    library.image.exports_malloc() && carried.any(|one| one.brand.is_jemalloc())
}

/// The last pair wins.
fn asks_for_profile(conf: &OsStr) -> bool {
    let pairs = conf.as_bytes().split(|b| *b == b',');
    let last = pairs
        .filter_map(|pair| pair.strip_prefix(b"prof:"))
        .next_back();
    last == Some(b"true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::{Image, Symbol};

    fn preloaded(name: &str, symbols: &[&str], is_ours: bool) -> Preloaded {
        let symbol = |name: &&str| Symbol {
            name: (*name).to_owned(),
            exported: true,
        };
        let image = Image {
            symbols: symbols.iter().map(symbol).collect(),
            ..Image::default()
        };
        let path = name.into();
        Preloaded {
            name: name.to_owned(),
            object: Some(Object { path, image }),
            is_ours,
        }
    }

    fn verdicts(list: &[Preloaded]) -> Vec<Severity> {
        preload(list)
            .iter()
            .map(|finding| finding.verdict)
            .collect()
    }

    #[test]
    fn the_loader_splits_at_colons_and_blanks() {
        assert_eq!(
            names(OsStr::new("/a.so:b.so  c.so:")),
            ["/a.so", "b.so", "c.so"]
        );
        assert_eq!(names(OsStr::new("")), [""; 0]);
    }

    #[test]
    fn ours_comes_before_every_allocator() {
        let ours = || preloaded("libmalloscope.so", &["malloc"], true);
        let jemalloc = || preloaded("libjemalloc.so.2", &["malloc", "mallctl"], false);
        let other = || preloaded("libother.so", &[], false);
        assert_eq!(verdicts(&[jemalloc(), ours()]), [Severity::Problem]);
        assert_eq!(verdicts(&[ours(), jemalloc()]), [Severity::Ok]);
        assert_eq!(verdicts(&[jemalloc()]), [Severity::Ok]);
        assert_eq!(verdicts(&[other(), ours()]), []);
        assert!(is_jemalloc(&jemalloc().object.expect("a library")));
    }

    #[test]
    fn what_cannot_be_loaded_is_told() {
        let gone = Preloaded {
            name: "/nowhere.so".to_owned(),
            object: None,
            is_ours: false,
        };
        assert_eq!(verdicts(&[gone]), [Severity::Note]);
    }

    #[test]
    fn the_last_wish_counts() {
        let asks = |conf: &str| asks_for_profile(OsStr::new(conf));
        assert!(asks("narenas:1,prof:true"));
        assert!(!asks("prof:true,prof:false"));
        assert!(!asks("lg_prof_sample:19"));
    }
}

//! The allocators that programs bring along, and how each is recognised. Pure.
//!
//! Sources: the public symbols and messages of jemalloc 5.3, gperftools 2.10, google/tcmalloc,
//! mimalloc 2.0, rpmalloc, snmalloc.

use std::sync::LazyLock;

use regex::bytes::RegexSet;

/// An allocator by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Brand {
    pub(crate) name: &'static str,
    /// How the names of its libraries begin.
    libraries: &'static [&'static str],
    /// Functions that it alone defines. jemalloc's may stand behind a prefix.
    symbols: &'static [&'static str],
    /// A message that its builds hold. One letter in brackets, or this program would find itself.
    message: Option<&'static str>,
}

const JEMALLOC: &str = "jemalloc";

/// All that are known.
static BRANDS: [Brand; 5] = [
    Brand {
        name: JEMALLOC,
        libraries: &["libjemalloc."],
        symbols: &["mallctl", "mallocx", "sdallocx"],
        message: Some("<[j]emalloc>: Malformed conf string"),
    },
    Brand {
        name: "tcmalloc",
        libraries: &["libtcmalloc"],
        symbols: &["tc_malloc", "TCMallocInternalMalloc"],
        message: Some("[T]CMALLOC_LARGE_ALLOC_REPORT_THRESHOLD"),
    },
    Brand {
        name: "mimalloc",
        libraries: &["libmimalloc"],
        symbols: &["mi_malloc", "mi_malloc_aligned", "mi_heap_malloc"],
        message: Some("[e]nvironment option mimalloc_%s has an invalid"),
    },
    Brand {
        name: "rpmalloc",
        libraries: &["librpmalloc"],
        symbols: &["rpmalloc"],
        message: None,
    },
    Brand {
        name: "snmalloc",
        libraries: &["libsnmalloc"],
        symbols: &["sn_malloc", "sn_rust_alloc"],
        message: None,
    },
];

/// Prefixes of jemalloc under which even its plain names are recognised: redis', Rust's.
const PREFIXES: [&str; 2] = ["je_", "_rjem_"];

/// What one Go binary has and nothing else.
pub(crate) const GO: &str = "runtime.mallocgc";

/// The runtime of a sanitizer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sanitizer {
    pub(crate) name: &'static str,
    /// The function that starts it.
    start: &'static str,
    /// It ends the program when a library stands before it; the others work behind one (tried
    /// with GCC 12).
    pub(crate) refuses: bool,
}

static SANITIZERS: [Sanitizer; 5] = [
    Sanitizer {
        name: "AddressSanitizer",
        start: "__asan_init",
        refuses: true,
    },
    Sanitizer {
        name: "HWAddressSanitizer",
        start: "__hwasan_init",
        refuses: true,
    },
    Sanitizer {
        name: "MemorySanitizer",
        start: "__msan_init",
        refuses: true,
    },
    Sanitizer {
        name: "ThreadSanitizer",
        start: "__tsan_init",
        refuses: false,
    },
    Sanitizer {
        name: "LeakSanitizer",
        start: "__lsan_init",
        refuses: false,
    },
];

impl Brand {
    pub(crate) fn is_jemalloc(&self) -> bool {
        self.name == JEMALLOC
    }
}

/// True for the functions by which any of these is recognised.
pub(crate) fn is_watched(name: &str) -> bool {
    name == "malloc" || name == GO || sanitizer(name).is_some() || by_symbol(name).is_some()
}

/// The sanitizer that `name` starts.
pub(crate) fn sanitizer(name: &str) -> Option<&'static Sanitizer> {
    SANITIZERS.iter().find(|sanitizer| sanitizer.start == name)
}

/// The allocator that defines `name`, and the prefix its functions carry.
pub(crate) fn by_symbol(name: &str) -> Option<(&'static Brand, &str)> {
    let prefixed = name.strip_suffix("malloc");
    if let Some(prefix) = prefixed.filter(|prefix| PREFIXES.contains(prefix)) {
        return Some((&BRANDS[0], prefix));
    }
    BRANDS.iter().find_map(|brand| {
        let prefix = brand
            .symbols
            .iter()
            .find_map(|own| name.strip_suffix(own))?;
        let fits = prefix.is_empty() || (brand.is_jemalloc() && prefix.ends_with('_'));
        fits.then_some((brand, prefix))
    })
}

/// The allocator that a library is, by its file name.
pub(crate) fn by_library(file_name: &str) -> Option<&'static Brand> {
    let is_one = |brand: &&Brand| brand.libraries.iter().any(|l| file_name.starts_with(l));
    BRANDS.iter().find(is_one)
}

/// In the order of the patterns.
fn talkative() -> impl Iterator<Item = &'static Brand> {
    BRANDS.iter().filter(|brand| brand.message.is_some())
}

/// The allocators whose messages stand in `text`.
pub(crate) fn in_text(text: &[u8]) -> Vec<&'static Brand> {
    static MESSAGES: LazyLock<RegexSet> = LazyLock::new(|| {
        RegexSet::new(talkative().filter_map(|brand| brand.message)).expect("patterns of ours")
    });
    let found = MESSAGES.matches(text);
    let brands = talkative()
        .enumerate()
        .filter(|(index, _)| found.matched(*index));
    brands.map(|(_, brand)| brand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &[u8]) -> Vec<&'static str> {
        in_text(text).iter().map(|brand| brand.name).collect()
    }

    #[test]
    fn prefixes_are_jemallocs_alone() {
        let brand = |name| by_symbol(name).map(|(brand, prefix)| (brand.name, prefix));
        assert_eq!(brand("mallctl"), Some(("jemalloc", "")));
        assert_eq!(brand("je_mallctl"), Some(("jemalloc", "je_")));
        assert_eq!(brand("_rjem_mallctl"), Some(("jemalloc", "_rjem_")));
        assert_eq!(brand("je_arrow_mallctl"), Some(("jemalloc", "je_arrow_")));
        assert_eq!(brand("_rjem_malloc"), Some(("jemalloc", "_rjem_")));
        assert_eq!(brand("je_malloc"), Some(("jemalloc", "je_")));
        assert_eq!(brand("sds_malloc"), None);
        assert_eq!(brand("ctl_mallctlbymib"), None);
        assert_eq!(brand("mi_malloc"), Some(("mimalloc", "")));
        assert_eq!(brand("semi_malloc"), None);
        assert_eq!(brand("zmalloc"), None);
        assert!(is_watched("malloc") && is_watched("__asan_init"));
        assert!(!is_watched("free"));
    }

    #[test]
    fn libraries_are_recognised_by_name() {
        let brand = |name| by_library(name).map(|brand| brand.name);
        assert_eq!(brand("libjemalloc.so.2"), Some("jemalloc"));
        assert_eq!(brand("libtcmalloc_minimal.so.4"), Some("tcmalloc"));
        assert_eq!(brand("libmimalloc-secure.so.2.0"), Some("mimalloc"));
        assert_eq!(brand("libtalloc.so.2"), None);
    }

    #[test]
    fn messages_survive_strip_and_are_not_our_own() {
        assert_eq!(
            names(b"\0<jemalloc>: Malformed conf string\n\0"),
            ["jemalloc"]
        );
        let own: String = talkative().filter_map(|brand| brand.message).collect();
        assert_eq!(names(own.as_bytes()), [""; 0]);
    }
}

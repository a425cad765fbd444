//! Allocators inside the executable itself, which a preload never comes before. Pure.
//!
//! The loader asks the executable first, then the preloaded libraries, then its own libraries
//! (ld.so(8)): a `malloc` that the executable exports is the one that all call, one under another
//! name is called past us.

use crate::command::doctor::finding::Finding;
use crate::command::doctor::target::brand::{self, Brand, GO};
use crate::command::doctor::target::image::Image;
use crate::command::doctor::target::search::Object;

const ABOUT: &str = "allocator";

/// An allocator that a file brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) brand: &'static Brand,
    /// What stands before the names of its functions; unknown after `strip`.
    pub(crate) prefix: Option<String>,
}

impl Carried {
    /// `jemalloc (je_)`.
    pub(crate) fn name(&self) -> String {
        match self.prefix.as_deref() {
            Some("") | None => self.brand.name.to_owned(),
            Some(prefix) => format!("{} ({prefix})", self.brand.name),
        }
    }
}

/// All that `image` brings along, recognised by symbols, else by messages.
pub(crate) fn carried(image: &Image) -> Vec<Carried> {
    let mut all: Vec<Carried> = Vec::new();
    let by_symbols = image.symbols.iter().filter_map(|symbol| {
        let (brand, prefix) = brand::by_symbol(&symbol.name)?;
        let prefix = Some(prefix.to_owned());
        Some(Carried { brand, prefix })
    });
    let prefix = None;
    let by_texts = image.texts.iter().map(|brand| Carried {
        brand,
        prefix: prefix.clone(),
    });
    for one in by_symbols.chain(by_texts) {
        if !all.iter().any(|known| known.brand == one.brand) {
            all.push(one);
        }
    }
    all
}

/// The profilers that remain for a program into which nothing can be preloaded.
pub(crate) fn own_profiler(program: &Object) -> Option<Finding> {
    let carried = carried(&program.image);
    let one = carried.first()?;
    let text = format!("{} has {} linked in", program.path.display(), one.name());
    Some(Finding::note(ABOUT, text).instead(advice(program, Some(one))))
}

/// What the executable's own allocators mean. `only_on_request` names one that the program's
/// runtime brings along and does not use by itself.
pub(crate) fn findings(program: &Object, only_on_request: Option<&str>) -> Vec<Finding> {
    let image = &program.image;
    let shown = program.path.display();
    if image.is_go || image.symbol(GO).is_some() {
        let text = format!(
            "{shown} is a Go program: its heap passes no malloc, at most its C code is seen"
        );
        let advice =
            "pprof sees it: import net/http/pprof, then go tool pprof URL/debug/pprof/heap";
        return vec![Finding::problem(ABOUT, text).instead(advice)];
    }
    let carried = carried(image);
    if let Some(malloc) = image.symbol("malloc") {
        return vec![own_malloc(program, malloc.exported, carried.first())];
    }
    let findings: Vec<Finding> = carried
        .iter()
        .map(|one| past_us(program, one, only_on_request == Some(one.brand.name)))
        .collect();
    if !findings.is_empty() {
        return findings;
    }
    vec![Finding::ok(
        ABOUT,
        "it brings no allocator of its own: its calls of malloc reach us",
    )]
}

fn own_malloc(program: &Object, exported: bool, carried: Option<&Carried>) -> Finding {
    let shown = program.path.display();
    let whose = carried.map_or("a malloc of its own".to_owned(), |one| {
        format!("the malloc of {}", one.name())
    });
    let text = if exported {
        format!(
            "{shown} exports {whose}, which the loader finds before any preload: nothing will be seen"
        )
    } else {
        format!(
            "{shown} has {whose}, to which its calls are bound: only its libraries' calls are seen"
        )
    };
    Finding::problem(ABOUT, text).instead(advice(program, carried))
}

fn past_us(program: &Object, one: &Carried, only_on_request: bool) -> Finding {
    let shown = program.path.display();
    let name = one.name();
    if only_on_request {
        let text = format!("{shown} brings {name} along, which it uses only on request");
        return Finding::note(ABOUT, text);
    }
    let text = format!(
        "{shown} has {name} linked in, under names that are not malloc: what it takes from there \
         is not seen"
    );
    Finding::problem(ABOUT, text).instead(advice(program, Some(one)))
}

/// What to do instead.
fn advice(program: &Object, carried: Option<&Carried>) -> String {
    const REDIS: [&str; 3] = ["redis", "valkey", "keydb"];
    let name = program.name();
    let build = if REDIS.iter().any(|start| name.starts_with(start)) {
        "build it with make MALLOC=libc"
    } else if carried.is_some_and(|one| one.prefix.as_deref() == Some("_rjem_")) {
        "build it without the #[global_allocator] of jemallocator"
    } else {
        "build it with the system's malloc"
    };
    match carried {
        Some(one) if one.brand.is_jemalloc() => {
            let prefix = one.prefix.as_deref().unwrap_or_default().to_uppercase();
            format!(
                "{build}, or use jemalloc's own profiler where it was built in: \
                 {prefix}MALLOC_CONF=prof:true,prof_final:true"
            )
        }
        Some(one) if one.brand.name == "tcmalloc" => {
            format!("{build}, or use tcmalloc's own profiler: HEAPPROFILE=/tmp/heap")
        }
        _ => build.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;
    use crate::command::doctor::target::image::Symbol;

    fn program(path: &str, symbols: &[(&str, bool)]) -> Object {
        let symbol = |(name, exported): &(&str, bool)| Symbol {
            name: (*name).to_owned(),
            exported: *exported,
        };
        let image = Image {
            symbols: symbols.iter().map(symbol).collect(),
            ..Image::default()
        };
        Object {
            path: path.into(),
            image,
        }
    }

    fn said(path: &str, symbols: &[(&str, bool)]) -> (Severity, String) {
        let findings = findings(&program(path, symbols), Some("mimalloc"));
        assert_eq!(findings.len(), 1);
        (findings[0].verdict, findings[0].sentence())
    }

    #[test]
    fn an_exported_malloc_comes_before_us() {
        let (verdict, sentence) = said("/x", &[("malloc", false), ("malloc", true)]);
        assert_eq!(verdict, Severity::Problem);
        assert!(
            sentence.contains("exports a malloc of its own"),
            "{sentence}"
        );
        let (_, sentence) = said("/x", &[("tc_malloc", true), ("malloc", true)]);
        assert!(sentence.contains("the malloc of tcmalloc"), "{sentence}");
        assert!(sentence.contains("HEAPPROFILE"), "{sentence}");
        let (verdict, sentence) = said("/x", &[("malloc", false)]);
        assert_eq!(verdict, Severity::Problem);
        assert!(
            sentence.contains("to which its calls are bound"),
            "{sentence}"
        );
    }

    #[test]
    fn a_prefixed_allocator_is_called_past_us() {
        let (verdict, sentence) = said("/usr/bin/redis-server", &[("je_mallctl", false)]);
        assert_eq!(verdict, Severity::Problem);
        assert!(sentence.contains("jemalloc (je_) linked in"), "{sentence}");
        assert!(sentence.contains("make MALLOC=libc"), "{sentence}");
        assert!(sentence.contains("JE_MALLOC_CONF=prof:true"), "{sentence}");
        let (_, sentence) = said("/x", &[("_rjem_malloc", false)]);
        assert!(sentence.contains("#[global_allocator]"), "{sentence}");
        assert!(sentence.contains(" _RJEM_MALLOC_CONF"), "{sentence}");
        let (_, sentence) = said("/x", &[("sn_rust_alloc", false)]);
        assert!(sentence.contains("snmalloc"), "{sentence}");
    }

    #[test]
    fn strip_leaves_the_messages() {
        let mut stripped = program("/x", &[]);
        stripped.image.texts = brand::in_text(b"<jemalloc>: Malformed conf string");
        let findings = findings(&stripped, None);
        assert_eq!(findings[0].verdict, Severity::Problem);
        assert!(findings[0].text.contains("has jemalloc linked in"));
    }

    #[test]
    fn go_has_its_own_profiler() {
        let (verdict, sentence) = said("/x", &[(GO, false)]);
        assert_eq!(verdict, Severity::Problem);
        assert!(sentence.contains("pprof"), "{sentence}");
    }

    #[test]
    fn what_is_not_used_is_no_problem() {
        assert_eq!(said("/x", &[("mi_malloc", false)]).0, Severity::Note);
        assert_eq!(said("/x", &[]).0, Severity::Ok);
    }
}

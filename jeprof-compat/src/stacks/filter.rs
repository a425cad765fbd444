//! Which frames and which stacks take part: the allocator's own frames go, `--focus` and `--ignore`
//! choose among the stacks.

use super::forwarding;
use super::pattern::Pattern;
pub use super::site::{Site, sites};
use crate::profile::model::{LocationId, Profile, Sample, Seen};

/// The stacks a user asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only stacks with a frame that matches.
    pub focus: Option<Pattern>,
    /// No stack with a frame that matches.
    pub ignore: Option<Pattern>,
    /// Only frames that match.
    pub retain: Option<Pattern>,
    /// No frame that matches.
    pub exclude: Option<Pattern>,
}

impl Filter {
    /// Takes out the frames that were not asked for, by name or, where there is none, by address.
    pub fn frames(&self, sites: &mut Vec<Site<'_>>) {
        if let Some(retain) = &self.retain {
            sites.retain(|site| is_named(site, retain));
        }
        if let Some(exclude) = &self.exclude {
            sites.retain(|site| !is_named(site, exclude));
        }
    }

    /// What is to be said where an expression was given up, on texts that it takes for ever for.
    pub fn given_up(&self) -> Option<String> {
        let all = [&self.focus, &self.ignore, &self.retain, &self.exclude];
        let mut tried = all
            .into_iter()
            .flatten()
            .filter(|pattern| pattern.given_up() > 0);
        let pattern = tried.next()?.as_str();
        Some(format!(
            "{pattern}: this expression takes too long on some names, which count as if it did not match them"
        ))
    }

    /// True when a stack takes part: as in `jeprof`, a frame matches by its name, by
    /// `file:line` or by its address in sixteen hex digits.
    pub fn keeps(&self, sites: &[Site<'_>]) -> bool {
        let focused = self
            .focus
            .as_ref()
            .is_none_or(|re| sites.iter().any(|s| matches(s, re)));
        let ignored = self
            .ignore
            .as_ref()
            .is_some_and(|re| sites.iter().any(|s| matches(s, re)));
        focused && !ignored
    }
}

fn is_named(site: &Site<'_>, re: &Pattern) -> bool {
    match site.line {
        Some(line) => re.is_match(line.short()),
        None => re.is_match(&format!("{:016x}", site.location.address)),
    }
}

fn matches(site: &Site<'_>, re: &Pattern) -> bool {
    if site.depth == 0 && re.is_match(&format!("{:016x}", site.location.address)) {
        return true;
    }
    let Some(line) = site.line else {
        return site.mapping.is_some_and(|m| re.is_match(&m.path));
    };
    re.is_match(line.short())
        || (line.short.is_some() && re.is_match(&line.function))
        || line
            .file
            .as_ref()
            .is_some_and(|f| re.is_match(&place(f, line.line)))
}

/// `file:line` as `addr2line` prints it.
pub fn place(file: &str, line: Option<u32>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => format!("{file}:?"),
    }
}

/// The stack of `sample`, leaf first, without the allocator's frames and ours: everything up to and
/// including the outermost frame of an allocator goes, because what lies below it is the
/// allocator's business, and so do our own hooks wherever they stand between a caller and what it
/// called (`JNI_CreateJavaVM`). In our own dumps the first frame is one by its position: a library that
/// was moved, stripped or replaced after the run has another name for it, or none.
///
/// Where only one language is to be seen the frames of all others go, too.
pub fn outside_allocator<'a>(profile: &'a Profile, sample: &Sample) -> Vec<Site<'a>> {
    let mut sites = whole(profile, sample);
    match profile.seen {
        Seen::All => {}
        Seen::Only(language) => sites.retain(|site| {
            site.location.managed
                && site
                    .line
                    .is_some_and(|line| line.language == Some(language))
        }),
        Seen::Native => sites.retain(|site| {
            let is_cut = site.line.is_some_and(|line| line.is_cut);
            is_cut || !site.location.managed
        }),
    }
    sites
}

/// The same, of all languages.
pub fn whole<'a>(profile: &'a Profile, sample: &Sample) -> Vec<Site<'a>> {
    let mut sites = all(profile, sample);
    let cut = cut(profile, sample, &sites);
    sites.drain(..cut);
    sites.retain(|site| !in_modules(site, &["libmalloscope"]));
    forwarding::drop(&mut sites);
    sites
}

/// How many places of a stack, from its leaf on, are the allocator's alone.
pub fn inside_allocator(profile: &Profile, sample: &Sample) -> usize {
    let mut left = cut(profile, sample, &all(profile, sample));
    let is_inside = |&&id: &&LocationId| {
        let functions = profile.location(id).lines.len().max(1);
        let is_inside = left >= functions;
        left = left.saturating_sub(functions);
        is_inside
    };
    sample.stack.iter().take_while(is_inside).count()
}

fn all<'a>(profile: &'a Profile, sample: &Sample) -> Vec<Site<'a>> {
    let stack = sample.stack.iter();
    stack.flat_map(|&id| sites(profile, id)).collect()
}

/// How many functions of a stack, from its leaf on, are the allocator's.
fn cut(profile: &Profile, sample: &Sample, sites: &[Site<'_>]) -> usize {
    let leaf = sample.stack.first().map(|&id| profile.location(id));
    let hook = leaf.filter(|leaf| profile.leaf_is_hook && !leaf.managed);
    let by_position = hook.map_or(0, |hook| hook.lines.len().max(1));
    let behind = sites.iter().skip(by_position);
    let by_module = by_position + behind.take_while(|s| in_allocator_module(s)).count();
    let by_name = sites.iter().rposition(is_allocator).map_or(0, |at| at + 1);
    by_module.max(by_name)
}

/// Allocators are often stripped, or leave `malloc` by a tail call: then no frame bears the
/// name, and the module decides.
fn in_allocator_module(site: &Site<'_>) -> bool {
    in_modules(
        site,
        &["libmalloscope", "libjemalloc", "libtcmalloc", "libmimalloc"],
    )
}

fn in_modules(site: &Site<'_>, modules: &[&str]) -> bool {
    let file = site.mapping.map_or("", |mapping| mapping.file_name());
    modules.iter().any(|module| file.starts_with(module))
}

/// True for a frame that bears an allocator's name.
pub fn is_allocator(site: &Site<'_>) -> bool {
    let managed = site.location.managed;
    !managed
        && site
            .line
            .is_some_and(|line| is_allocator_name(line.short()))
}

/// The names that `jeprof` takes for an allocator's entry, and those of later allocators.
fn is_allocator_name(name: &str) -> bool {
    const PREFIXES: [&str; 6] = ["__libc_", "_rjem_", "je_", "mi_", "tc_", "_"];
    if let Some(rest) = name.strip_prefix("operator new") {
        return is_end_of_operator(rest);
    }
    let bare = PREFIXES
        .iter()
        .find_map(|p| name.strip_prefix(p))
        .unwrap_or(name);
    is_entry(name) || is_entry(bare) || is_inner(name)
}

/// Nothing, `[]`, parameters or a symbol version: any other word makes it another function.
fn is_end_of_operator(rest: &str) -> bool {
    let rest = rest.strip_prefix("[]").unwrap_or(rest);
    rest.is_empty() || rest.starts_with('(') || rest.starts_with('@')
}

/// Entries that allocators export bare as well as under a prefix of their own.
fn is_entry(name: &str) -> bool {
    matches!(
        name,
        "malloc"
            | "calloc"
            | "realloc"
            | "reallocarray"
            | "memalign"
            | "posix_memalign"
            | "aligned_alloc"
            | "valloc"
            | "pvalloc"
            | "free"
            | "cfree"
            | "mallocx"
            | "rallocx"
            | "xallocx"
            | "dallocx"
            | "sdallocx"
            | "sdallocx_noflags"
    )
}

/// Names that occur only as they are.
fn is_inner(name: &str) -> bool {
    let exact = matches!(
        name,
        "tc_new"
            | "tc_newarray"
            | "tc_new_nothrow"
            | "tc_newarray_nothrow"
            | "mi_new"
            | "newImpl"
            | "void* newImpl"
            | "do_malloc"
            | "::do_malloc"
            | "::do_malloc_or_cpp_alloc"
            | "DoSampledAllocation"
            | "simple_alloc::allocate"
            | "__malloc_alloc_template::allocate"
            | "__builtin_new"
            | "__builtin_vec_new"
    );
    exact || name.contains("TCMalloc") || name.starts_with("tcmalloc::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId, Mapping};

    /// A profile with one stack, leaf first: each location is a module and its lines, innermost
    /// first, parted by `<`.
    fn profile(stack: &[(&str, &str)]) -> Profile {
        let mut profile = Profile::default();
        let mut sample = Sample::default();
        for (at, (module, lines)) in stack.iter().enumerate() {
            profile.mappings.push(Mapping {
                path: (*module).into(),
                ..Mapping::default()
            });
            let line = |name: &str| Line {
                function: name.into(),
                ..Line::default()
            };
            let lines = lines
                .split('<')
                .filter(|l| !l.is_empty())
                .map(line)
                .collect();
            let address = 0x1000 + at as u64;
            let mapping = Some(at);
            profile.locations.push(Location {
                address,
                mapping,
                lines,
                ..Location::default()
            });
        }
        sample.stack = (0..stack.len() as u32).map(LocationId).collect();
        profile.samples.push(sample);
        profile
    }

    fn names(profile: &Profile) -> Vec<&str> {
        let sites = outside_allocator(profile, &profile.samples[0]);
        sites
            .iter()
            .map(|s| s.line.map_or("?", |l| &l.function))
            .collect()
    }

    #[test]
    fn everything_up_to_the_outermost_allocator_frame_goes() {
        let nested = profile(&[
            ("/jemalloc", "prof_backtrace"),
            ("/a", "malloc"),
            ("/b", "operator new(unsigned long)"),
            ("/app", "leak"),
            ("/app", "main"),
        ]);
        assert_eq!(names(&nested), ["leak", "main"]);
        let jemalloc = profile(&[
            ("/a", "je_malloc_default"),
            ("/a", "je_malloc"),
            ("/app", "f"),
        ]);
        assert_eq!(names(&jemalloc), ["f"]);
    }

    #[test]
    fn an_inlined_allocator_leaves_its_caller() {
        let inlined = profile(&[("/a", "malloc<wrapper<outer"), ("/app", "main")]);
        assert_eq!(names(&inlined), ["wrapper", "outer", "main"]);
    }

    #[test]
    fn namesakes_of_an_allocator_stay() {
        for name in [
            "os::malloc",
            "my_malloc",
            "operator newer",
            "new",
            "mallocator",
            "_new",
        ] {
            let stack = profile(&[("/app", name), ("/app", "main")]);
            assert_eq!(names(&stack), [name, "main"]);
        }
    }

    #[test]
    fn an_allocator_without_names_is_known_by_its_module() {
        let stripped = profile(&[
            ("/usr/lib/libmalloscope.so", ""),
            ("/usr/lib/libmalloscope.so", ""),
            ("/app", "f"),
            ("/usr/lib/libjemalloc.so.2", "a_thread_of_the_allocator"),
        ]);
        assert_eq!(names(&stripped), ["f", "a_thread_of_the_allocator"]);
        assert!(names(&profile(&[("/x", "malloc")])).is_empty());
    }

    #[test]
    fn our_own_hooks_go_wherever_they_stand() {
        let stack = profile(&[
            ("/usr/lib/libjvm.so", "JNI_CreateJavaVM"),
            ("/opt/libmalloscope.so", "create"),
            ("/usr/lib/libjli.so", "JavaMain"),
        ]);
        assert_eq!(names(&stack), ["JNI_CreateJavaVM", "JavaMain"]);
    }

    #[test]
    fn our_own_hook_goes_by_its_position() {
        for hook in ["", "another_function", "inlined<another_function"] {
            let mut replaced = profile(&[
                ("/opt/renamed.so", hook),
                ("/usr/lib/libmalloscope.so", ""),
                ("/app", "f"),
                ("/app", "main"),
            ]);
            replaced.leaf_is_hook = true;
            assert_eq!(names(&replaced), ["f", "main"], "{hook}");
        }
        let mut bare = profile(&[("/opt/renamed.so", "")]);
        bare.leaf_is_hook = true;
        assert!(names(&bare).is_empty());
    }

    #[test]
    fn focus_and_ignore_look_at_names_places_and_addresses() {
        let mut stack = profile(&[("/app", "leak"), ("/app", "main")]);
        stack.locations[1].lines[0].file = Some("/src/main.c".into());
        stack.locations[1].lines[0].line = Some(7);
        let sites = outside_allocator(&stack, &stack.samples[0]);
        let keeps = |focus: &str, ignore: &str| {
            let re = |s: &str| (!s.is_empty()).then(|| s.parse().unwrap());
            Filter {
                focus: re(focus),
                ignore: re(ignore),
                ..Filter::default()
            }
            .keeps(&sites)
        };
        assert!(keeps("", "") && keeps("^leak$", "") && keeps("main.c:7$", ""));
        assert!(keeps("0000000000001001", ""));
        assert!(!keeps("leak|nothing", "main") && !keeps("nothing", ""));
        assert!(keeps("^(?!main)", "") && !keeps("^(?!main|leak|/src|0000)", ""));
    }

    #[test]
    fn retain_and_exclude_choose_among_frames() {
        let stack = profile(&[("/app", "leak"), ("/app", "parse"), ("/app", "main")]);
        let left = |retain: &str, exclude: &str| {
            let re = |s: &str| (!s.is_empty()).then(|| s.parse().unwrap());
            let filter = Filter {
                retain: re(retain),
                exclude: re(exclude),
                ..Filter::default()
            };
            let mut sites = outside_allocator(&stack, &stack.samples[0]);
            filter.frames(&mut sites);
            let names = sites.iter().filter_map(|site| site.line);
            names
                .map(|line| line.short().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(left("a", ""), ["leak", "parse", "main"]);
        assert_eq!(left("a", "^p"), ["leak", "main"]);
        assert!(left("nothing", "").is_empty());
    }
}

//! The places in a program's own code that hold the most: who is to blame when a wrapper calls
//! malloc. Called by `summary`; pure.

use std::collections::HashMap;

use crate::stacks::{Frame, FrameId, FrameKind, NamedProfile, NamedStack};

/// A place that asks for memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CallSite {
    /// The frame a person can act on.
    pub(super) frame: Frame,
    /// Who calls it, in most of the cases.
    pub(super) caller: Option<Frame>,
    /// What is live there.
    pub(super) value: f64,
}

/// Modules of which no function is ever the culprit.
const GLUE_MODULES: [&str; 10] = [
    "libc.so",
    "libc-",
    "ld-linux",
    "ld-",
    "libstdc++.so",
    "libc++.so",
    "libc++abi.so",
    "libm.so",
    "libpthread",
    "libgcc_s.so",
];

/// Wrappers around malloc inside the runtimes and libraries that everybody uses.
const WRAPPERS: [&str; 33] = [
    "__rust_alloc",
    "__rdl_alloc",
    "alloc::alloc::",
    "alloc::raw_vec::",
    "<alloc::alloc::Global",
    "<alloc::raw_vec::",
    "std::sys::alloc::",
    "os::malloc",
    "os::realloc",
    "AllocateHeap",
    "ReallocateHeap",
    "Chunk::operator new",
    "Arena::grow",
    "ruby_xmalloc",
    "ruby_xcalloc",
    "ruby_xrealloc",
    "rb_xmalloc",
    "rb_xcalloc",
    "rb_xrealloc",
    "objspace_x",
    "PyMem_",
    "PyObject_Malloc",
    "_PyObject_Malloc",
    "_PyObject_Realloc",
    "pymalloc_alloc",
    "new_arena",
    "allocate_from_new_pool",
    "_PyMem_",
    "CRYPTO_malloc",
    "CRYPTO_zalloc",
    "CRYPTO_realloc",
    "g_malloc",
    "g_realloc",
];

/// Names that many programs give to a malloc of their own.
const OWN_WRAPPERS: [&str; 6] = [
    "xmalloc", "xcalloc", "xrealloc", "xstrdup", "zmalloc", "zcalloc",
];

/// The biggest call sites, largest first.
pub(super) fn biggest(profile: &NamedProfile, count: usize) -> Vec<CallSite> {
    let mut sums: HashMap<FrameId, f64> = HashMap::new();
    let mut callers: HashMap<FrameId, HashMap<FrameId, f64>> = HashMap::new();
    for stack in &profile.stacks {
        let at = culprit(profile, stack);
        let id = stack.frames[at];
        *sums.entry(id).or_default() += stack.value;
        // Recursion does not explain who calls.
        let caller = stack.frames[at..].iter().find(|frame| **frame != id);
        if let Some(caller) = caller {
            *callers.entry(id).or_default().entry(*caller).or_default() += stack.value;
        }
    }
    let mut sites: Vec<(FrameId, f64)> = sums.into_iter().filter(|s| s.1 > 0.0).collect();
    sites.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sites.truncate(count);
    sites
        .into_iter()
        .map(|(id, value)| CallSite {
            frame: profile.frame(id).clone(),
            caller: callers.get(&id).and_then(|c| main_caller(profile, c)),
            value,
        })
        .collect()
}

/// The first frame that is not glue and has a name; when there is none, the first that is not
/// glue, else the leaf.
fn culprit(profile: &NamedProfile, stack: &NamedStack) -> usize {
    let first = |wanted: &dyn Fn(&Frame) -> bool| {
        let mut frames = stack.frames.iter();
        frames.position(|id| wanted(profile.frame(*id)))
    };
    first(&|frame| !is_glue(frame) && frame.kind != FrameKind::Unresolved)
        .or_else(|| first(&|frame| !is_glue(frame)))
        .unwrap_or(0)
}

fn is_glue(frame: &Frame) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    GLUE_MODULES.iter().any(|glue| module.starts_with(glue))
        || WRAPPERS
            .iter()
            .any(|wrapper| frame.name.starts_with(wrapper))
        || OWN_WRAPPERS.contains(&frame.name.as_str())
}

fn main_caller(profile: &NamedProfile, callers: &HashMap<FrameId, f64>) -> Option<Frame> {
    let most = callers
        .iter()
        .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)))?;
    Some(profile.frame(*most.0).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::profile;

    fn names(profile: &NamedProfile) -> Vec<(String, String, f64)> {
        let name = |frame: Frame| frame.name;
        biggest(profile, 2)
            .into_iter()
            .map(|s| {
                (
                    s.frame.name,
                    s.caller.map(name).unwrap_or_default(),
                    s.value,
                )
            })
            .collect()
    }

    #[test]
    fn wrappers_are_not_to_blame() {
        let mut profile = profile(&[
            "main;parse;xmalloc 10",
            "main;load;strdup 20",
            "main;parse;parse;xmalloc 15",
            "main;small 1",
        ]);
        let strdup = profile.frames.iter_mut().find(|f| f.name == "strdup");
        strdup.unwrap().module = Some("libc.so.6".to_owned());
        assert_eq!(
            names(&profile),
            [
                ("parse".to_owned(), "main".to_owned(), 25.0),
                ("load".to_owned(), "main".to_owned(), 20.0)
            ]
        );
    }

    #[test]
    fn a_name_tells_more_than_an_address() {
        let mut profile = profile(&["main;deflateInit2_;libruby.so+0xd8460 3"]);
        let bare = profile.frames.iter_mut().find(|f| f.name.contains("+0x"));
        bare.unwrap().kind = FrameKind::Unresolved;
        assert_eq!(
            names(&profile),
            [("deflateInit2_".to_owned(), "main".to_owned(), 3.0)]
        );
    }

    #[test]
    fn a_stack_of_glue_alone_blames_its_leaf() {
        assert_eq!(
            names(&profile(&["xmalloc 3"])),
            [("xmalloc".to_owned(), String::new(), 3.0)]
        );
    }
}

//! Where a suspect is: its culprit, the file and line, the class of its objects. Pure.

use crate::analysis::suspects::{Case, Judged};
use crate::profile::model::is_of_objects;
use crate::stacks::naming::{Frame, FrameKind};
use crate::stacks::origin::{Origin, Side};
use crate::stacks::{glue, retaining};

/// The culprit, and of which class its objects are, if they are objects; and the library that asked
/// for the memory on behalf of a script.
pub fn who(case: &Case<'_>, judged: &Judged) -> String {
    let called = called(&case.paths.frames[judged.group.culprit]);
    match (class(case, judged), case.origin(judged)) {
        (Some(class), _) => {
            let kept = Keeper::of(case, judged).filter(|keeper| keeper.called);
            let kept = kept.map_or_else(String::new, |keeper| format!(", {}", keeper.words()));
            format!("{called}, by {class}{kept}")
        }
        (None, Some(origin)) => format!(
            "{called}{}",
            beside(&case.paths.frames[judged.group.culprit], &origin)
        ),
        (None, None) => called,
    }
}

/// What keeps the blocks of a group, in the words of a stack.
pub struct Keeper {
    name: String,
    /// The code behind it, outwards.
    caller: Option<String>,
    /// It called the culprit, and not the culprit it.
    pub called: bool,
}

impl Keeper {
    /// Of the heaviest path of a group; nothing where no frame is known to keep anything.
    pub fn of(case: &Case<'_>, judged: &Judged) -> Option<Keeper> {
        let paths = &case.paths;
        let path = paths.paths.get(paths.heaviest(&judged.group.members))?;
        let frames: Vec<&Frame> = path.frames.iter().map(|at| &paths.frames[*at]).collect();
        let culprit = path
            .frames
            .iter()
            .position(|at| *at == judged.group.culprit)?;
        let at = retaining::keeper(&frames, culprit)?;
        let mut outwards = frames[at + 1..].iter();
        let caller = outwards.find(|frame| !glue::is_glue(frame));
        Some(Keeper {
            name: frames[at].name.trim_end_matches("/fn").to_owned(),
            caller: caller.map(|frame| called(frame)),
            called: at > culprit,
        })
    }

    /// `inside of clojure.core/memoize, called from user/handle (app.clj:12)`.
    pub fn words(&self) -> String {
        let caller = self.caller.as_ref();
        let caller = caller.map_or_else(String::new, |caller| format!(", called from {caller}"));
        match self.called {
            true => format!("inside of {}{caller}", self.name),
            false => format!("for {}{caller}", self.name),
        }
    }
}

/// `objects of byte[]`: the class that has most of the group.
pub fn class(case: &Case<'_>, judged: &Judged) -> Option<String> {
    let paths = &case.paths;
    let heaviest = paths.heaviest(&judged.group.members);
    let leaf = *paths.paths.get(heaviest)?.frames.first()?;
    is_of_objects(paths.kind).then(|| format!("objects of {}", paths.frames[leaf].name))
}

/// What the origin says that the culprit does not: the script behind an extension, or the extension that
/// a script called.
fn beside(culprit: &Frame, origin: &Origin) -> String {
    match (origin.side, culprit.kind, &origin.module) {
        (Side::Extension, FrameKind::Managed, Some(module)) => format!(", allocated by {module}"),
        (Side::Extension, ..) => format!(", called from {}", origin.script()),
        _ => String::new(),
    }
}

/// `app/handle (app.clj:12)`.
pub fn called(frame: &Frame) -> String {
    match place(frame) {
        place if place.is_empty() => frame.name.clone(),
        place => format!("{} ({place})", frame.name),
    }
}

/// `deflate.c:302 in libz.so.1`.
pub fn place(frame: &Frame) -> String {
    let module = frame.module.as_deref();
    match (file(frame), module) {
        (Some(file), Some(module)) => format!("{file} in {module}"),
        (Some(file), None) => file,
        (None, module) => module.unwrap_or_default().to_owned(),
    }
}

/// `deflate.c:302`.
pub fn file(frame: &Frame) -> Option<String> {
    let file = frame.file.as_deref()?;
    Some(match frame.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
}

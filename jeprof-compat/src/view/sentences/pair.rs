//! Two dumps that are compared: what they are to each other, and what makes the comparison less than it
//! seems. In sentences. Pure.

use std::path::PathBuf;

use crate::analysis::diff::How;
use crate::figures::words;
use crate::profile::identity::Identity;
use crate::profile::model::Profile;

/// A dump with whose it is.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Where it was read from.
    pub path: PathBuf,
    /// Whose it is.
    pub identity: Identity,
    /// What it holds.
    pub profile: Profile,
}

impl Taken {
    /// Its name without a directory.
    pub fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// `m.12.3.t3.heap, pid 12 at 3 s`.
    fn called(&self, redact: bool) -> String {
        let (file, name) = (self.file(), self.identity.called(redact));
        match self.identity.knows_start {
            true => format!("{file}, {name} at {}", words::duration(self.identity.at)),
            false if name == file => file,
            false => format!("{file}, {name}"),
        }
    }

    /// Where the kernel put the vdso: every start of a program has it elsewhere.
    pub fn home(&self) -> Option<u64> {
        let mut mappings = self.profile.mappings.iter();
        Some(mappings.find(|m| m.path == "[vdso]")?.start)
    }
}

/// What was compared, a line each.
pub fn title(before: &Taken, after: &Taken, how: How, redact: bool) -> Vec<String> {
    let how = match how {
        How::Process => "One process: what lives in both dumps brings no error.",
        How::Relatives => "A process and its fork child: the samples of both bring their error.",
        How::Names => "Two runs, matched by name: the samples of both bring their error.",
    };
    vec![
        format!("before: {}", before.called(redact)),
        format!("after:  {}", after.called(redact)),
        how.to_owned(),
    ]
}

/// What makes the comparison less than it seems.
pub fn notes(before: &Taken, after: &Taken, how: How, kind: Option<&str>) -> Vec<String> {
    let mut notes: Vec<String> = lacking(before, after, kind).into_iter().collect();
    let (a, b) = (&before.identity, &after.identity);
    if how == How::Process && a.at > b.at {
        notes.push(
            "The first dump is the later one: what grows in time shows as shrunk here.".to_owned(),
        );
    }
    if how == How::Relatives {
        notes.push(
            "What was sampled before the fork is in both, as far as it was not freed since."
                .to_owned(),
        );
    }
    let no_ages = [before, after]
        .iter()
        .any(|dump| dump.profile.process.epochs.is_none());
    if how == How::Process && no_ages {
        notes.push(
            "The dumps do not say how old blocks are: the band is as wide as of two runs."
                .to_owned(),
        );
    }
    for (dump, word) in [(before, "growth"), (after, "shrinkage")] {
        if dump.profile.cut_off {
            let file = dump.file();
            notes.push(format!(
                "{file} is cut off: what is missing there looks like {word}."
            ));
        }
    }
    notes
}

/// One of both should not be without samples of the kind.
fn lacking(before: &Taken, after: &Taken, kind: Option<&str>) -> Option<String> {
    let kind = kind?;
    let lacks = |dump: &&Taken| !dump.profile.other_kinds.contains_key(kind);
    let one = [before, after].into_iter().find(lacks)?;
    Some(format!(
        "{} has no samples of {kind} at all: were they asked for there?",
        one.file()
    ))
}

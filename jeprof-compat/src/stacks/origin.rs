//! Who allocated, where a language runtime is about: an extension or library that the script called, the
//! runtime on behalf of the script, or the runtime for itself. Pure.
//!
//! The native frames between malloc and the first line of a script tell it by their modules. Names are
//! not needed, so it is known of stripped libraries too, and of views that hide native frames.

use std::collections::HashMap;

use serde::Serialize;

use crate::profile::model::{Language, Profile, Sample, ValueKind};
use crate::stacks::filter::{self, Site, place};
use crate::stacks::glue;
use crate::stacks::naming::{Frame, FrameKind};

/// On whose side it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Native code that a script called: an extension, or a library behind one.
    Extension,
    /// What the script's own code made.
    Script,
    /// The runtime itself, without a script.
    Runtime,
}

/// Who allocated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// On whose side it is.
    pub side: Side,
    /// The file of the code that asked for the memory.
    pub module: Option<String>,
    /// The language of the script, by its name in dumps.
    pub language: Option<&'static str>,
    /// The function of the script that led there.
    pub function: Option<String>,
    /// Its `file:line`.
    pub line: Option<String>,
}

impl Origin {
    /// Of a stack; `None` where no runtime is in it.
    pub fn of(profile: &Profile, sample: &Sample) -> Option<Origin> {
        let sites = filter::whole(profile, sample);
        let is_class = |site: &Site<'_>| site.line.is_some_and(|line| line.is_class);
        let code = sites.get(usize::from(sites.first().is_some_and(is_class))..)?;
        let script = code.iter().position(is_script);
        let native = &code[..script.unwrap_or(code.len())];
        let own = |site: &&Site<'_>| module(site).is_some_and(|m| !glue::is_glue_module(m));
        let asked = native.iter().find(own).and_then(module);
        let is_runtime = asked.is_none_or(glue::is_runtime_module);
        let side = match (script, is_runtime, asked) {
            (Some(_), false, _) => Side::Extension,
            (Some(_), true, _) => Side::Script,
            (None, true, Some(_)) => Side::Runtime,
            (None, ..) => return None,
        };
        let caller = script.map(|first| caller(&code[first..]));
        Some(Origin {
            side,
            module: asked.map(str::to_owned),
            language: caller.and_then(language).map(Language::key),
            function: caller.and_then(|site| Some(site.line?.short().to_owned())),
            line: caller.and_then(|site| {
                let line = site.line?;
                Some(match (line.file.as_deref()?, line.line) {
                    (file, None) => file.to_owned(),
                    (file, number) => place(file, number),
                })
            }),
        })
    }

    /// `allocated by mcache.so, called from app.rb:31 (Cache#set)`.
    pub fn words(&self) -> String {
        let module = self.module.as_deref().unwrap_or("the runtime");
        match self.side {
            Side::Extension => format!("allocated by {module}, called from {}", self.script()),
            Side::Script => format!("made by {}, at {}", self.code(), self.script()),
            Side::Runtime => {
                format!("allocated by {module} for itself: no line of a program is on the stack")
            }
        }
    }

    /// Every text of it that may have come from a name.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let texts = [&mut self.module, &mut self.function, &mut self.line];
        texts.into_iter().flatten()
    }

    /// `Ruby code`.
    fn code(&self) -> &'static str {
        let language = self.language.and_then(Language::from_key);
        language.map_or("a script", Language::code)
    }

    /// `app.rb:31 (Cache#set)`.
    pub fn script(&self) -> String {
        match (&self.line, &self.function) {
            (Some(line), Some(function)) => format!("{line} ({function})"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "a script".to_owned(),
        }
    }
}

/// What each origin holds of malloc's bytes or blocks, the most first, by what it is called in a word or two.
/// Empty where there is no runtime.
pub fn shares(profiles: &[Profile], value: ValueKind) -> Vec<(String, f64)> {
    let mut sums: HashMap<String, f64> = HashMap::new();
    let mut has_runtime = false;
    for profile in profiles {
        for sample in &profile.samples {
            let origin = Origin::of(profile, sample);
            has_runtime |= origin.is_some();
            *sums.entry(called(origin)).or_default() += sample.values.get(value);
        }
    }
    let mut shares: Vec<(String, f64)> = sums.into_iter().filter(|s| s.1 > 0.0).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares.retain(|_| has_runtime);
    shares
}

fn called(origin: Option<Origin>) -> String {
    let Some(origin) = origin else {
        return "native code alone".to_owned();
    };
    let code = origin.code();
    match (origin.side, origin.module) {
        (Side::Script, _) => code.to_owned(),
        (Side::Extension, Some(module)) => module,
        (_, Some(module)) => format!("{module} for itself"),
        (_, None) => "the runtime".to_owned(),
    }
}

/// Part of a script. A thread of the runtime's own is marked where the script's frames would stand.
fn is_script(site: &Site<'_>) -> bool {
    let name = site.line.map_or("", |line| line.function.as_str());
    let of_collector = |mark: &&str| name.starts_with(*mark);
    let is_runtimes_own =
        name.ends_with(" thread]") || ["[gc", "[garbage"].iter().any(of_collector);
    let is_cut = site.line.is_some_and(|line| line.is_cut);
    site.location.managed && !is_runtimes_own && !is_cut
}

fn module<'a>(site: &Site<'a>) -> Option<&'a str> {
    let name = site.mapping.map(|mapping| mapping.file_name())?;
    (!name.is_empty()).then_some(name)
}

fn language(site: &Site<'_>) -> Option<Language> {
    site.line.and_then(|line| line.language)
}

/// The first frame of the script that is not its standard library; else the first.
fn caller<'a, 'b>(sites: &'b [Site<'a>]) -> &'b Site<'a> {
    let is_own = |site: &&Site<'_>| {
        let line = site.line.cloned().unwrap_or_default();
        let frame = Frame {
            name: line.short().to_owned(),
            file: line.file,
            line: line.line,
            language: line.language,
            kind: FrameKind::Managed,
            ..Frame::default()
        };
        site.location.managed && !frame.name.is_empty() && !glue::is_glue(&frame)
    };
    sites.iter().find(is_own).unwrap_or(&sites[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId, Mapping};

    /// Leaf first, parted by ` < `: `module:name`, or `ruby:name@file`.
    fn said(stack: &str) -> Option<(Side, String)> {
        let mut profile = Profile::default();
        let mut sample = Sample::default();
        for (at, frame) in stack.split(" < ").enumerate() {
            let (module, name) = frame.split_once(':').expect("a module");
            let language = Language::from_key(module);
            let (name, file) = name.split_once('@').unwrap_or((name, ""));
            let line = Line {
                function: name.to_owned(),
                file: (!file.is_empty()).then(|| file.to_owned()),
                line: (!file.is_empty()).then_some(31),
                language,
                ..Line::default()
            };
            profile.mappings.push(Mapping {
                path: format!("/usr/lib/{module}"),
                ..Mapping::default()
            });
            profile.locations.push(Location {
                lines: vec![line].into(),
                managed: language.is_some(),
                mapping: language.is_none().then_some(at),
                ..Location::default()
            });
        }
        let places = 0..profile.locations.len() as u32;
        sample.stack = places.map(LocationId).collect();
        let origin = Origin::of(&profile, &sample)?;
        Some((origin.side, origin.words()))
    }

    #[test]
    fn an_extension_is_told_from_the_script_and_the_runtime() {
        let script = "ruby:Cache#set@app.rb < libruby-3.1.so.3.1:rb_vm_exec";
        let (side, words) = said(&format!(
            "libc.so.6:strdup < mcache.so:f < libruby-3.1.so.3.1:call < {script}"
        ))
        .expect("an origin");
        assert_eq!(side, Side::Extension);
        assert_eq!(
            words,
            "allocated by mcache.so, called from app.rb:31 (Cache#set)"
        );
        let (side, words) =
            said(&format!("libruby-3.1.so.3.1:rb_str_plus < {script}")).expect("one");
        assert_eq!(
            (side, words.as_str()),
            (Side::Script, "made by Ruby code, at app.rb:31 (Cache#set)")
        );
        let (side, words) = said("libruby-3.1.so.3.1:gc < ruby:[garbage collection]").expect("one");
        assert_eq!(side, Side::Runtime, "{words}");
        assert_eq!(
            said(script).map(|said| said.0),
            Some(Side::Script),
            "nothing native"
        );
        let own = said("libruby-3.1.so.3.1:gc_sweep < ruby:[gc]").map(|said| said.0);
        assert_eq!(own, Some(Side::Runtime));
        let (side, words) = said("python3.11:PyMem_Malloc < libc.so.6:start").expect("one");
        assert_eq!(side, Side::Runtime);
        assert!(words.starts_with("allocated by python3.11 for itself"));
        assert_eq!(said("app:f < libc.so.6:start"), None, "no runtime at all");
    }
}

//! Stacks as plain JSON: a list of stacks, leaf first, with bytes and blocks, for scripts. A pure writer; the
//! form stands in `docs/json.md`.

use std::io::{self, Write};

use serde::Serialize;

use crate::profile::model::Language;
use crate::stacks::naming::Frame;
use crate::stacks::{FrameId, NamedProfile};

#[derive(Serialize)]
struct File<'a> {
    schema: u32,
    program: &'a str,
    frames: Vec<Function<'a>>,
    stacks: Vec<Stack>,
}

#[derive(Serialize)]
struct Function<'a> {
    function: &'a str,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    language: Option<&'static str>,
}

#[derive(Serialize)]
struct Stack {
    frames: Vec<u32>,
    bytes: f64,
    samples: Option<u64>,
}

/// Writes the stacks of one profile.
pub fn write(profile: &NamedProfile, program: &str, out: &mut impl Write) -> io::Result<()> {
    let stacks = profile.stacks.iter().map(|stack| Stack {
        frames: stack.frames.iter().map(|FrameId(at)| *at).collect(),
        bytes: stack.value,
        samples: stack.samples,
    });
    let file = File {
        schema: 1,
        program,
        frames: profile.frames.iter().map(function).collect(),
        stacks: stacks.collect(),
    };
    serde_json::to_writer(&mut *out, &file)?;
    writeln!(out)
}

fn function(frame: &Frame) -> Function<'_> {
    Function {
        function: &frame.full,
        module: frame.module.as_deref(),
        file: frame.file.as_deref(),
        line: frame.line,
        language: frame.language.map(Language::key),
    }
}

//! Stacks for speedscope, which opens the file in a browser without a network. A pure writer. The
//! format: `file-format-schema.json` of speedscope, `SampledProfile`.
//!
//! Stacks stand there root first, with weights that cannot be negative: what a base took away is left
//! out.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::stacks::NamedProfile;
use crate::stacks::naming::Frame;

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: &'a str,
    exporter: &'static str,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    shared: Shared<'a>,
    profiles: Vec<Sampled>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Sampled {
    #[serde(rename = "type")]
    shape: &'static str,
    name: &'static str,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: f64,
    #[serde(rename = "endValue")]
    end: f64,
    samples: Vec<Vec<usize>>,
    weights: Vec<f64>,
}

/// Writes the same stacks by several values; `name` is what the file is about.
pub fn write(profiles: &[NamedProfile], name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = Frames::default();
    let sampled = profiles.iter().map(|profile| frames.sampled(profile));
    let profiles = sampled.collect();
    let file = File {
        schema: SCHEMA,
        name,
        exporter: concat!("malloscope ", env!("CARGO_PKG_VERSION")),
        active: 0,
        shared: Shared {
            frames: frames.named,
        },
        profiles,
    };
    serde_json::to_writer(&mut *out, &file)?;
    writeln!(out)
}

/// The frames of all profiles, each once.
#[derive(Default)]
struct Frames<'a> {
    named: Vec<Named<'a>>,
    places: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Frames<'a> {
    fn place(&mut self, frame: &'a Frame) -> usize {
        *self
            .places
            .entry((&frame.name, frame.home()))
            .or_insert_with(|| {
                self.named.push(Named {
                    name: &frame.name,
                    file: frame.file.as_deref(),
                    line: frame.line,
                });
                self.named.len() - 1
            })
    }

    fn sampled(&mut self, profile: &'a NamedProfile) -> Sampled {
        let (name, unit) = match profile.value.is_objects() {
            true => ("live blocks", "none"),
            false => ("live bytes", "bytes"),
        };
        let (mut samples, mut weights) = (Vec::new(), Vec::new());
        for stack in profile.stacks.iter().filter(|stack| stack.value > 0.0) {
            let root_first = stack.frames.iter().rev();
            samples.push(
                root_first
                    .map(|&id| self.place(profile.frame(id)))
                    .collect(),
            );
            weights.push(stack.value);
        }
        Sampled {
            shape: "sampled",
            name,
            unit,
            start: 0.0,
            end: weights.iter().sum(),
            samples,
            weights,
        }
    }
}

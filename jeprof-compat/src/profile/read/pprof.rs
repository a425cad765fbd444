//! pprof's protobuf, as Go, Pyroscope, Parca and the agents of other languages write it. Locations keep the
//! names and lines that the file has. The messages stand in `profile::pprof_proto`.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

use super::assembly::{Assembly, mapping_named, too_big};
use super::symbolized;
use crate::profile::bounds::{self, DEEPEST, MOST_INLINED};
use crate::profile::model::{
    Line, Location, LocationId, Mapping, Measure, Profile, Sample, Values,
};
use crate::profile::pprof_proto as proto;

/// Bytes of a file: a message in memory is ten times as large.
const LARGEST: usize = 96 << 20;

/// Messages of a file.
const MOST: usize = 4_000_000;

/// Which value of a sample is which.
#[derive(Default)]
struct Columns {
    measure: Measure,
    live_objects: Option<usize>,
    live_space: Option<usize>,
    ever_objects: Option<usize>,
    ever_space: Option<usize>,
}

/// Reads a whole file, unpacked.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Profile, Vec<String>)> {
    if bytes.len() > LARGEST || messages(bytes).with_context(|| name.to_owned())? > MOST {
        bail!("{name}: larger than any profile of pprof");
    }
    let file =
        proto::Profile::decode(bytes).with_context(|| format!("{name}: not one of pprof"))?;
    let columns = columns(&file);
    let mut warnings = Vec::new();
    if columns.live_space.is_none() && columns.live_objects.is_none() {
        warnings.push(format!(
            "{name}: nothing in it says what is live, only what was allocated: --value allocated-bytes shows it"
        ));
    }
    let (profile, left_out) = Builder::new(&file).build(&columns);
    if let Some(what) = left_out {
        warnings.push(too_big(format_args!("{name}: {what}")));
    }
    if profile.samples.is_empty() {
        bail!("{name}: no sample is in it");
    }
    Ok((profile, warnings))
}

/// How many messages the file has, at its first level.
fn messages(mut bytes: &[u8]) -> Result<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let (tag, wire) = decode_key(&mut bytes)?;
        skip_field(wire, tag, &mut bytes, DecodeContext::default())?;
        count += usize::from(wire == WireType::LengthDelimited);
    }
    Ok(count)
}

fn text(file: &proto::Profile, index: i64) -> &str {
    let at = usize::try_from(index).ok();
    at.and_then(|at| file.string_table.get(at))
        .map_or("", String::as_str)
}

/// By name where the name is known, else by unit: bytes are bytes, whatever they are called.
fn columns(file: &proto::Profile) -> Columns {
    let mut columns = Columns::default();
    for (at, kind) in file.sample_type.iter().enumerate() {
        let (name, unit) = (text(file, kind.r#type), text(file, kind.unit));
        let is_ever = name.starts_with("alloc") || name.starts_with("total_alloc");
        let slot = match unit {
            "bytes" if is_ever => &mut columns.ever_space,
            "bytes" => &mut columns.live_space,
            "nanoseconds" | "microseconds" | "milliseconds" | "seconds" => {
                columns.measure = match name {
                    "delay" => Measure::Delay,
                    _ => Measure::Time,
                };
                &mut columns.live_space
            }
            _ if is_ever => &mut columns.ever_objects,
            _ => &mut columns.live_objects,
        };
        // Of several the first.
        slot.get_or_insert(at);
    }
    columns
}

struct Builder<'a> {
    file: &'a proto::Profile,
    functions: HashMap<u64, &'a proto::Function>,
    mappings: HashMap<u64, usize>,
    locations: HashMap<u64, LocationId>,
    out: Assembly,
}

impl<'a> Builder<'a> {
    fn new(file: &'a proto::Profile) -> Builder<'a> {
        let functions = file.function.iter().map(|f| (f.id, f)).collect();
        Builder {
            file,
            functions,
            mappings: HashMap::new(),
            locations: HashMap::new(),
            out: Assembly::default(),
        }
    }

    /// The profile, and where there was no room for more.
    fn build(mut self, columns: &Columns) -> (Profile, Option<String>) {
        let mut left_out = self.mappings();
        for (location, number) in self.file.location.iter().zip(1..) {
            let id = self.location(location);
            self.locations.insert(location.id, id);
            if self.out.is_full() {
                left_out.get_or_insert(format!("location {number}"));
                break;
            }
        }
        // Nanoseconds are the unit of times in the model.
        let unit = columns
            .live_space
            .and_then(|at| self.file.sample_type.get(at));
        let factor = unit.map_or(1.0, |kind| nanoseconds(text(self.file, kind.unit)));
        for (sample, number) in self.file.sample.iter().zip(1..) {
            let stack = sample.location_id.iter();
            let stack = stack
                .filter_map(|id| self.locations.get(id))
                .copied()
                .take(DEEPEST + 1)
                .collect();
            let value = |at: Option<usize>| {
                let value = at.and_then(|at| sample.value.get(at));
                value.copied().unwrap_or(0) as f64
            };
            self.out.push(Sample {
                stack,
                values: Values {
                    inuse_objects: value(columns.live_objects),
                    inuse_space: value(columns.live_space) * factor,
                    alloc_objects: value(columns.ever_objects),
                    alloc_space: value(columns.ever_space),
                },
                ..Sample::default()
            });
            if self.out.is_full() {
                left_out.get_or_insert(format!("sample {number}"));
                break;
            }
        }
        self.facts();
        let mut profile = self.out.finish();
        profile.measure = columns.measure;
        profile.period = u64::try_from(self.file.period).unwrap_or(0);
        (profile, left_out)
    }

    fn facts(&mut self) {
        let mut fact = |key: &str, nanoseconds: i64| {
            if nanoseconds > 0 {
                let value = (nanoseconds / 1_000_000).to_string();
                self.out
                    .profile
                    .process
                    .entries
                    .push((key.to_owned(), value));
            }
        };
        fact("time_unix_ms", self.file.time_nanos);
        fact("uptime_ms", self.file.duration_nanos);
        let first = self.file.mapping.first();
        let program = first.map_or("", |mapping| text(self.file, mapping.filename));
        if !program.is_empty() {
            let command = ("command".to_owned(), program.replace(' ', "%20"));
            self.out.profile.process.entries.push(command);
        }
    }

    /// In the order of their addresses, as the model has them. Says where there was no room for more.
    fn mappings(&mut self) -> Option<String> {
        let mut sorted: Vec<&proto::Mapping> = self.file.mapping.iter().collect();
        sorted.sort_by_key(|mapping| mapping.memory_start);
        for (at, mapping) in sorted.into_iter().enumerate() {
            let build_id = text(self.file, mapping.build_id);
            let path = text(self.file, mapping.filename);
            self.mappings.insert(mapping.id, at);
            self.out.count_record();
            self.out.count_bytes(build_id.len() + path.len());
            if self.out.is_full() {
                return Some(format!("mapping {at}"));
            }
            self.out.profile.mappings.push(Mapping {
                start: mapping.memory_start,
                end: mapping.memory_limit,
                offset: mapping.file_offset,
                executable: true,
                build_id: Some(build_id.to_ascii_lowercase()).filter(|id| !id.is_empty()),
                ..mapping_named(path)
            });
        }
        None
    }

    /// Lines are innermost first here, too.
    fn location(&mut self, location: &proto::Location) -> LocationId {
        let outermost = location.line.len().min(MOST_INLINED).saturating_sub(1);
        let lines = location.line.iter().take(MOST_INLINED).enumerate();
        let lines = lines.filter_map(|(depth, line)| {
            let function = self.functions.get(&line.function_id)?;
            let file = text(self.file, function.filename);
            let name = match text(self.file, function.name) {
                "" => text(self.file, function.system_name),
                name => name,
            };
            Some(Line {
                file: Some(bounds::name(file)).filter(|f| !f.is_empty()),
                line: u32::try_from(line.line).ok().filter(|l| *l > 0),
                inlined: depth < outermost,
                ..symbolized::line(name)
            })
        });
        let lines = lines.collect();
        let mapping = self.mappings.get(&location.mapping_id).copied();
        self.out.place(Location {
            address: location.address,
            mapping,
            lines,
            ..Location::default()
        })
    }
}

fn nanoseconds(unit: &str) -> f64 {
    match unit {
        "microseconds" => 1e3,
        "milliseconds" => 1e6,
        "seconds" => 1e9,
        _ => 1.0,
    }
}

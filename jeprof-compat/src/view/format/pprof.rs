//! A profile as pprof reads it: protobuf, not yet compressed. A pure writer, the same profile gives the
//! same bytes. The format: `proto/profile.proto` of google/pprof, whose messages stand in
//! `profile::pprof_proto`.
//!
//! Values are estimates, as pprof takes them, in whole numbers: what rounding leaves of one sample
//! goes to the next, so the sums are right to one. Allocated bytes are there only when the dump has
//! them. The allocator's own frames are left out; a location that loses the functions inlined into it
//! that way becomes a location of its own.

use std::collections::HashMap;

use prost::Message;

use crate::profile::model::{LocationId, Profile, Sample, ValueKind, Values};
use crate::profile::pprof_proto as proto;
use crate::stacks::filter::{self, Filter, Site};
use proto::{Function, Label, Line, Location, Mapping, ValueType};

/// In the order of Go's heap profiles.
const TYPES: [(ValueKind, &str, &str); 4] = [
    (ValueKind::AllocObjects, "alloc_objects", "count"),
    (ValueKind::AllocSpace, "alloc_space", "bytes"),
    (ValueKind::InuseObjects, "inuse_objects", "count"),
    (ValueKind::InuseSpace, "inuse_space", "bytes"),
];

/// The samples of one kind, of malloc without one.
pub fn encode(profile: &Profile, kind: Option<&str>, filter: &Filter) -> Vec<u8> {
    let samples = profile.samples_of(kind);
    let has_allocated = samples.iter().any(|s| s.values.alloc_space != 0.0);
    let types = if has_allocated {
        &TYPES[..]
    } else {
        &TYPES[2..]
    };
    let mut builder = Builder::new(profile, types);
    builder.head(kind);
    for sample in samples {
        let sites = filter::outside_allocator(profile, sample);
        if filter.keeps(&sites) {
            builder.sample(sample, &sites);
        }
    }
    builder.finish().encode_to_vec()
}

/// Whole numbers whose sum is the rounded sum, as long as that can be written.
#[derive(Default)]
struct Rounding {
    exact: f64,
    written: i64,
}

impl Rounding {
    fn next(&mut self, value: f64) -> i64 {
        self.exact += value;
        let sum = self.exact.round() as i64;
        let whole = sum.saturating_sub(self.written);
        self.written = self.written.saturating_add(whole);
        whole
    }
}

struct Builder<'a> {
    profile: &'a Profile,
    types: &'a [(ValueKind, &'static str, &'static str)],
    rounding: Vec<Rounding>,
    strings: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    locations: HashMap<(LocationId, usize), u64>,
    out: proto::Profile,
}

impl<'a> Builder<'a> {
    fn new(
        profile: &'a Profile,
        types: &'a [(ValueKind, &'static str, &'static str)],
    ) -> Builder<'a> {
        let mut builder = Builder {
            profile,
            types,
            rounding: types.iter().map(|_| Rounding::default()).collect(),
            strings: HashMap::new(),
            functions: HashMap::new(),
            locations: HashMap::new(),
            out: proto::Profile::default(),
        };
        // The first string is the empty one.
        builder.string("");
        builder
    }

    fn head(&mut self, kind: Option<&str>) {
        for (_, name, unit) in self.types {
            let value_type = self.value_type(name, unit);
            self.out.sample_type.push(value_type);
        }
        self.out.default_sample_type = self.string("inuse_space");
        self.out.period_type = Some(self.value_type("space", "bytes"));
        self.out.period = self.profile.period_of(kind) as i64;
        let fact = |key: &str| self.profile.process.get(key)?.parse::<i64>().ok();
        self.out.time_nanos = fact("time_unix_ms").unwrap_or(0).saturating_mul(1_000_000);
        self.out.duration_nanos = fact("uptime_ms").unwrap_or(0).saturating_mul(1_000_000);
        let tool = concat!("malloscope ", env!("CARGO_PKG_VERSION")).to_owned();
        let pid = self
            .profile
            .process
            .get("pid")
            .map(|pid| format!("pid {pid}"));
        let kind = kind.map(|kind| format!("samples of {kind}"));
        for comment in [Some(tool), pid, kind].into_iter().flatten() {
            let comment = self.string(&comment);
            self.out.comment.push(comment);
        }
        for (at, mapping) in self.profile.mappings.iter().enumerate() {
            // pprof looks for files, and says that they are missing, but for names in brackets.
            let filename = self.string(match mapping.path.as_str() {
                "" => "[anon]",
                path => path,
            });
            let build_id = self.string(mapping.build_id.as_deref().unwrap_or_default());
            self.out.mapping.push(Mapping {
                id: at as u64 + 1,
                memory_start: mapping.start,
                memory_limit: mapping.end,
                file_offset: mapping.offset,
                filename,
                build_id,
                ..Mapping::default()
            });
        }
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(&at) = self.strings.get(text) {
            return at;
        }
        let at = self.out.string_table.len() as i64;
        self.out.string_table.push(text.to_owned());
        self.strings.insert(text.to_owned(), at);
        at
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType {
            r#type: self.string(name),
            unit: self.string(unit),
        }
    }

    /// One for each thread that has a part in it, so that `-tagfocus` finds them.
    fn sample(&mut self, sample: &Sample, sites: &[Site<'_>]) {
        let mut location_id = Vec::new();
        let mut before = None;
        for site in sites {
            if before != Some(site.id) || site.depth == 0 {
                location_id.push(self.location(site));
            }
            before = Some(site.id);
        }
        for (thread, values) in parts(sample) {
            let types = self.types.iter().zip(&mut self.rounding);
            let value: Vec<i64> = types
                .map(|((kind, ..), rounding)| rounding.next(values.get(*kind)))
                .collect();
            if value.iter().all(|value| *value == 0) {
                continue;
            }
            let label = thread.map(|uid| self.thread(uid)).into_iter().collect();
            self.out.sample.push(proto::Sample {
                location_id: location_id.clone(),
                value,
                label,
            });
        }
    }

    fn thread(&mut self, uid: u64) -> Label {
        let mut named = self.profile.threads.iter();
        let name = named.find(|thread| thread.0 == uid);
        let text = match name {
            Some((_, name)) => format!("{name} ({uid})"),
            None => uid.to_string(),
        };
        Label {
            key: self.string("thread"),
            str: self.string(&text),
            ..Label::default()
        }
    }

    /// The location of a site with all that stands above it there.
    fn location(&mut self, site: &Site<'_>) -> u64 {
        let next = self.out.location.len() as u64 + 1;
        let id = *self.locations.entry((site.id, site.depth)).or_insert(next);
        if id != next {
            return id;
        }
        let lines = site.location.lines.iter().skip(site.depth);
        let line = lines.map(|line| self.line(line)).collect();
        let mapping = site.location.mapping.map_or(0, |at| at as u64 + 1);
        if let Some(mapping) = site
            .location
            .mapping
            .and_then(|at| self.out.mapping.get_mut(at))
        {
            let lines = &site.location.lines;
            mapping.has_functions |= !lines.is_empty();
            mapping.has_filenames |= lines.iter().any(|l| l.file.is_some());
            mapping.has_line_numbers |= lines.iter().any(|l| l.line.is_some());
            mapping.has_inline_frames |= lines.len() > 1;
        }
        self.out.location.push(Location {
            id,
            mapping_id: mapping,
            address: site.location.address,
            line,
            is_folded: false,
        });
        id
    }

    fn line(&mut self, line: &crate::profile::model::Line) -> Line {
        let name = self.string(&line.function);
        // pprof shortens a name that the linker's name equals; one that is demangled it leaves whole.
        let system_name = self.string(line.linker.as_deref().unwrap_or_default());
        let filename = self.string(line.file.as_deref().unwrap_or_default());
        let next = self.out.function.len() as u64 + 1;
        let id = *self.functions.entry((name, filename)).or_insert(next);
        if id == next {
            self.out.function.push(Function {
                id,
                name,
                system_name,
                filename,
                start_line: 0,
            });
        }
        Line {
            function_id: id,
            line: i64::from(line.line.unwrap_or(0)),
        }
    }

    fn finish(self) -> proto::Profile {
        self.out
    }
}

/// A sample by threads. What the threads say is scaled by itself, and is a share of the sample here.
fn parts(sample: &Sample) -> Vec<(Option<u64>, Values)> {
    let whole = &sample.values;
    let live: f64 = sample.threads.iter().map(|t| t.1.inuse_space).sum();
    if sample.threads.is_empty() || live <= 0.0 {
        return vec![(None, *whole)];
    }
    let part = |&(uid, values): &(u64, Values)| {
        let share = values.inuse_space / live;
        let values = Values {
            inuse_objects: whole.inuse_objects * share,
            inuse_space: whole.inuse_space * share,
            alloc_objects: whole.alloc_objects * share,
            alloc_space: whole.alloc_space * share,
        };
        (Some(uid), values)
    };
    sample.threads.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_written_stay_at_the_bounds() {
        let mut rounding = Rounding::default();
        let written: Vec<i64> = [0.4, 0.4, 1e30, -2e30, 5.0]
            .map(|value| rounding.next(value))
            .to_vec();
        assert_eq!(written, [0, 1, i64::MAX - 1, i64::MIN, -i64::MAX]);
    }
}

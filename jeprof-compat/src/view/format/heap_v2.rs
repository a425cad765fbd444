//! A profile as a dump of our own form, which our reader and the real jeprof read: what was put together from
//! many dumps. Pure; the grammar is `profile-format`'s.

use std::convert::Infallible;

use profile_format::escape::Text;
use profile_format::heap_v2::{Counts, Estimate, ManagedFrame, StackFacts, Weighed, Writer};
use profile_format::sink::Sink;
use profile_format::unbias;

use crate::profile::model::{Language, Location, Profile, Sample, Values};

/// Blocks are counted in these.
const PART_OF_A_BLOCK: f64 = 256.0;

/// Bytes in memory.
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The dump.
pub fn write(profile: &Profile) -> Vec<u8> {
    match written(profile) {
        Ok(bytes) => bytes.0,
        Err(never) => match never {},
    }
}

fn written(profile: &Profile) -> Result<Bytes, Infallible> {
    let period = profile.period.max(1);
    let mut out = Writer::new(Bytes(Vec::new()), period)?;
    for (key, text) in &profile.process.entries {
        out.fact(key, text.as_bytes())?;
    }
    let mut total = Values::default();
    profile
        .samples
        .iter()
        .for_each(|sample| total += sample.values);
    out.total(counts(&total, period))?;
    for sample in &profile.samples {
        let frames = addresses(profile, sample);
        let counts = counts(&sample.values, period);
        let freed = freed(sample);
        if counts == Counts::default() {
            out.stack_facts(&facts(sample), freed.into_iter(), Some(&frames))?;
            continue;
        }
        out.stack(&frames)?;
        out.total(counts)?;
        out.stack_facts(&facts(sample), freed.into_iter(), None)?;
    }
    for (kind, samples) in &profile.other_kinds {
        for (key, text) in &samples.facts {
            out.kind_fact(kind, key, text.as_bytes())?;
        }
        for sample in &samples.samples {
            let frames = addresses(profile, sample);
            out.kind_stack(kind, &facts(sample), freed(sample).into_iter(), &frames)?;
        }
    }
    for location in profile.locations.iter().filter(|l| l.managed) {
        frame(location, &mut out)?;
    }
    trailer(profile, &mut out)?;
    out.finish()
}

/// As they stand in a dump: all native ones but the first return behind their calls.
fn addresses(profile: &Profile, sample: &Sample) -> Vec<u64> {
    let address = |(depth, id): (usize, &_)| {
        let location = profile.location(*id);
        location.address + u64::from(depth > 0 && !location.managed)
    };
    sample.stack.iter().enumerate().map(address).collect()
}

fn counts(values: &Values, period: u64) -> Counts {
    let distorted = |objects: f64, bytes: f64| {
        unbias::distort(
            (objects * PART_OF_A_BLOCK).round() as u64,
            bytes.round() as u64,
            period,
        )
    };
    let (objects, bytes) = distorted(values.inuse_objects, values.inuse_space);
    let (accumulated_objects, accumulated_bytes) =
        distorted(values.alloc_objects, values.alloc_space);
    Counts {
        objects,
        bytes,
        accumulated_objects,
        accumulated_bytes,
    }
}

fn facts(sample: &Sample) -> StackFacts<'static> {
    let estimate = |samples: u64, objects: f64, bytes: f64| Estimate {
        samples,
        objects_milli: (objects * 1000.0).round() as u64,
        bytes: bytes.round() as u64,
    };
    let facts = sample.facts.clone().unwrap_or_default();
    let values = &sample.values;
    StackFacts {
        id: facts.id,
        live: estimate(facts.samples, values.inuse_objects, values.inuse_space),
        variance: facts.variance.round() as u128,
        accumulated: estimate(
            facts.alloc_samples,
            values.alloc_objects,
            values.alloc_space,
        ),
        sizes: facts.sizes,
        births: &[],
    }
}

fn freed(sample: &Sample) -> Vec<(usize, Weighed)> {
    let lives = sample.facts.iter().flat_map(|facts| &facts.lives);
    let weighed = |(bucket, freed): (u32, crate::profile::model::Weighed)| {
        let weighed = Weighed {
            samples: freed.samples,
            bytes: freed.bytes.round() as u64,
            squares: freed.squares.round() as u128,
        };
        (bucket as usize, weighed)
    };
    lives.map(weighed).collect()
}

fn frame(location: &Location, out: &mut Writer<Bytes>) -> Result<(), Infallible> {
    let Some(line) = location.lines.first() else {
        return Ok(());
    };
    let function = Text::plain(line.function.as_bytes());
    let (class, name) = match line.is_class {
        true => (function, Text::default()),
        false => (Text::default(), function),
    };
    out.frame(&ManagedFrame {
        address: location.address,
        kind: Text::plain(line.language.map_or("managed", Language::key).as_bytes()),
        class,
        name,
        file: Text::plain(line.file.as_deref().unwrap_or_default().as_bytes()),
        line: line.line.unwrap_or(0).into(),
    })
}

fn trailer(profile: &Profile, out: &mut Writer<Bytes>) -> Result<(), Infallible> {
    for mapping in &profile.mappings {
        if let Some(hex) = &mapping.build_id
            && mapping.offset == 0
        {
            out.build_id(mapping.base, &digits(hex), mapping.path.as_bytes())?;
        }
    }
    out.begin_maps()?;
    for mapping in &profile.mappings {
        let execute = if mapping.executable { 'x' } else { '-' };
        let deleted = if mapping.deleted { " (deleted)" } else { "" };
        let line = format!(
            "{:x}-{:x} r-{execute}p {:08x} 00:00 0 {}{deleted}\n",
            mapping.start, mapping.end, mapping.offset, mapping.path
        );
        out.raw(line.as_bytes())?;
    }
    Ok(())
}

fn digits(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.filter_map(byte).collect()
}

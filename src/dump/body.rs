//! The lines of a dump, in order.
//!
//! Made from a snapshot, into an open file.

use core::ffi::CStr;

use profile_format::heap_v2::{self, Counts, Estimate, StackFacts};
use profile_format::{epochs, maps, unbias};

use super::Request;
use super::gone::{self, Gone};
use super::late::Late;
use super::managed::Referred;
use super::snapshot::{self, Snapshot, Sums};
use super::writer::{Profile, Result, Writer};
use crate::config::CommandLine;
use crate::platform::process::command_line;
use crate::sampler::ONE_OBJECT;
use crate::table::live_table::Sample;
use crate::table::stack_table::{StackId, StackTotals};
use crate::{
    diag,
    platform::{process, sys},
    remark,
    table::arena,
};

const MAPS: &CStr = c"/proc/self/maps";

/// Said where the kernel does not tell what is mapped.
const NO_MAPS: &str = "there is no /proc here: the dump has the modules that the loader knows and stacks \
    lead through, and no figures of the resident memory";

/// Writes the whole dump. `line` is room for what is read from `/proc`.
pub fn write(
    request: &Request<'_>,
    snapshot: &mut Snapshot,
    line: &mut [u8],
    file: &mut Writer<'_>,
) -> Result {
    // Freed samples are in the accumulated sums.
    let ever = request.stacks.least_lg_period();
    let ever = ever.filter(|_| request.config.prof_accum);
    let least = ever.into_iter().chain(snapshot.least_lg_period()).min();
    let lg_period = least.unwrap_or(request.lg_period);
    let counting = Counting {
        period: 1u64.checked_shl(u32::from(lg_period)).unwrap_or(u64::MAX),
        unbias: request.config.prof_unbias,
        accumulate: request.config.prof_accum,
    };
    let mut late = Late::begin(request.uptime_ms);
    let mut gone = Gone::begin();
    let is_told = process::read(MAPS, line).is_some_and(|text| !text.is_empty());
    if !is_told {
        remark::note(&[NO_MAPS]);
    }
    let mut out = heap_v2::Writer::new(file, counting.period)?;
    facts(request, line, &mut out)?;
    if snapshot.missed() != 0 {
        out.number("missed_samples", snapshot.missed())?;
    }
    head(request, snapshot, &counting, &mut out)?;
    snapshot.sort_by_stack();
    let mut rest = snapshot.samples();
    let mut managed = Referred::new();
    for id in (0..request.stacks.len()).map(StackId) {
        let own = snapshot::take_stack(&mut rest, id);
        let mut frames = Frames {
            late: &mut late,
            gone: &mut gone,
            managed: &mut managed,
        };
        stack(request, id, own, &counting, &mut frames, &mut out)?;
    }
    for kind in request.kinds.iter().flatten() {
        let mut frames = Frames {
            late: &mut late,
            gone: &mut gone,
            managed: &mut managed,
        };
        kind.write(request.uptime_ms, &mut frames, &mut out)?;
    }
    managed.write(&mut out)?;
    late.advise(&mut out)?;
    if request.config.prof_dump_live {
        for sample in snapshot.samples() {
            let stack = u64::from(sample.stack.0);
            out.live(sample.addr as u64, sample.size as u64, stack)?;
        }
    }
    if is_told {
        build_ids(line, &mut out)?;
        gone::build_ids(&mut out)?;
        out.begin_maps()?;
        copy_maps(line, &mut out)?;
    } else {
        let program = process::program(line);
        gone::known_build_ids(program, &mut out)?;
        gone::build_ids(&mut out)?;
        out.begin_maps()?;
        gone::known_maps(program, &mut out)?;
    }
    gone::maps(&mut out)?;
    out.finish().map(|_| ())
}

/// What every stack passes on its way into the dump.
pub(super) struct Frames<'a> {
    late: &'a mut Late,
    gone: &'a mut Gone,
    managed: &'a mut Referred,
}

impl Frames<'_> {
    /// The frames as they are written.
    pub(super) fn note<'b>(&'b mut self, frames: &'b [u64]) -> &'b [u64] {
        let frames = self.gone.moved(self.late.named(frames));
        self.managed.note(frames);
        frames
    }
}

/// How sums become the counts that readers scale.
struct Counting {
    period: u64,
    unbias: bool,
    accumulate: bool,
}

impl Counting {
    fn counts(&self, live: &Sums, totals: Option<&StackTotals>) -> Counts {
        let totals = totals
            .filter(|_| self.accumulate)
            .copied()
            .unwrap_or_default();
        let (objects, bytes) = match (self.unbias, live.sampled_bytes) {
            (true, _) => unbias::distort(live.objects_fx, live.bytes, self.period),
            // The real jeprof divides by zero on blocks without bytes.
            (false, 0) => (0, 0),
            (false, sampled) => (live.samples, sampled),
        };
        // What freed samples really measured is not kept; their estimate is.
        let (accumulated_objects, accumulated_bytes) =
            unbias::distort(totals.objects_fx, totals.bytes, self.period);
        Counts {
            objects,
            bytes,
            accumulated_objects,
            accumulated_bytes,
        }
    }
}

fn facts(request: &Request<'_>, line: &mut [u8], out: &mut Profile<'_, '_>) -> Result {
    out.number("pid", u64::from(sys::getpid().unsigned_abs()))?;
    command(request.config.prof_cmdline, line, out)?;
    out.fact("host", process::host(line))?;
    let now = sys::realtime_ms();
    out.number("start_unix_ms", now.saturating_sub(request.uptime_ms))?;
    out.number("time_unix_ms", now)?;
    out.number("uptime_ms", request.uptime_ms)?;
    out.fact("trigger", request.reason.name().as_bytes())?;
    out.number(
        "period_bytes",
        1u64.checked_shl(u32::from(request.lg_period))
            .unwrap_or(u64::MAX),
    )?;
    if let Some(rate) = request.rate {
        rate.write(out)?;
    }
    let memory = process::memory(line);
    out.number("rss_bytes", memory.rss)?;
    out.number("rss_anonymous_bytes", memory.anonymous)?;
    out.number("rss_file_bytes", memory.file)?;
    out.number("rss_shared_bytes", memory.shared)?;
    out.number("rss_peak_bytes", memory.peak)?;
    out.number("virtual_bytes", memory.virtual_size)?;
    if let Some(resident) = process::resident::resident(request.places, line) {
        out.number("rss_stacks_bytes", resident.stacks)?;
        out.number("rss_java_heap_bytes", resident.java_heap)?;
        out.number("rss_java_heap_shared_bytes", resident.java_heap_shared)?;
        out.number("rss_code_bytes", resident.code)?;
        out.number("rss_data_bytes", resident.data)?;
        out.number("rss_chosen_bytes", resident.chosen)?;
    }
    if let Some(limit) = process::cgroup::limit(line) {
        out.number("cgroup_limit_bytes", limit)?;
    }
    out.number("threads", u64::from(process::threads()))?;
    out.number("profiler_bytes", arena::used() as u64)?;
    if arena::exhausted() {
        out.fact("sampling", b"stopped: prof_mem_max is reached")?;
    }
    for (name, count) in diag::counters() {
        out.counter(name, count)?;
    }
    let mut told = Ok(());
    remark::for_each(&mut |text| {
        if told.is_ok() {
            told = out.fact("remark", text);
        }
    });
    told?;
    let elapsed = request.uptime_ms;
    out.epochs(epochs::width_ms(elapsed), epochs::count(elapsed))
}

fn command(shown: CommandLine, line: &mut [u8], out: &mut Profile<'_, '_>) -> Result {
    if shown == CommandLine::Hidden {
        return Ok(());
    }
    let mut length = process::command(line).trim_suffix_nul().len();
    let line = line.get_mut(..length).unwrap_or_default();
    if shown == CommandLine::Masked {
        length = command_line::mask(line);
    }
    let line = line.get(..length).unwrap_or_default();
    out.words("command", line.split(|byte| *byte == 0))
}

/// The totals of the whole and of each thread.
fn head(
    request: &Request<'_>,
    snapshot: &mut Snapshot,
    counting: &Counting,
    out: &mut Profile<'_, '_>,
) -> Result {
    let grand = (0..request.stacks.len()).fold(StackTotals::default(), |sum, id| {
        let totals = request.stacks.totals(StackId(id));
        StackTotals {
            objects_fx: sum.objects_fx.saturating_add(totals.objects_fx),
            bytes: sum.bytes.saturating_add(totals.bytes),
            ..sum
        }
    });
    out.total(counting.counts(&Sums::of(snapshot.samples()), Some(&grand)))?;
    snapshot.sort_by_thread();
    for (uid, samples) in Snapshot::by_thread(snapshot.samples()) {
        let name = (request.thread_name)(uid);
        let counts = counting.counts(&Sums::of(samples), None);
        out.thread(u64::from(uid), counts, name.trim_suffix_nul())?;
    }
    Ok(())
}

fn stack(
    request: &Request<'_>,
    id: StackId,
    own: &[Sample],
    counting: &Counting,
    noted: &mut Frames<'_>,
    out: &mut Profile<'_, '_>,
) -> Result {
    let totals = request.stacks.totals(id);
    let frames = request.stacks.frames(id);
    let live = Sums::of(own);
    // As jemalloc does it: without `prof_accum`, stacks that own nothing are left out.
    if live.samples == 0 && !counting.accumulate {
        return Ok(());
    }
    let frames = noted.note(frames);
    let births = snapshot::births(own, request.uptime_ms);
    let facts = StackFacts {
        id: u64::from(id.0),
        live: estimate(live.samples, live.objects_fx, live.bytes),
        variance: live.variance as u128,
        accumulated: estimate(totals.samples, totals.objects_fx, totals.bytes),
        sizes: (live.samples != 0).then_some((live.least, live.most)),
        births: &births,
    };
    let counts = counting.counts(&live, Some(&totals));
    if counts == Counts::default() {
        return out.stack_facts(&facts, request.stacks.freed(id), Some(frames));
    }
    out.stack(frames)?;
    out.total(counts)?;
    for (uid, samples) in Snapshot::by_thread(own) {
        out.thread(
            u64::from(uid),
            counting.counts(&Sums::of(samples), None),
            b"",
        )?;
    }
    out.stack_facts(&facts, request.stacks.freed(id), None)
}

pub(super) fn estimate(samples: u64, objects_fx: u64, bytes: u64) -> Estimate {
    let milli = u128::from(objects_fx) * 1000 / u128::from(ONE_OBJECT);
    Estimate {
        samples,
        objects_milli: u64::try_from(milli).unwrap_or(u64::MAX),
        bytes,
    }
}

/// The build id of every file whose first page is mapped.
fn build_ids(line: &mut [u8], out: &mut Profile<'_, '_>) -> Result {
    let Some(memory) = process::SelfMemory::open() else {
        return Ok(());
    };
    let mut result = Ok(());
    process::lines(MAPS, line, &mut |line| {
        let Some(mapping) = maps::parse(line) else {
            return;
        };
        // To read a device's memory may be more than looking.
        let is_device = mapping.path.starts_with(b"/dev/");
        let is_file = mapping.path.starts_with(b"/") && !is_device || mapping.path == b"[vdso]";
        if result.is_ok() && is_file && mapping.read && mapping.offset == 0 {
            let mut id = [0; process::BUILD_ID];
            if let Some(id) = memory.build_id(mapping.start, &mut id) {
                result = out.build_id(mapping.start, id, mapping.path);
            }
        }
    });
    result
}

fn copy_maps(line: &mut [u8], out: &mut Profile<'_, '_>) -> Result {
    let mut result = Ok(());
    process::copy(MAPS, line, &mut |piece| {
        if result.is_ok() {
            result = out.raw(piece);
        }
    });
    result
}

/// Text that the kernel ends with NUL.
trait TrimNul {
    fn trim_suffix_nul(&self) -> &[u8];
}

impl TrimNul for [u8] {
    fn trim_suffix_nul(&self) -> &[u8] {
        let length = self
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        self.get(..length).unwrap_or_default()
    }
}

//! Files to read: one of ours with every kind of line in it, jemalloc's and gperftools'.

use std::convert::Infallible;

use profile_format::escape::Text;
use profile_format::heap_v2::{
    Counts, Estimate, ManagedFrame, PSEUDO_FRAMES, StackFacts, Weighed, Writer,
};
use profile_format::sink::Sink;

/// Keeps what a writer writes.
#[derive(Default)]
pub struct Bytes(pub Vec<u8>);

impl Sink for Bytes {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A real dump of jemalloc's.
pub const JEMALLOC: &[u8] = include_bytes!("../../../jeprof-compat/tests/data/leaky/less.heap");

/// As gperftools' `HEAPPROFILE` and its `/pprof/heap` write it.
pub const GPERFTOOLS: &[u8] = b"%warn the heap profiler was started late\n\
    heap profile:   1246:  8800744 [  1246:  8800744] @ heap_v2/524288\n\
    \x20    1:      256 [     1:      256] @ 0x000000000040d3b0 0x40d5a8 0x40ba4f\n\
    \x20  700:  7340032 [   900: 94371840] @ 0x40d3b0 0x40d5b1\n\
    # a comment\n\
    \n\
    MAPPED_LIBRARIES:\n\
    00400000-00501000 r-xp 00000000 03:01 1130500 /usr/bin/program with blanks\n\
    40000000-40015000: /lib/ld-2.3.2.so\n";

/// One of ours. In the profiler's order: facts, head, stacks, live samples, build ids, mappings.
pub fn ours() -> Vec<u8> {
    let Ok(mut out) = Writer::new(Bytes::default(), 524_288);
    let Ok(()) = write_head(&mut out);
    let Ok(()) = write_stacks(&mut out);
    let Ok(()) = write_trailer(&mut out);
    let Ok(Bytes(bytes)) = out.finish();
    bytes
}

const COUNTS: Counts = Counts {
    objects: 3,
    bytes: 1_600_000,
    accumulated_objects: 7,
    accumulated_bytes: 4_000_000,
};

fn write_head(out: &mut Writer<Bytes>) -> Result<(), Infallible> {
    out.number("pid", 31_899)?;
    out.words("command", [&b"java"[..], b"-cp", b"a b"].into_iter())?;
    out.fact("host", b"vm")?;
    out.counter("arena_exhausted", 0)?;
    out.epochs(2000, 17)?;
    out.total(COUNTS)?;
    out.thread(0, COUNTS, b"main")?;
    out.thread(12, COUNTS, b"50% \tdone")
}

fn write_stacks(out: &mut Writer<Bytes>) -> Result<(), Infallible> {
    let estimate = Estimate {
        samples: 3,
        objects_milli: 3_125,
        bytes: 1_650_000,
    };
    let facts = StackFacts {
        id: 4,
        live: estimate,
        variance: 1_234_567_890_123,
        accumulated: estimate,
        sizes: Some((16, 800_000)),
        births: &[part(1, 550_000), Weighed::default(), part(2, 1_100_000)],
    };
    let lives = || [(7, part(5, 2_750_000)), (9, part(1, 550_000))].into_iter();
    out.stack(&[0x7f02_b583_6d31, PSEUDO_FRAMES, 0x5600_e157_d206])?;
    out.total(COUNTS)?;
    out.thread(12, COUNTS, b"")?;
    out.stack_facts(&facts, lives(), None)?;
    let freed = StackFacts {
        live: Estimate::default(),
        sizes: None,
        births: &[],
        ..facts
    };
    let frames = [0x7f02_b583_6d31, 0x5600_e157_d2a1];
    out.stack_facts(&freed, lives(), Some(&frames))
}

/// So many samples that stand for the same each.
fn part(samples: u64, bytes: u64) -> Weighed {
    Weighed {
        samples,
        bytes,
        squares: u128::from(bytes) * u128::from(bytes) / u128::from(samples),
    }
}

fn write_trailer(out: &mut Writer<Bytes>) -> Result<(), Infallible> {
    out.frame(&ManagedFrame {
        address: PSEUDO_FRAMES,
        kind: Text::plain(b"java"),
        class: Text::plain(b"java.util.zip.Deflater"),
        name: Text::plain(b"<init>"),
        file: Text::plain(b"Deflater.java"),
        line: 157,
    })?;
    out.live(0x7f00_0000_1000, 800_000, 4)?;
    out.kind_fact("java_heap", "note", b"live as of the last collection")?;
    let estimate = Estimate {
        samples: 2,
        objects_milli: 40_000,
        bytes: 1_048_576,
    };
    let facts = StackFacts {
        live: estimate,
        variance: 1 << 39,
        accumulated: estimate,
        births: &[part(2, 1_048_576)],
        ..StackFacts::default()
    };
    let none = std::iter::empty();
    out.kind_stack("java_heap", &facts, none, &[PSEUDO_FRAMES])?;
    out.build_id(0x7f02_b582_0000, &[0xab, 0x01, 0xff], b"/usr/lib/a b.so")?;
    out.begin_maps()?;
    out.raw(b"5600e157d000-5600e157e000 r-xp 00000000 fe:01 7 /usr/bin/java\n")?;
    out.raw(b"7f02b5820000-7f02b5840000 r-xp 00000000 fe:01 9 /usr/lib/a b.so (deleted)\n")
}

//! What the resident memory is used for, mapping by mapping, as far as a mapping shows it.
//!
//! The kernel walks the page tables for this, one mapping at a time, under a lock that page faults
//! share. Only calls of the program that change mappings wait for it.
//!
//! glibc puts the thread pointer's block at the top of a thread's stack; a stack is recognised by
//! that. The kernel merges adjacent mappings with equal rights. So a mapping far larger than a
//! stack does not count as one, though it may hold one.
//!
//! Source: proc(5) on smaps; glibc `nptl/allocatestack.c`.

use core::ops::Range;

use profile_format::maps::{self, Mapping};

use super::{lines, number};

/// Largest mapping that may be a thread's stack.
const LARGEST_STACK: u64 = 256 << 20;

/// Where the kernel puts nothing unless it is asked to: above what a program without ASLR has at low
/// addresses, and below executables and libraries. V8 puts each part of its heap at a random place there.
const CHOSEN: Range<u64> = 1 << 36..1 << 46;

/// What other rooms know of addresses.
pub struct Places<'a> {
    /// Where a JVM keeps its objects; empty where there is none.
    pub java_heap: Range<u64>,
    /// Where a JVM keeps the code that it generates.
    pub java_code: Range<u64>,
    /// Has a live thread its TCB in this range?
    pub has_thread: &'a dyn Fn(Range<u64>) -> bool,
}

/// Resident bytes by use. The rest is the allocator's and other private memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Stacks of threads.
    pub stacks: u64,
    /// A JVM's objects, private.
    pub java_heap: u64,
    /// The same in shared memory, where ZGC keeps it.
    pub java_heap_shared: u64,
    /// Code generated at run time.
    pub code: u64,
    /// Pages of files that the program has written to: data of libraries.
    pub data: u64,
    /// Private memory at addresses that the program chose itself: V8's heap.
    pub chosen: u64,
}

#[derive(Clone, Copy)]
enum Use {
    Stack,
    JavaHeap,
    SharedJavaHeap,
    Code,
    Data,
    Chosen,
    Other,
}

/// Adds up `/proc/self/smaps`; `None` where it cannot be read.
pub fn resident(places: &Places<'_>, buffer: &mut [u8]) -> Option<Resident> {
    let mut sum = Resident::default();
    let (mut here, mut rss) = (Use::Other, 0);
    let read = lines(c"/proc/self/smaps", buffer, &mut |line| {
        let bytes = |key: &[u8]| {
            let kilobytes = line.strip_prefix(key).and_then(number)?;
            Some(kilobytes.saturating_mul(1024))
        };
        if let Some(bytes) = bytes(b"Rss:") {
            rss = bytes;
        } else if let Some(anonymous) = bytes(b"Anonymous:") {
            let (share, bytes) = match here {
                Use::Stack => (&mut sum.stacks, anonymous),
                Use::JavaHeap => (&mut sum.java_heap, anonymous),
                Use::SharedJavaHeap => (&mut sum.java_heap_shared, rss),
                Use::Code => (&mut sum.code, anonymous),
                Use::Data => (&mut sum.data, anonymous),
                Use::Chosen => (&mut sum.chosen, anonymous),
                Use::Other => return,
            };
            *share = share.saturating_add(bytes);
        } else if let Some(mapping) = maps::parse(line) {
            here = use_of(&mapping, places);
        }
    });
    read.then_some(sum)
}

fn use_of(mapping: &Mapping<'_>, places: &Places<'_>) -> Use {
    let range = mapping.start..mapping.end;
    let within = |place: &Range<u64>| range.start < place.end && place.start < range.end;
    let is_chosen = CHOSEN.start <= range.start && range.end <= CHOSEN.end;
    let is_small = range.end - range.start <= LARGEST_STACK;
    if mapping.path.starts_with(b"[stack") {
        Use::Stack
    } else if mapping.path.starts_with(b"/memfd:java_heap") {
        Use::SharedJavaHeap
    } else if within(&places.java_heap) {
        Use::JavaHeap
    } else if mapping.path.starts_with(b"/") {
        Use::Data
    } else if within(&places.java_code) || mapping.execute {
        Use::Code
    } else if mapping.path.is_empty() && is_small && (places.has_thread)(range) {
        Use::Stack
    } else if is_chosen {
        Use::Chosen
    } else {
        Use::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_told_apart() {
        let touched = vec![1_u8; 8 << 20];
        let at = touched.as_ptr() as u64;
        let stack = std::thread::spawn(move || {
            let local = [1_u8; 256 << 10];
            let here = std::hint::black_box(&local).as_ptr() as u64;
            let places = Places {
                java_heap: at..at + 1,
                java_code: 0..0,
                has_thread: &|range| range.contains(&here),
            };
            resident(&places, &mut vec![0; 16 << 10])
        });
        let resident = stack.join().expect("a thread").expect("smaps");
        assert!(resident.java_heap >= 8 << 20, "{resident:?}");
        assert!(resident.stacks >= 256 << 10, "{resident:?}");
        assert!(resident.data > 0, "{resident:?}");
        assert_eq!(resident.java_heap_shared, 0);
        drop(touched);
    }

    #[test]
    fn uses_follow_name_rights_and_place() {
        let places = Places {
            java_heap: 0x1000..0x2000,
            java_code: 0x5000..0x6000,
            has_thread: &|range| range.contains(&0x7500),
        };
        let name = |line: &str| match use_of(&maps::parse(line.as_bytes()).expect(line), &places) {
            Use::Stack => "stack",
            Use::JavaHeap => "java heap",
            Use::SharedJavaHeap => "shared java heap",
            Use::Code => "code",
            Use::Data => "data",
            Use::Chosen => "chosen",
            Use::Other => "other",
        };
        assert_eq!(name("1000-2000 rw-p 00000000 00:00 0"), "java heap");
        assert_eq!(
            name("9000-a000 rw-s 00000000 00:05 7   /memfd:java_heap (deleted)"),
            "shared java heap"
        );
        assert_eq!(name("5000-6000 rwxp 00000000 00:00 0"), "code");
        assert_eq!(name("3000-4000 r-xp 00000000 00:00 0"), "code");
        assert_eq!(name("7000-8000 rw-p 00000000 00:00 0"), "stack");
        assert_eq!(
            name("7000-80000000 rw-p 00000000 00:00 0"),
            "other",
            "too large for a stack"
        );
        assert_eq!(name("8000-9000 rw-p 00000000 00:00 0   [stack]"), "stack");
        assert_eq!(name("8000-9000 rw-p 00000000 00:00 0   [heap]"), "other");
        assert_eq!(
            name("2d4f00000000-2d4f00040000 rw-p 00000000 00:00 0"),
            "chosen"
        );
        assert_eq!(
            name("7f4f00000000-7f4f00040000 rw-p 00000000 00:00 0"),
            "other"
        );
        assert_eq!(
            name("8000-9000 rw-p 00000000 fe:00 9   /usr/lib/libc.so.6"),
            "data"
        );
    }
}

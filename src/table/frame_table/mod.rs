//! Interns managed frames: the same names always get the same pseudo-address, which is in a stack
//! like any return address.
//!
//! The runtime walkers intern the frames of each sample, inside `fork_gate::TABLES`; the dump names
//! the frames that its stacks refer to. Only its text distinguishes an entry from others; the text
//! was copied when it was sampled. The runtimes reuse their own addresses, so these can never name
//! a frame. A known frame is found without a lock; a new one is added under the one lock here.
//! Entries are in the arena, never move and are never freed. Zero-initialised is empty.
//!
//! `profile_format::heap_v2` defines the range of pseudo-addresses.
#![allow(unsafe_code)]

mod heads;

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use profile_format::heap_v2::{PSEUDO_FRAMES, PSEUDO_STEP};

use crate::table::{arena, sync::SpinLock};
use heads::Heads;

/// The most frames that are distinguished; a program has some ten thousand. Later frames have no
/// name.
pub const MOST: u32 = 1 << 20;

/// Longest text that is kept of each name.
const LONGEST: usize = 1024;

/// All managed frames ever sampled, of whatever runtime. Lives as long as the process.
pub static FRAMES: FrameTable = FrameTable::new();

/// The runtime of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the runtime of its name")]
pub enum Kind {
    Java,
    Ruby,
    Python,
    JavaScript,
    /// Generated code of some other language, of which only a map of names is known.
    Jit,
    /// Not a frame: what stands where frames are missing, with the reason as its name.
    Cut,
}

impl Kind {
    /// Its name in dumps.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Java => "java",
            Kind::Ruby => "ruby",
            Kind::Python => "python",
            Kind::JavaScript => "js",
            Kind::Jit => "jit",
            Kind::Cut => "cut",
        }
    }
}

/// What a pseudo-address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its runtime.
    pub kind: Kind,
    /// Class or module; may be empty.
    pub class: &'a [u8],
    /// Function or method.
    pub name: &'a [u8],
    /// Source file; may be empty.
    pub file: &'a [u8],
    /// Line in the file; 0 when not known.
    pub line: u32,
}

/// The head of a frame in the arena; class, name and file follow it. Only `next` ever changes.
struct Entry {
    hash: u64,
    address: u64,
    /// The next of its chain; written by `heads`.
    next: AtomicPtr<Entry>,
    /// The one made before it.
    older: *const Entry,
    kind: Kind,
    line: u32,
    lengths: [u16; 3],
}

/// See the head of the file.
pub struct FrameTable {
    /// Hash to entry.
    heads: Heads,
    /// The entry made last, which leads to all others. Written under `lock` with Release, after the
    /// entry is complete; Acquire in `for_each`.
    newest: AtomicPtr<Entry>,
    /// Entries made. Written under `lock`; Relaxed elsewhere, because it publishes nothing.
    len: AtomicU32,
    /// Held while a frame is added. Nothing else is locked under it; the arena has no lock.
    lock: SpinLock,
}

impl FrameTable {
    /// An empty table, all zero; memory is taken as it fills.
    pub const fn new() -> FrameTable {
        FrameTable {
            heads: Heads::new(),
            newest: AtomicPtr::new(null_mut()),
            len: AtomicU32::new(0),
            lock: SpinLock::new(),
        }
    }

    /// The pseudo-address of a frame. The caller is inside `fork_gate::TABLES`. `None` when there is no
    /// memory, or no number left.
    pub fn intern(
        &self,
        kind: Kind,
        class: &[u8],
        name: &[u8],
        file: &[u8],
        line: u32,
    ) -> Option<u64> {
        let frame = Frame {
            kind,
            class: clip(class),
            name: clip(name),
            file: clip(file),
            line,
        };
        let hash = hash(&frame);
        self.find(hash, &frame).or_else(|| self.add(hash, &frame))
    }

    fn find(&self, hash: u64, frame: &Frame<'_>) -> Option<u64> {
        let found = self.heads.find(hash, |entry| entry.frame() == *frame);
        found.map(|entry| entry.address)
    }

    #[cold]
    fn add(&self, hash: u64, frame: &Frame<'_>) -> Option<u64> {
        let _held = self.lock.lock();
        // Another thread may have added it meanwhile.
        if let Some(address) = self.find(hash, frame) {
            return Some(address);
        }
        let number = self.len.load(Relaxed);
        if number >= MOST {
            return None;
        }
        self.heads.make_room(number, self.all())?;
        let address = PSEUDO_FRAMES + u64::from(number) * PSEUDO_STEP;
        let older = self.newest.load(Relaxed);
        let entry = create(hash, address, older, frame)?;
        self.len.store(number + 1, Relaxed);
        // Release: pairs with Acquire in `all`.
        self.newest.store(entry.as_ptr(), Release);
        // SAFETY: complete, and never freed.
        self.heads.put(unsafe { entry.as_ref() });
        Some(address)
    }

    /// How many frames there are.
    pub fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All frames by pseudo-address, the newest first.
    pub fn for_each(&self, visit: &mut dyn FnMut(u64, Frame<'_>)) {
        self.all()
            .for_each(|entry| visit(entry.address, entry.frame()));
    }

    /// The newest first.
    fn all(&self) -> impl Iterator<Item = &Entry> {
        // Acquire: pairs with Release in `add`.
        let newest: *const Entry = self.newest.load(Acquire);
        // SAFETY: null, or an entry that was complete when it was published, and is never freed.
        let entry = |at: *const Entry| unsafe { at.as_ref() };
        core::iter::successors(entry(newest), move |newer| entry(newer.older))
    }

    /// Empties the table without giving memory back.
    ///
    /// # Safety
    /// The caller is the only thread of its process; called with `arena::abandon`.
    pub unsafe fn abandon(&self) {
        self.heads.clear();
        self.newest.store(null_mut(), Relaxed);
        self.len.store(0, Relaxed);
        // SAFETY: one thread, by the contract above.
        unsafe { self.lock.force_unlock() };
    }
}

impl Default for FrameTable {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of a pseudo-address, from 0; `None` for any other address.
pub fn number_of(address: u64) -> Option<u32> {
    let number = address.checked_sub(PSEUDO_FRAMES)? / PSEUDO_STEP;
    u32::try_from(number).ok().filter(|number| *number < MOST)
}

fn clip(text: &[u8]) -> &[u8] {
    text.get(..LONGEST).unwrap_or(text)
}

/// FNV-1a over the fields, each ended by a byte that separates it from the next.
fn hash(frame: &Frame<'_>) -> u64 {
    let head = [frame.kind as u8];
    let line = frame.line.to_le_bytes();
    let fields = [&head[..], frame.class, frame.name, frame.file, &line];
    fields.iter().fold(0xcbf2_9ce4_8422_2325, |hash, field| {
        let bytes = field.iter().chain(&[0xff]);
        bytes.fold(hash, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    })
}

/// Writes an entry into fresh arena memory; `None` when there is no memory.
fn create(
    hash: u64,
    address: u64,
    older: *const Entry,
    frame: &Frame<'_>,
) -> Option<NonNull<Entry>> {
    let texts = [frame.class, frame.name, frame.file];
    let size = size_of::<Entry>() + texts.iter().map(|text| text.len()).sum::<usize>();
    let layout = Layout::from_size_align(size, align_of::<Entry>()).ok()?;
    let entry = arena::alloc(layout)?.cast::<Entry>();
    // SAFETY: a fresh piece that belongs to us alone, with room for the head and the three texts
    // after it.
    unsafe {
        entry.write(Entry {
            hash,
            address,
            next: AtomicPtr::new(null_mut()),
            older,
            kind: frame.kind,
            line: frame.line,
            lengths: texts.map(|text| text.len() as u16),
        });
        let mut behind = entry.add(1).cast::<u8>();
        for text in texts {
            behind.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len());
            behind = behind.add(text.len());
        }
    }
    Some(entry)
}

impl Entry {
    fn frame(&self) -> Frame<'_> {
        let [class, name, file] = self.lengths.map(usize::from);
        let behind = core::ptr::from_ref(self).wrapping_add(1).cast::<u8>();
        // SAFETY: `create` put texts of these lengths after the head, one after the other, in one
        // piece of the arena.
        unsafe {
            Frame {
                kind: self.kind,
                class: core::slice::from_raw_parts(behind, class),
                name: core::slice::from_raw_parts(behind.add(class), name),
                file: core::slice::from_raw_parts(behind.add(class + name), file),
                line: self.line,
            }
        }
    }
}

// SAFETY: the raw pointers inside lead to entries that never change, except for atomics.
unsafe impl Sync for FrameTable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(table: &FrameTable) -> Vec<(u64, String)> {
        let mut seen = Vec::new();
        table.for_each(&mut |address, frame| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let (class, name) = (text(frame.class), text(frame.name));
            let (file, line) = (text(frame.file), frame.line);
            let kind = frame.kind.name();
            seen.push((address, format!("{kind} {class}.{name} {file}:{line}")));
        });
        seen
    }

    #[test]
    fn equal_text_has_one_address() {
        let table = FrameTable::new();
        assert!(frames(&table).is_empty());
        let intern = |class: &str, name: &str, line| {
            let (class, name) = (class.as_bytes(), name.as_bytes());
            table.intern(Kind::Java, class, name, b"A.java", line)
        };
        let first = intern("a.B", "<init>", 12);
        assert_eq!(first, Some(PSEUDO_FRAMES));
        assert_eq!(intern("a.B", "<init>", 13), Some(PSEUDO_FRAMES + 16));
        assert_eq!(intern("a.B<", "init>", 12), Some(PSEUDO_FRAMES + 32));
        assert_eq!(intern("a.B", "<init>", 12), first);
        let other = table.intern(Kind::Ruby, b"a.B", b"<init>", b"A.java", 12);
        assert_eq!(other, Some(PSEUDO_FRAMES + 48));
        assert_eq!(table.len(), 4);
        let seen = frames(&table);
        assert_eq!(seen.len(), 4);
        assert_eq!(
            seen.last(),
            Some(&(PSEUDO_FRAMES, "java a.B.<init> A.java:12".to_owned()))
        );
        // SAFETY: only this thread knows the table.
        unsafe { table.abandon() };
        assert!(table.is_empty() && frames(&table).is_empty());
        assert_eq!(intern("c", "d", 0), first, "numbers begin anew");
    }

    #[test]
    fn long_names_are_clipped_the_same_way_each_time() {
        let table = FrameTable::new();
        let long = [b'x'; LONGEST + 9];
        let first = table.intern(Kind::Python, &long, &long, &long, 1);
        assert_eq!(
            table.intern(Kind::Python, &long, &long[1..], &long, 1),
            first
        );
    }

    #[test]
    fn threads_agree() {
        let table = FrameTable::new();
        let rounds = if cfg!(miri) { 40 } else { 3000_u32 };
        let intern = || -> Vec<Option<u64>> {
            let intern = |n: u32| {
                let name = format!("method{n}");
                table.intern(Kind::Java, b"C", name.as_bytes(), b"", n)
            };
            (0..rounds).map(intern).collect()
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(intern)).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|answer| answer.expect("answers")).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert!(answers[0].iter().all(Option::is_some));
        assert_eq!(table.len(), rounds);
    }

    #[test]
    fn only_pseudo_addresses_have_numbers() {
        assert_eq!(number_of(0x7fff_0000_1000), None);
        assert_eq!(number_of(PSEUDO_FRAMES), Some(0));
        assert_eq!(number_of(PSEUDO_FRAMES + 17), Some(1));
        assert_eq!(number_of(u64::MAX), None);
    }
}

//! The nodes of V8's tree of calls, and the stack of each.
//!
//! Made anew for each read, in memory that is mapped for it. V8 is called for the names, on the
//! isolate's thread, with no lock of ours held.
#![allow(unsafe_code)]

use super::inside;
use crate::platform::scratch::Scratch;
use crate::runtime::memory::Memory;
use crate::runtime::node::heap::{Heap, Node};
use crate::table::frame_table::{FRAMES, Kind};

/// More nodes than V8 keeps of any program that we saw.
const MOST: usize = 1 << 17;

/// Longest name.
const LONGEST: usize = 512;

/// Deepest stack.
pub const DEEPEST: usize = 128;

/// A node: its number, the place of its caller, its pseudo-address. The root has no caller.
#[derive(Clone, Copy)]
#[repr(C)]
struct Call {
    id: u32,
    caller: u32,
    frame: u64,
    /// Where V8 has it, while the tree is read.
    at: u64,
}

/// The tree.
pub struct Tree {
    memory: Scratch,
    /// Places of nodes, by the nodes' numbers.
    order: Scratch,
    length: usize,
}

impl Tree {
    /// Reads the tree below the node at `root`. `None`: it is no tree, or there is no memory.
    pub fn read(heap: &Heap, isolate: u64, memory: &mut Memory, root: u64) -> Option<Tree> {
        let mut tree = Tree {
            memory: Scratch::map(MOST * size_of::<Call>())?,
            order: Scratch::map(MOST * size_of::<u32>())?,
            length: 0,
        };
        tree.push(root, 0)?;
        let mut place = 0;
        while place < tree.length {
            let at = tree.calls().get(place)?.at;
            let node = Node::read(memory, at)?;
            let frame = match place {
                0 => 0,
                _ => frame(heap, isolate, &node).unwrap_or(0),
            };
            let call = tree.calls_mut().get_mut(place)?;
            (call.id, call.frame) = (node.id, frame);
            let (mut child, end) = node.children;
            while child < end {
                tree.push(memory.word(child)?, place)?;
                child += 8;
            }
            place += 1;
        }
        tree.sort();
        Some(tree)
    }

    fn push(&mut self, at: u64, caller: usize) -> Option<()> {
        let length = self.length;
        if length >= MOST {
            return None;
        }
        self.length += 1;
        let caller = u32::try_from(caller).ok()?;
        *self.calls_mut().get_mut(length)? = Call {
            id: 0,
            caller,
            frame: 0,
            at,
        };
        Some(())
    }

    fn calls(&self) -> &[Call] {
        // SAFETY: `length` is at most MOST, for which there is room; zeroed memory is a call.
        unsafe { core::slice::from_raw_parts(self.memory.start().cast().as_ptr(), self.length) }
    }

    fn calls_mut(&mut self) -> &mut [Call] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.memory.start().cast().as_ptr(), self.length) }
    }

    fn order(&mut self) -> &mut [u32] {
        // SAFETY: as above; zeroed memory is numbers.
        unsafe { core::slice::from_raw_parts_mut(self.order.start().cast().as_ptr(), self.length) }
    }

    fn sort(&mut self) {
        for (place, slot) in (0..).zip(self.order()) {
            *slot = place;
        }
        let at = self.memory.start().cast::<Call>();
        let id = |place: &u32| {
            // SAFETY: a place below `length`.
            unsafe { at.add(*place as usize).as_ref() }.id
        };
        self.order().sort_unstable_by_key(id);
    }

    /// The stack of the node `id`, leaf first, in `frames`.
    pub fn stack<'a>(&mut self, id: u32, frames: &'a mut [u64; DEEPEST]) -> Option<&'a [u64]> {
        let at = self.memory.start().cast::<Call>();
        let found = self.order().binary_search_by_key(&id, |place| {
            // SAFETY: as in `sort`.
            unsafe { at.add(*place as usize).as_ref() }.id
        });
        let mut place = *self.order().get(found.ok()?)? as usize;
        let mut length = 0;
        for slot in frames.iter_mut() {
            let call = self.calls().get(place)?;
            if place == 0 {
                break;
            }
            *slot = call.frame;
            length += usize::from(call.frame != 0);
            place = call.caller as usize;
        }
        frames.get(..length)
    }
}

/// The pseudo-address of a node.
fn frame(heap: &Heap, isolate: u64, node: &Node) -> Option<u64> {
    let (mut name, mut file) = ([0; LONGEST], [0; LONGEST]);
    let length = heap.text(isolate, node.name, &mut name).len();
    let file = heap.text(isolate, node.script, &mut file);
    let file = file.strip_prefix(b"file://").unwrap_or(file);
    let name = called(name.get_mut(..length)?, node.start);
    inside(|| FRAMES.intern(Kind::JavaScript, b"", name, file, node.line))?
}

/// The name of a function as it stands in other stacks. States of V8 are in parentheses; they
/// become markers.
fn called(name: &mut [u8], start: u32) -> &[u8] {
    match name {
        [] if start == 0 => b"<script>",
        [] => b"<anonymous>",
        [first @ b'(', .., last @ b')'] => {
            (*first, *last) = (b'[', b']');
            name
        }
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_in_other_stacks() {
        let said = |name: &str, start| {
            let mut name = name.as_bytes().to_vec();
            String::from_utf8(called(&mut name, start).to_vec()).expect("text")
        };
        assert_eq!(said("", 0), "<script>");
        assert_eq!(said("", 7), "<anonymous>");
        assert_eq!(said("(V8 API)", 0), "[V8 API]");
        assert_eq!(said("get x", 9), "get x");
    }
}

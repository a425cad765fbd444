//! The records that writer and reader of a dump have in common. Nothing here owns memory.

use super::list::{Frames, Parts};
use crate::escape::Text;

/// Estimates or counts of one line: live and, in brackets, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live blocks.
    pub objects: u64,
    /// Live bytes.
    pub bytes: u64,
    /// Blocks ever allocated.
    pub accumulated_objects: u64,
    /// Bytes ever allocated.
    pub accumulated_bytes: u64,
}

/// Real samples and what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Real samples.
    pub samples: u64,
    /// Estimated blocks, in 1/1000.
    pub objects_milli: u64,
    /// Estimated bytes.
    pub bytes: u64,
}

impl Estimate {
    /// The estimated blocks as a number.
    pub fn objects(&self) -> f64 {
        self.objects_milli as f64 / 1000.0
    }
}

/// Some samples with what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Real samples.
    pub samples: u64,
    /// The bytes they stand for.
    pub bytes: u64,
    /// The sum of the squares of what each stands for.
    pub squares: u128,
}

/// What the `# stack` line says of a stack, but for its frames and the lifetimes of freed samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StackFacts<'a> {
    /// Number of the stack in its process.
    pub id: u64,
    /// What is live.
    pub live: Estimate,
    /// Variance of the live bytes, in bytes squared.
    pub variance: u128,
    /// All that was ever allocated.
    pub accumulated: Estimate,
    /// Smallest and largest size of the live samples.
    pub sizes: Option<(u64, u64)>,
    /// Live samples by birth epoch; epochs without any may be left out.
    pub births: &'a [Weighed],
}

/// A `# stack` line as it is read; a key that is missing there is zero or empty here.
#[derive(Clone, Copy, Debug, Default)]
pub struct StackLine<'a> {
    /// Number of the stack in its process, the same in all its dumps.
    pub id: u64,
    /// What is live.
    pub live: Estimate,
    /// Variance of the live bytes, in bytes squared.
    pub variance: u128,
    /// All that was ever allocated.
    pub accumulated: Estimate,
    /// Smallest and largest size of the live samples.
    pub sizes: Option<(u64, u64)>,
    /// Live samples by birth epoch.
    pub births: Parts<'a>,
    /// Freed samples by lifetime bucket, of which the version of the file says what they are.
    pub lifetimes: Parts<'a>,
    /// The frames, for a stack that has no `@` block. `None`: it describes the block before it.
    pub frames: Option<Frames<'a>>,
}

/// A `# frame` line: the name behind a pseudo-address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManagedFrame<'a> {
    /// The pseudo-address as it stands in stacks.
    pub address: u64,
    /// `java`, `ruby`, `python`, `js`, ...
    pub kind: Text<'a>,
    /// Class or module; may be empty.
    pub class: Text<'a>,
    /// Function or method.
    pub name: Text<'a>,
    /// Source file; may be empty.
    pub file: Text<'a>,
    /// Line in the file; 0 when not known.
    pub line: u64,
}

/// A `# build_id` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildId<'a> {
    /// Where the ELF file is mapped.
    pub start: u64,
    /// The build id in hexadecimal digits.
    pub hex: &'a str,
    /// The file's path as in the maps.
    pub path: Text<'a>,
}

//! The records that writer and reader of a dump have in common.

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


/// What the `# stack` line says of a stack, but for its frames.
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
    /// Live samples and bytes by birth epoch; epochs without any may be left out.
    pub births: &'a [(u64, u64)],
    /// Freed samples by lifetime bucket.
    pub lifetimes: &'a [u32],
}

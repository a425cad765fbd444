//! A sampled object and its weight, on the way into the tables. The same type serves malloc,
//! mappings and the Java heap.

use crate::diag::{self, Counter};
use crate::sampler::Weight;
use crate::table::live_table::{Insert, Sample};
use crate::table::stack_table::{StackId, StackTable};

/// A block, a mapping or an object that is sampled.
pub struct Drawn {
    /// Its address, or the reference that identifies it.
    pub address: usize,
    /// The number of bytes that the program asked for.
    pub size: usize,
    /// log2 of the period with which it was drawn.
    pub lg_period: u8,
    /// What the sample stands for.
    pub weight: Weight,
    /// When it was allocated, by the recorder's clock.
    pub birth_ms: u64,
    /// The number of the thread that allocated it.
    pub thread: u32,
}

impl Drawn {
    /// Stores the sample with its stack, if the stack could be interned. `insert` puts the record
    /// into a table. The error says which counter to increment.
    #[inline(always)]
    pub fn keep(
        self,
        stacks: &StackTable,
        stack: Option<StackId>,
        insert: impl FnOnce(Sample) -> Insert,
    ) -> Result<(), Counter> {
        let stack = stack.ok_or(Counter::StackNotStored)?;
        let inserted = insert(Sample {
            addr: self.address,
            size: self.size,
            weighted_bytes: self.weight.bytes,
            birth_ms: self.birth_ms,
            lg_period: self.lg_period,
            stack,
            thread: self.thread,
        });
        match inserted {
            Insert::Full => return Err(Counter::SampleNotStored),
            Insert::New => {}
            Insert::Replaced(stale) => {
                diag::count(Counter::StaleReplaced);
                let lifetime = self.birth_ms.saturating_sub(stale.birth_ms);
                stacks.note_free(stale.stack, lifetime);
            }
        }
        stacks.note_alloc(stack, &self.weight);
        Ok(())
    }
}

//! The library's own locks and lock-free tables, compiled against loom instead of the processor's
//! atomics. loom runs a test in every order that the memory model allows.
//!
//! `build.rs` fetches the sources. The parts that these sources call are here: memory in which
//! every word is an atomic that loom knows, and a futex made of loom's mutex and condition
//! variable.
//!
//! Two parts are missing. `arena` keeps its state in statics, which loom does not support. The
//! place of the dumper's thread has the kernel as its other side.

pub mod atomic;

/// The machine below the tables.
pub mod platform {
    pub mod sys;
}

macro_rules! sources {
    ($($module:ident = $file:literal),*) => { $(
        #[allow(missing_docs, clippy::all)]
        pub mod $module {
            include!(concat!(env!("OUT_DIR"), "/table/", $file));
        }
    )* };
}

/// The tables and locks.
pub mod table {
    pub mod arena;

    sources!(
        sync = "sync.rs",
        fork_gate = "fork_gate.rs",
        stack_table = "stack_table/mod.rs",
        live_table = "live_table/mod.rs"
    );
}

/// What a sample stands for, as `sampler` has it; here every block is one.
pub mod sampler {
    /// One object.
    pub const ONE_OBJECT: u64 = 256;
    /// The longest period.
    pub const MOST_LG_PERIOD: u8 = 63;

    /// The weight of a sample.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Weight {
        /// Objects, in units of 1/256.
        pub objects_fx: u64,
        /// Bytes.
        pub bytes: u64,
        /// Of the number of objects.
        pub variance: f32,
    }

    /// Certain.
    pub fn probability(_size: usize, _lg_period: u8) -> f64 {
        1.0
    }

    /// Itself.
    pub fn weight(size: usize, _lg_period: u8) -> Weight {
        Weight {
            objects_fx: ONE_OBJECT,
            bytes: size as u64,
            variance: 0.0,
        }
    }

    /// Never thinned.
    pub fn is_kept(_size: usize, _from: u8, _to: u8, _random: u64) -> bool {
        true
    }

    /// Two to that power.
    pub fn power_of_two(exponent: i32) -> f64 {
        2f64.powi(exponent)
    }
}

/// Counters, which nobody looks at here.
pub mod diag {
    /// What is counted.
    pub enum Counter {
        /// A sample that was not kept.
        SampleNotStored,
        /// A stack that was cut.
        StackCut,
    }

    /// Counts nothing.
    pub fn count(_counter: Counter) {}
}

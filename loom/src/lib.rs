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

/// The weight of a sample, as `sampler` defines it.
pub mod sampler {
    /// The weight of a sample.
    #[derive(Debug, Clone, Copy)]
    pub struct Weight {
        /// Objects, in units of 1/256.
        pub objects_fx: u64,
        /// Bytes.
        pub bytes: u64,
    }
}

//! From the addresses of a stack to its names. Pure.
//!
//! ```text
//! filter -> naming -> interner -> named, and the analyses
//!             `-> culprit -> call_sites
//! ```
//! `filter` says which frames and stacks take part, `naming` what a frame is called, `interner` is the
//! one builder behind all named stacks, `named` has the sums of them that views draw, `culprit` says
//! which frame of a stack is to blame, `origin` whether an extension, the script or the runtime asked, and `call_sites` which of these places hold
//! the most.

pub mod call_sites;
pub mod culprit;
pub mod filter;
mod interner;
mod named;
pub mod naming;
pub mod origin;

pub use interner::Interner;
pub use named::{FrameId, KindTitle, NamedProfile, NamedStack, Part, Selection};

//! From the addresses of a stack to its names. Pure.
//!
//! ```text
//! filter -> naming -> interner -> named, and the analyses
//!             `-> culprit -> call_sites
//! ```
//! `filter` says which frames and stacks take part, `naming` what a frame is called, `interner` is the
//! one builder behind all named stacks, and `named` has the sums of them that views draw. `culprit` says
//! which frame of a stack is to blame, `glue` which asks for others, `library` whose code a line of a script is, `origin` whether an
//! extension, the script or the runtime asked, `retaining` which frames keep what they are given, and
//! `call_sites` which of these places hold the most.

pub mod by_address;
mod by_thread;
pub mod call_sites;
pub mod culprit;
pub mod filter;
mod forwarding;
pub mod glue;
mod interner;
mod library;
mod named;
pub mod naming;
pub mod origin;
mod pattern;
pub mod retaining;
mod selection;
pub mod short_name;
mod site;

pub use interner::Interner;
pub use named::{FrameId, NamedProfile, NamedStack};
pub use pattern::Pattern;
pub use selection::{KindTitle, Part, Selection, Threads};

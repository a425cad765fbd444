//! What is looked at: the program behind scripts and launchers, its file, and the libraries that the
//! loader would find for it.

pub(crate) mod brand;
pub(crate) mod image;
pub(crate) mod launcher;
pub(crate) mod ld_cache;
pub(crate) mod script;
pub(crate) mod search;
pub(crate) mod trail;

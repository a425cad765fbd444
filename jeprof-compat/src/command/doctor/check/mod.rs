//! What may be wrong, a file a question; each answers with findings.

pub(crate) mod allocator;
pub(crate) mod dumps;
pub(crate) mod format;
pub(crate) mod linked;
pub(crate) mod own_library;
pub(crate) mod past;
pub(crate) mod privilege;
pub(crate) mod remarks;
pub(crate) mod runtime;
pub(crate) mod sandbox;
pub(crate) mod variables;

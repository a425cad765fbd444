//! What is read in a terminal. Names are hostile input, and a terminal obeys control characters.

pub mod diff;
pub mod listing;
pub mod suspects;
pub mod text;

pub use crate::figures::hidden::printable;

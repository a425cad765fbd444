//! How a figure is said, once for the whole companion: bytes, rates, durations, dates, and the
//! estimates with their intervals. Pure; no sentence is made here.
//!
//! `quantity` reads what a person types, `words` writes what a person reads, `units` writes what
//! `jeprof` prints, `amount` what stands in a picture. `hidden` knows the letters that no reader may get.

pub mod amount;
pub mod date;
mod estimate;
pub mod hidden;
pub mod quantity;
pub mod units;
pub mod words;

pub use estimate::{Estimate, Z95};

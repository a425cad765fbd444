//! The companion: reads profiles, names their frames, and draws the culprit.

pub mod argv;
pub mod cli;
pub mod filter;
pub mod graph;
pub mod layout;
pub mod load;
pub mod model;
pub mod naming;
pub mod read;
pub mod run;
pub mod stacks;
pub mod symbolize;
pub mod units;
pub mod view;

//! The companion: reads profiles, names their frames, and draws the culprit.
//!
//! A room uses only rooms above it (a test holds the sources against this):
//! ```text
//! profile web             what a dump says, and its readers; how servers are asked
//! figures symbolize       how a figure is said; names of addresses
//! stacks                  raw stacks become named ones
//! analysis                graph, series, suspects, diff: in figures
//! report                  the data of a page
//! view                    sentences, terminal, page, pictures, formats of other tools
//! command                 what is typed
//! ```
//! A dump goes down: `profile::read` makes a profile of the file, `symbolize` finds names, `stacks` leaves
//! the allocator's frames out and makes one frame of what has one name, `analysis` judges, `view`
//! writes. Only `profile::read`, `profile::identity`, `web`, `symbolize`, `analysis::series` and `command`
//! look outside: all else is pure, and a test holds that too.

pub mod analysis;
pub mod command;
pub mod figures;
pub mod profile;
pub mod report;
pub mod stacks;
pub mod symbolize;
pub mod view;
pub(crate) mod web;

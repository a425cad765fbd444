//! Pure writers: what a person looks at. No view reads files or looks up symbols.

mod arrow;
pub mod callgrind;
pub mod colour;
pub mod diff;
pub mod dot;
pub mod flame;
pub mod flame_file;
pub mod folded;
pub mod html;
mod hue;
mod legend;
pub mod names;
mod node_label;
pub mod pprof;
pub mod raw;
pub mod sentences;
pub mod speedscope;
pub mod suspects;
pub mod svg;
pub mod text;
pub mod text_width;
pub mod xml;

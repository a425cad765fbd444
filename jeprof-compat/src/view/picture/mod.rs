//! Pictures: the call graph and the flame graph, as SVG and as text for `dot`.
//!
//! `layout` places boxes and lines, `node_label` and `names` decide what a box says and how it is
//! wrapped, `colour` and `hue` what it looks like; `svg`, `dot` and `flame` write.

mod arrow;
pub mod colour;
pub mod dot;
pub mod flame;
pub mod flame_file;
pub mod hue;
pub mod layout;
mod legend;
pub mod names;
mod node_label;
pub mod postscript;
pub mod still;
pub mod svg;
pub mod text_width;
pub mod xml;

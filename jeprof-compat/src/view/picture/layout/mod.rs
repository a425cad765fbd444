//! Positions for boxes and the lines between them: sizes in, coordinates out. Knows nothing of
//! profiles, names or colours, and does no input or output.
//!
//! [`Engine`] is the seam: [`Layered`] is built in, and a program such as Graphviz can stand
//! behind the same trait, because a [`Route`] has the shape of Graphviz's splines.
//!
//! ```text
//! links -> parts (what no link joins) -> acyclic (which links to turn) -> dagre (ranks, order)
//!       -> uncross (better order) -> settle (x, heavy links straight) -> route (curves that miss
//!       all boxes) -> parts (side by side)
//! ```

mod acyclic;
mod bands;
mod layered;
mod parts;
mod route;
mod settle;
mod uncross;

pub use layered::{Compact, Layered};

/// Room on the right of a box for a link to itself.
const LOOP_WIDTH: f64 = 18.0;
/// Between a line and its label.
const LABEL_GAP: f64 = 5.5;

/// Width and height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// Extent in x.
    pub width: f64,
    /// Extent in y.
    pub height: f64,
}

/// A place; y grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// An arrow to be drawn from one box to another, or to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Index of the box it leaves.
    pub from: usize,
    /// Index of the box it enters.
    pub to: usize,
    /// How much it matters that it is short and straight; any scale, not negative.
    pub weight: f64,
    /// Room for the text beside it.
    pub label: Size,
}

/// What is to be placed. Every index in `links` must be one of `boxes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The boxes.
    pub boxes: Vec<Size>,
    /// The arrows.
    pub links: Vec<Link>,
}

/// The way of one arrow: a start, then three points (two controls and an end) for each cubic
/// Bézier curve, as in Graphviz.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// `1 + 3 n` points.
    pub points: Vec<Point>,
    /// The middle of the label.
    pub label: Point,
}

/// The answer to a [`Request`], in its order. The top left corner is 0, 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Extent of everything.
    pub size: Size,
    /// The middle of each box.
    pub boxes: Vec<Point>,
    /// The way of each link.
    pub routes: Vec<Route>,
}

/// Something that places boxes.
pub trait Engine {
    /// Places everything that `request` asks for. The same request gives the same answer.
    fn place(&self, request: &Request) -> Placement;
}

/// Upper and lower box of a link as it is laid out.
fn ends(link: &Link, turned: bool) -> (usize, usize) {
    if turned {
        (link.to, link.from)
    } else {
        (link.from, link.to)
    }
}

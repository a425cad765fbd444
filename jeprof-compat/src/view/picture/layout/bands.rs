//! The rows of a layered picture: every box, and every place where a link passes a row, as items
//! in order from left to right. Made by `layered` from dagre's answer; `settle` gives the items
//! their x and `route` draws through them. Pure data.

/// What an item stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content {
    /// A box of the request, by index.
    Box(usize),
    /// A link passing through.
    Pass,
    /// A link passing through with its label on its right.
    Label,
}

/// One thing that takes room in a row. `x` is where links meet it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) content: Content,
    pub(super) x: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) height: f64,
    /// Items of the rows above and below that a link joins this one to: row, place, weight.
    pub(super) neighbours: Vec<(usize, usize, f64)>,
}

/// A row.
#[derive(Clone, Debug, Default)]
pub(super) struct Band {
    pub(super) items: Vec<Item>,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// Where an item is: row, place within the row.
pub(super) type Seat = (usize, usize);

/// Rows from top to bottom, and for each link its seats from the upper box to the lower one
/// (empty for a link from a box to itself).
#[derive(Clone, Debug, Default)]
pub(super) struct Bands {
    pub(super) bands: Vec<Band>,
    pub(super) chains: Vec<Vec<Seat>>,
    /// Seat of each box.
    pub(super) boxes: Vec<Seat>,
}

impl Bands {
    pub(super) fn item(&self, (row, place): Seat) -> &Item {
        &self.bands[row].items[place]
    }

    /// Smallest distance between an item and the next one on its right.
    pub(super) fn separation(left: &Item, right: &Item) -> f64 {
        let boxes = [left, right]
            .iter()
            .filter(|i| matches!(i.content, Content::Box(_)))
            .count();
        let gap = [6.0, 9.0, 16.0][boxes];
        left.right + gap + right.left
    }
}

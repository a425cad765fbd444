//! Many symbols at once: the loader's list is walked once, and each object's dynamic section read once.
//!
//! It runs at the start of every process. A shell starts hundreds of small ones, so it must be
//! fast.

use super::list::{all, own};
use super::object::Object;
use super::symbols::{Symbol, Tables, gnu_hash};

/// The name of a symbol. Most objects do not have it, and the hash alone shows that.
#[derive(Clone, Copy)]
pub struct Name<'n> {
    text: &'n [u8],
    hash: u32,
}

impl<'n> Name<'n> {
    /// The hash is best computed at compile time.
    pub const fn new(text: &'n [u8]) -> Name<'n> {
        Name {
            text,
            hash: gnu_hash(text),
        }
    }

    /// A name whose hash is known.
    pub const fn hashed(text: &'n [u8], hash: u32) -> Name<'n> {
        Name { text, hash }
    }

    /// The text of the name.
    pub const fn text(&self) -> &'n [u8] {
        self.text
    }
}

impl Object {
    /// Looks up `names`, each with the caller's number for it. `see` gets the number and the
    /// definition of each name that is defined here. As [`Object::symbol`] for each.
    pub fn symbols<'n>(
        &self,
        names: impl Iterator<Item = (usize, Name<'n>)>,
        see: &mut dyn FnMut(usize, Symbol),
    ) {
        let Some(tables) = Tables::read(self) else {
            return;
        };
        for (number, name) in names {
            if let Some(symbol) = self.symbol_in(&tables, name.text, name.hash) {
                see(number, symbol);
            }
        }
    }
}

/// Shows the objects in the order in which [`super::next_symbol`] searches them: first those after
/// ours, then those before ours.
pub fn for_each_but_own(see: &mut dyn FnMut(&Object)) {
    let own = own();
    let is_own = |object: &Object| Some(*object) == own;
    all()
        .skip_while(|object| !is_own(object))
        .skip(1)
        .for_each(|object| see(&object));
    all()
        .take_while(|object| !is_own(object))
        .for_each(|object| see(&object));
}

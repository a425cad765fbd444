//! Many symbols at once: the loader's list is walked once, and each object's dynamic section read once.
//!
//! It runs at the start of every process. A shell starts hundreds of small ones, so it must be
//! fast.

use super::list::{all, objects_after_own};
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

/// The symbols of one object, whose dynamic section was read.
pub struct Table<'a> {
    object: &'a Object,
    tables: Tables,
}

impl Object {
    /// Its symbols; `None` where it has no table of them.
    pub fn table(&self) -> Option<Table<'_>> {
        let tables = Tables::read(self)?;
        Some(Table {
            object: self,
            tables,
        })
    }
}

impl Table<'_> {
    /// As [`Object::symbol`].
    #[inline]
    pub fn symbol(&self, name: Name<'_>) -> Option<Symbol> {
        // Nearly all that is asked for is not here.
        if !self.tables.may_have(name.hash) {
            return None;
        }
        self.object
            .symbol_of(self.tables.lookup(name.text, name.hash)?)
    }

    /// Looks `names` up, with the number that they have for the caller; `see` gets the number and the
    /// definition of those that are here.
    pub fn symbols<'n>(
        &self,
        names: impl Iterator<Item = (usize, Name<'n>)>,
        mut see: impl FnMut(usize, Symbol),
    ) {
        for (number, name) in names {
            if let Some(symbol) = self.symbol(name) {
                see(number, symbol);
            }
        }
    }

    /// Is there a symbol here whose hash is one of these? True where there is no table that tells.
    pub fn has_hash_of(&self, hashes: &[u32]) -> bool {
        let Some(table) = self.tables.gnu_hash else {
            return true;
        };
        hashes
            .iter()
            .any(|hash| table.may_have(*hash) && table.walk(*hash, &mut |_| Some(())).is_some())
    }
}

/// Shows the objects in the order in which [`super::next_symbol`] searches them: first those after
/// ours, then those before ours. It is told where each stands.
pub fn for_each_but_own(see: &mut impl FnMut(&Object, Place)) {
    objects_after_own().for_each(|object| see(&object, Place::Behind));
    all()
        .take_while(|object| !object.is_own())
        .for_each(|object| see(&object, Place::Before));
}

/// Where an object stands in the loader's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The loader asks it before us.
    Before,
    /// It is the next allocator's, or of those behind it.
    Behind,
}

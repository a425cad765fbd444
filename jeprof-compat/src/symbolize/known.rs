//! Names that were found already, by module and offset in its file. Commands name the same modules again
//! and again: `report` a process after the other, `run` for its summary and then for its verdict, `top` at
//! every look. rayon's threads share what is here.
//!
//! Only for modules whose build id stands in the dump: a path alone may mean another file the next time.
//! What was not found is asked again, because a file may come.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Named;
use crate::profile::model::Mapping;

/// Path, build id, and where the mapping begins in the file: a debug file alone is read by the last.
type Key = (String, String, u64);

/// The names of one module, by offset.
pub(super) type Names = HashMap<u64, Named>;

/// All modules. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<HashMap<Key, Arc<Mutex<Names>>>>>);

impl Known {
    /// What is known of a module; nothing is kept of one without a build id. The lock of a module is held
    /// while its file is read, the lock of the table never.
    pub(super) fn of(&self, module: &Mapping) -> Arc<Mutex<Names>> {
        let Some(build_id) = module.build_id.clone() else {
            return Arc::default();
        };
        let key = (module.path.clone(), build_id, module.offset);
        self.0.lock().entry(key).or_default().clone()
    }
}

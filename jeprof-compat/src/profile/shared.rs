//! Lists that several profiles hold in common: the dumps of one process have mostly the same stacks and names,
//! and each is in memory once. A list that is changed becomes the changer's own.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A list that is cheap to copy. An empty one takes no memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shared<T>(Option<Arc<[T]>>);

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared(None)
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut().map(Arc::make_mut).unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Shared<T> {
        Shared((!list.is_empty()).then(|| list.into()))
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Shared<T> {
        Vec::from_iter(items).into()
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_the_changers_own() {
        let one: Shared<u32> = vec![1, 2].into();
        let mut two = one.clone();
        assert!(std::ptr::eq(&*one, &*two));
        two[0] = 7;
        assert_eq!((&*one, &*two), (&[1, 2][..], &[7, 2][..]));
        assert_eq!(Shared::<u32>::from(Vec::new()), Shared::default());
    }
}

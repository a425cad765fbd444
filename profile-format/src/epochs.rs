//! Birth epochs: when the samples that are live now were born, coarsely.
//!
//! Widths are powers of two of a second and bounds are multiples of the width since the process
//! started, so the bounds of a later dump are also bounds of every earlier one: epochs merge in
//! pairs as time goes on, and cohorts of two dumps can be compared.

/// At most this many epochs in a dump.
pub const MOST: u64 = 32;

/// The smallest width that divides `elapsed_ms` into no more than [`MOST`] epochs.
pub fn width_ms(elapsed_ms: u64) -> u64 {
    let mut width = 1000u64;
    while elapsed_ms / width >= MOST {
        width = width.saturating_mul(2);
    }
    width
}

/// The number of epochs that have begun.
pub fn count(elapsed_ms: u64) -> u64 {
    elapsed_ms / width_ms(elapsed_ms) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widths_double() {
        assert_eq!((width_ms(0), count(0)), (1000, 1));
        assert_eq!((width_ms(31_999), count(31_999)), (1000, 32));
        assert_eq!((width_ms(32_000), count(32_000)), (2000, 17));
    }

    proptest! {
        #[test]
        fn never_too_many_and_bounds_nest(elapsed: u64, later: u64) {
            prop_assert!(count(elapsed) <= MOST);
            let (first, second) = (width_ms(elapsed.min(later)), width_ms(elapsed.max(later)));
            prop_assert_eq!(second % first, 0);
        }
    }
}

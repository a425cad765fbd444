//! Lifetimes of freed samples, in buckets: four an octave.
//!
//! An age from which on blocks are watched is the bound of a bucket, and with bounds at powers of two
//! alone the one that a leak shows at may lie between them: blocks that live a minute are all gone
//! after twelve, and of half an hour the next power of two leaves nothing.
//!
//! Bucket 0 is below 1 ms; then each octave [2^k, 2^(k+1)) ms is cut in four equal parts.

/// The number of buckets; the last, from 21 days on, is open.
pub const BUCKETS: usize = 1 + 4 * OCTAVES as usize;

const OCTAVES: u32 = 31;

/// The bucket of a lifetime.
pub fn bucket(ms: u64) -> usize {
    let Some(octave) = ms.checked_ilog2() else {
        return 0;
    };
    if octave >= OCTAVES {
        return BUCKETS - 1;
    }
    let quarter = ((ms << 2) >> octave) & 3;
    1 + 4 * octave as usize + quarter as usize
}

/// The shortest lifetime of a bucket, in milliseconds; below 4 ms it may be none that a clock shows.
pub fn start_ms(bucket: usize) -> f64 {
    match bucket.min(BUCKETS).checked_sub(1) {
        None => 0.0,
        Some(at) => (1u64 << (at / 4)) as f64 * (1.0 + (at % 4) as f64 / 4.0),
    }
}

/// The last bucket with the lifetimes of bucket `old` of version 1: 0 below 1 ms, k from 2^(k-1) to
/// 2^k ms. What was freed then was freed no later.
pub fn of_version_1(old: u64) -> usize {
    match old {
        0 => 0,
        1..=31 => 4 * old as usize,
        _ => BUCKETS - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_an_octave() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7, 8].map(bucket),
            [0, 1, 5, 7, 9, 10, 11, 12, 13]
        );
        assert_eq!((start_ms(9), start_ms(10), start_ms(13)), (4.0, 5.0, 8.0));
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!([0, 1, 2, 31, 32].map(of_version_1), [0, 4, 8, 124, 124]);
    }

    proptest! {
        #[test]
        fn a_lifetime_is_within_its_bucket(ms in 1u64..1 << 40) {
            let at = bucket(ms);
            prop_assert!(at < BUCKETS && start_ms(at) <= ms as f64);
            prop_assert!(at + 1 == BUCKETS || (ms as f64) < start_ms(at + 1));
            let old = u64::from(u64::BITS - ms.leading_zeros());
            prop_assert!(at <= of_version_1(old));
        }
    }
}

//! Statistics with fixed seeds: what is claimed at the head of `sampler` holds within three sigma.
use super::*;



#[test]
fn exact_mode_and_size_zero_weigh_one() {
    for size in [0, 1, 7, 4096, usize::MAX] {
        assert_eq!(
            weight(size, 0),
            Weight {
                objects_fx: ONE_OBJECT,
                bytes: size as u64
            }
        );
    }
    assert_eq!(
        weight(0, 19),
        Weight {
            objects_fx: ONE_OBJECT,
            bytes: 0
        }
    );
    assert_eq!(probability(0, 19), 0.0);
}

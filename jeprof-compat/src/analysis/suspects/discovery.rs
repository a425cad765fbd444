//! Correction for many tests. Pure.
//!
//! # Derivation
//! Of a thousand paths that do not leak fifty pass a test at 5 %. Benjamini and Hochberg (1995):
//! sort the p values; with k the largest rank whose value is at most k q / m, the first k are
//! accepted, and among the accepted no more than the share q is wrong on average. It holds for
//! independent tests and for positively dependent ones, as those of paths in one program are.

/// The largest p value that is accepted, 0 when none is.
pub fn threshold(p: &[f64], q: f64) -> f64 {
    let mut sorted = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tests = sorted.len() as f64;
    let ranked = sorted.iter().enumerate().rev();
    let mut accepted = ranked.filter(|(rank, p)| **p <= (*rank as f64 + 1.0) * q / tests);
    accepted.next().map_or(0.0, |(_, p)| *p)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the paper, section 3.2: four of fifteen at 5 %.
    #[test]
    fn the_example_of_the_paper() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0000,
        ];
        assert_eq!(threshold(&p, 0.05), 0.0095);
    }

    #[test]
    fn one_test_needs_no_correction() {
        assert_eq!(threshold(&[0.04], 0.05), 0.04);
        assert_eq!(threshold(&[0.06], 0.05), 0.0);
        assert_eq!(threshold(&[], 0.05), 0.0);
    }
}

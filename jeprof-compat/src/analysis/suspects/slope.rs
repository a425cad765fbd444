//! The slope of totals over time: live bytes, RSS. A cross-check, and what remains for dumps without
//! ages. Pure.
//!
//! # Derivation
//! Least squares over the dumps of the second three quarters of the run. Live totals of neighbouring
//! dumps share their samples, so the residuals are no measure of the error; none is claimed.

/// Units of `y` a second, over `(seconds, y)` after the warm-up; `None` with fewer than three.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let warm = first + 0.25 * (last - first);
    let late: Vec<_> = points.iter().filter(|p| p.0 >= warm).collect();
    if late.len() < 3 {
        return None;
    }
    let count = late.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| late.iter().map(|p| of(p)).sum::<f64>() / count;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let spread: f64 = late.iter().map(|p| (p.0 - x).powi(2)).sum();
    let joint: f64 = late.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    (spread > 0.0).then(|| joint / spread)
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_warm_up_does_not_count() {
        let points = [
            (0.0, 0.0),
            (1.0, 90.0),
            (4.0, 102.0),
            (5.0, 103.0),
            (6.0, 104.0),
            (8.0, 106.0),
        ];
        assert!((slope(&points).unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(slope(&points[..2]), None);
        assert_eq!(slope(&[]), None);
    }
}

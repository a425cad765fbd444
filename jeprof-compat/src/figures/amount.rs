//! Values in words for the pictures: `384.3 MB`, `97.7%`. Pure. The text views have jeprof's fixed
//! unit instead, in which the small boxes of a picture would all be `0.0`.

use super::units::Unit;
use super::words;

/// `value` with its unit: bytes in the largest one that leaves a figure above one, unless plain
/// bytes were asked for.
pub fn amount(value: f64, unit: Unit) -> String {
    // The sum of nothing is -0.0, and would be printed with its sign.
    let value = value + 0.0;
    match unit {
        Unit::Megabytes => words::tenths(value),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Seconds => format!("{:.3} s", value / 1e9),
        Unit::Objects | Unit::Samples => format!("{value:.0}"),
    }
}

/// `part` of `whole` as a percentage with one decimal.
pub fn percent(part: f64, whole: f64) -> String {
    let share = if whole == 0.0 { 0.0 } else { part / whole };
    format!("{:.1}%", share * 100.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_share_of_nothing() {
        assert_eq!(percent(0.0, 0.0), "0.0%");
        assert_eq!(percent(384.3, 393.4), "97.7%");
    }

    #[test]
    fn plain_units_stay_plain() {
        assert_eq!(amount(12.4, Unit::Objects), "12");
        assert_eq!(amount(2048.0, Unit::Bytes), "2048 B");
    }
}

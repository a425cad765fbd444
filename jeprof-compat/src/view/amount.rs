//! Values in words for the pictures: `384.3 MB`, `97.7%`. Pure. The text views have jeprof's fixed
//! unit instead, in which the small boxes of a picture would all be `0.0`.

use crate::units::Unit;

/// `value` with its unit: bytes in the largest one that leaves a figure above one, unless plain
/// bytes were asked for.
pub fn amount(value: f64, unit: Unit) -> String {
    // The sum of nothing is -0.0, and would be printed with its sign.
    let value = value + 0.0;
    match unit {
        Unit::Megabytes => scaled(value),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Objects => format!("{value:.0}"),
    }
}

fn scaled(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut figure = value;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while figure.abs() >= 1023.95 && unit + 1 < UNITS.len() {
        figure /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{figure:.decimals$} {}", UNITS[unit])
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
    fn figures_take_the_largest_fitting_unit() {
        let scaled = |value| amount(value, Unit::Megabytes);
        assert_eq!(scaled(0.0), "0 B");
        assert_eq!(scaled([].iter().sum()), "0 B");
        assert_eq!(scaled(1023.0), "1023 B");
        assert_eq!(scaled(1024.0), "1.0 KB");
        assert_eq!(scaled(1_048_575.0), "1.0 MB");
        assert_eq!(scaled(-402_978_406.0), "-384.3 MB");
        assert_eq!(scaled(5e15), "4547.5 TB");
    }

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

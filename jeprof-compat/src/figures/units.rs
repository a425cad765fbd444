//! Numbers as `jeprof` prints them, digit for digit.

use std::fmt;

use crate::profile::model::{Measure, ValueKind};

/// What a printed number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// 2^20 bytes, with one decimal.
    #[default]
    Megabytes,
    /// Bytes, cut to whole ones.
    Bytes,
    /// Blocks, cut to whole ones.
    Objects,
    /// Samples of a processor's time, or contentions.
    Samples,
    /// Nanoseconds, shown as seconds with three decimals.
    Seconds,
}

impl Unit {
    /// The unit of one value of what is measured; `--show_bytes` asks for plain bytes.
    pub fn new(measure: Measure, value: ValueKind, show_bytes: bool) -> Unit {
        match (measure, value.is_objects(), show_bytes) {
            (Measure::Memory, true, _) => Unit::Objects,
            (Measure::Memory, false, true) => Unit::Bytes,
            (Measure::Memory, false, false) => Unit::Megabytes,
            (Measure::Time | Measure::Delay, true, _) => Unit::Samples,
            (Measure::Time | Measure::Delay, false, _) => Unit::Seconds,
        }
    }

    /// The number alone.
    pub fn format(self, value: f64) -> String {
        match self {
            Unit::Megabytes => format!("{:.1}", value / 1_048_576.0),
            Unit::Seconds => format!("{:.3}", value / 1e9),
            Unit::Bytes | Unit::Objects | Unit::Samples => format!("{}", value as i64),
        }
    }

    /// The unit's name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Megabytes => "MB",
            Unit::Bytes => "B",
            Unit::Objects => "objects",
            Unit::Samples => "samples",
            Unit::Seconds => "seconds",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A share of a total, or what Perl makes of a division by zero.
pub fn percent(value: f64, total: f64) -> String {
    if total != 0.0 {
        return format!("{:.1}%", value * 100.0 / total);
    }
    let word = match value {
        v if v > 0.0 => "+inf",
        v if v < 0.0 => "-inf",
        _ => "nan",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(Unit::Megabytes.format(405_770_826.0), "387.0");
        assert_eq!(Unit::Megabytes.format(-1_048_576.0), "-1.0");
        assert_eq!(Unit::Bytes.format(12.99), "12");
        assert_eq!(Unit::Objects.format(-0.5), "0");
        let unit = |measure, value| Unit::new(measure, value, true);
        assert_eq!(
            unit(Measure::Memory, ValueKind::AllocObjects),
            Unit::Objects
        );
        assert_eq!(unit(Measure::Memory, ValueKind::InuseSpace).name(), "B");
        assert_eq!(
            unit(Measure::Time, ValueKind::InuseObjects).name(),
            "samples"
        );
        assert_eq!(unit(Measure::Delay, ValueKind::Mean), Unit::Seconds);
        assert_eq!(Unit::Seconds.format(2_210_316_800.0), "2.210");
    }

    #[test]
    fn percents() {
        assert_eq!(percent(1.0, 3.0), "33.3%");
        assert_eq!(percent(3.0, 2.0), "150.0%");
        assert_eq!(percent(0.0, 0.0), "nan");
        assert_eq!(percent(2.0, 0.0), "+inf");
        assert_eq!(percent(-2.0, 0.0), "-inf");
    }
}

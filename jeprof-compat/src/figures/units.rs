//! Numbers as `jeprof` prints them, digit for digit.

use std::fmt;

use crate::profile::model::ValueKind;

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
}

impl Unit {
    /// The unit for a heap value; `--show_bytes` asks for plain bytes.
    pub fn new(value: ValueKind, show_bytes: bool) -> Unit {
        match (value.is_objects(), show_bytes) {
            (true, _) => Unit::Objects,
            (false, true) => Unit::Bytes,
            (false, false) => Unit::Megabytes,
        }
    }

    /// The number alone.
    pub fn format(self, value: f64) -> String {
        match self {
            Unit::Megabytes => format!("{:.1}", value / 1_048_576.0),
            Unit::Bytes | Unit::Objects => format!("{}", value as i64),
        }
    }

    /// The unit's name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Megabytes => "MB",
            Unit::Bytes => "B",
            Unit::Objects => "objects",
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
        assert_eq!(Unit::new(ValueKind::AllocObjects, true), Unit::Objects);
        assert_eq!(Unit::new(ValueKind::InuseSpace, true).name(), "B");
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

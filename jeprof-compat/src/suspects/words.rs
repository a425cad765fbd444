//! Figures in words: `41.0 MB/h`, `1 h 20 min`. Called by the other files of `suspects` and by its
//! views. MB are 2^20 bytes, as everywhere.

pub use crate::quantity::in_words as bytes;
use crate::quantity::per;

/// A rate in bytes a second, told for a run of so many seconds.
pub fn rate(value: f64, run: f64) -> String {
    let (name, seconds) = per(run);
    format!("{}/{name}", bytes(value * seconds))
}

/// A time in its two largest units.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let two = |large: u64, name: &str, small: u64, other: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {other}"),
    };
    match whole {
        s if s < 1 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        s if s < 60 => format!("{s} s"),
        s if s < 600 => two(s / 60, "min", s % 60, "s"),
        s if s < 3600 => format!("{} min", (s + 30) / 60),
        s if s < 86_400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        s => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

/// `1 sample`, `26 samples`.
pub fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(rate(1_048_576.0 / 3600.0, 7200.0), "1.0 MB/h");
        assert_eq!(rate(1_048_576.0, 20.0), "1.0 MB/s");
        assert_eq!(count(1, "sample"), "1 sample");
    }

    #[test]
    fn times() {
        assert_eq!(duration(0.25), "250 ms");
        assert_eq!(duration(61.0), "1 min 1 s");
        assert_eq!(duration(2400.0), "40 min");
        assert_eq!(duration(7200.0), "2 h");
        assert_eq!(duration(5400.0), "1 h 30 min");
        assert_eq!(duration(100_000.0), "1 d 3 h");
    }
}

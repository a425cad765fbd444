//! Figures in words: `41.0 MB/h`, `1 h 20 min`. Pure. MB are 2^20 bytes, as everywhere.

/// The figure of a number of bytes in its unit, and the unit: the largest one that leaves a figure
/// of one about. From 999.5 on the next larger unit is taken, as three digits would not hold it.
fn scaled(value: f64) -> (f64, &'static str) {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    // The sum of nothing is -0.0, and would be printed with its sign.
    let (mut figure, mut unit) = (value + 0.0, 0);
    while figure.abs() >= 999.5 && unit + 1 < UNITS.len() {
        figure /= 1024.0;
        unit += 1;
    }
    (figure, UNITS[unit])
}

/// Bytes in a sentence or a table: `1.5 KB`, `41.0 MB`, `400 MB`.
pub fn bytes(value: f64) -> String {
    let (figure, unit) = scaled(value);
    let decimals = usize::from(unit != "B" && figure.abs() < 99.95);
    format!("{figure:.decimals$} {unit}")
}

/// Bytes in a picture, always to a tenth: `384.3 MB`.
pub fn tenths(value: f64) -> String {
    let (figure, unit) = scaled(value);
    let decimals = usize::from(unit != "B");
    format!("{figure:.decimals$} {unit}")
}

/// A change in bytes, always with its sign: `+1.5 MB`, `-3.0 KB`.
pub fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "" } else { "+" };
    format!("{sign}{}", bytes(value))
}

/// The mean distance of two samples in bytes: `128 KB`. Most are powers of two.
pub fn period(bytes: u64) -> String {
    match bytes {
        0 | 1 => "allocation".to_owned(),
        b if b % (1 << 20) == 0 => format!("{} MB", b >> 20),
        b if b % (1 << 10) == 0 => format!("{} KB", b >> 10),
        b => format!("{b} bytes"),
    }
}

/// The same as a word of a command line: `128k`.
pub fn option(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{}m", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{}k", b >> 10),
        b => b.to_string(),
    }
}

/// The unit of time for the rates of a run, given its seconds.
pub fn per(run: f64) -> (&'static str, f64) {
    match run {
        run if run < 120.0 => ("s", 1.0),
        run if run < 1800.0 => ("min", 60.0),
        _ => ("h", 3600.0),
    }
}

/// A rate in bytes a second, in the unit of time that suits a run of `run` seconds.
pub fn rate(value: f64, run: f64) -> String {
    let (name, seconds) = per(run);
    format!("{}/{name}", bytes(value * seconds))
}

/// The same of what may shrink: `grows 1.0 MB/s`, `stands still`, `shrinks 841 KB/s`. What is less than a
/// KB over the whole run stands still.
pub fn growth(value: f64, run: f64) -> String {
    match value * run {
        whole if whole.abs() < 1024.0 => "stands still".to_owned(),
        whole if whole < 0.0 => format!("shrinks {}", rate(-value, run)),
        _ => format!("grows {}", rate(value, run)),
    }
}

/// A band in a unit that is said once, where both ends have it: `6.5 to 8.3 MB/s`.
pub fn band(low: f64, high: f64, run: f64) -> String {
    let (low, high) = (rate(low, run), rate(high, run));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    match low.split_once(' ') {
        Some((figure, _)) if unit(&low) == unit(&high) => format!("{figure} to {high}"),
        _ => format!("{low} to {high}"),
    }
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

/// A time beside others, as on an axis: `45 s`, `12:30 min`, `2:05 h`, `3 d 4 h`.
pub fn clock(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02} min", s / 60, s % 60),
        3600..172_800 => format!("{}:{:02} h", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A time that runs while it is looked at: `59s`, `2m05s`, `3h12m`.
pub fn stopwatch(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
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
    fn sizes() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes([].iter().sum()), "0 B");
        assert_eq!(bytes(1536.0), "1.5 KB");
        assert_eq!(bytes(400.0 * 1_048_576.0), "400 MB");
        assert_eq!(bytes(1000.0 * 1_048_576.0), "1.0 GB");
        assert_eq!(bytes(-3072.0), "-3.0 KB");
        assert_eq!(signed(-3072.0), "-3.0 KB");
        assert_eq!(signed(1536.0), "+1.5 KB");
    }

    #[test]
    fn tenths_are_of_the_same_unit() {
        for figure in [
            0.0,
            999.4,
            999.5,
            1023.0,
            1024.0,
            1e5,
            1_048_575.0,
            1_073_000_000.0,
        ] {
            let unit = |text: String| text.rsplit(' ').next().map(str::to_owned);
            assert_eq!(unit(tenths(figure)), unit(bytes(figure)), "{figure}");
        }
        assert_eq!(tenths(-402_978_406.0), "-384.3 MB");
        assert_eq!(tenths(5e15), "4547.5 TB");
    }

    #[test]
    fn periods_are_powers_of_two_mostly() {
        let periods = [1, 100, 1 << 17, 1 << 20, 3 << 20].map(period);
        assert_eq!(
            periods,
            ["allocation", "100 bytes", "128 KB", "1 MB", "3 MB"]
        );
    }

    #[test]
    fn options_are_read_again() {
        assert_eq!([512, 1 << 13, 3 << 20].map(option), ["512", "8k", "3m"]);
    }

    #[test]
    fn clocks_are_read_at_a_glance() {
        let read = [5.0, 90.0, 7500.0, 273_600.0].map(clock);
        assert_eq!(read, ["5 s", "1:30 min", "2:05 h", "3 d 4 h"]);
        assert_eq!([59, 125, 11_520].map(stopwatch), ["59s", "2m05s", "3h12m"]);
    }

    #[test]
    fn figures() {
        assert_eq!(rate(1_048_576.0 / 3600.0, 7200.0), "1.0 MB/h");
        assert_eq!(rate(1_048_576.0, 20.0), "1.0 MB/s");
        assert_eq!(count(1, "sample"), "1 sample");
    }

    #[test]
    fn what_shrinks_does_not_grow() {
        assert_eq!(growth(-841.0 * 1024.0, 20.0), "shrinks 841 KB/s");
        assert_eq!(growth(-3.0, 20.0), "stands still");
        assert_eq!(growth(1_048_576.0, 20.0), "grows 1.0 MB/s");
    }

    #[test]
    fn a_band_has_its_unit_once() {
        let mb = 1_048_576.0;
        assert_eq!(band(6.5 * mb, 8.3 * mb, 20.0), "6.5 to 8.3 MB/s");
        assert_eq!(band(0.5 * mb, 8.3 * mb, 20.0), "512 KB/s to 8.3 MB/s");
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

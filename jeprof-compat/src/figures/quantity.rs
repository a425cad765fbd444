//! Amounts as people type them on a command line: `60s`, `512k`, `10m/h`. Pure.

/// Seconds of `90`, `90s`, `5m`, `2h` or `1d`.
pub fn seconds(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    scaled(text, &UNITS).ok_or_else(|| "seconds, or with s, m, h or d behind them".to_owned())
}

/// Milliseconds of `100ms`, and of times as [`seconds`] reads them.
pub fn milliseconds(text: &str) -> Result<f64, String> {
    let exact = text
        .strip_suffix("ms")
        .and_then(|ms| ms.trim().parse::<u64>().ok());
    match exact {
        Some(ms) => Ok(ms as f64),
        None => seconds(text)
            .map(|seconds| seconds as f64 * 1000.0)
            .map_err(|_| "a time as in 100ms, 2s or 5m".to_owned()),
    }
}

/// Bytes of `65536`, `512k`, `2m` or `1g`; a `b` or `ib` behind them says nothing more.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 3] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_suffix('b').unwrap_or(&lower);
    let bare = bare.strip_suffix('i').unwrap_or(bare);
    scaled(bare, &UNITS).ok_or_else(|| "bytes, or with k, m or g behind them".to_owned())
}

/// The exponent of the power of two that is nearest to an amount of bytes: how the profiler takes its rate.
pub fn lg_bytes(text: &str) -> Result<u32, String> {
    match bytes(text)? {
        0 => Err("at least one byte".to_owned()),
        bytes => Ok((bytes as f64).log2().round() as u32),
    }
}

/// The mean distance between samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As the budget allows.
    Auto,
    /// log2 of the bytes.
    Lg(u32),
}

impl std::fmt::Display for Rate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rate::Auto => out.write_str("auto"),
            Rate::Lg(lg) => write!(out, "{lg}"),
        }
    }
}

/// `auto`, or bytes as [`lg_bytes`] reads them.
pub fn lg_rate(text: &str) -> Result<Rate, String> {
    match text {
        "auto" => Ok(Rate::Auto),
        _ => lg_bytes(text).map(Rate::Lg),
    }
}

/// Bytes an hour of `10MB/h`, `512k/min` or `1.5g/d`; megabytes an hour where no unit is given.
pub fn rate(text: &str) -> Result<f64, String> {
    const SIZES: [(&str, f64); 4] = [
        ("k", 1024.0),
        ("m", 1_048_576.0),
        ("g", 1_073_741_824.0),
        ("", 1.0),
    ];
    let lower = text.to_ascii_lowercase();
    let (amount, time) = lower.split_once('/').unwrap_or((&lower, ""));
    let bare = amount.strip_suffix('b').unwrap_or(amount);
    let size = SIZES.into_iter().find_map(|(unit, factor)| {
        let number = bare.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        Some((
            number,
            if amount.ends_with(|c: char| c.is_ascii_digit()) {
                SIZES[1].1
            } else {
                factor
            },
        ))
    });
    let times_an_hour = match time {
        "s" | "sec" => Some(3600.0),
        "m" | "min" => Some(60.0),
        "h" | "" => Some(1.0),
        "d" | "day" => Some(1.0 / 24.0),
        _ => None,
    };
    let rate = size
        .zip(times_an_hour)
        .map(|((number, factor), times)| number * factor * times);
    rate.filter(|rate| rate.is_finite() && *rate >= 0.0)
        .ok_or_else(|| {
            "a rate as in 10MB/h, 512k/min or 3k/s; a bare number is MB an hour".to_owned()
        })
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit = units.iter().find_map(|&(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        Some((number, factor))
    });
    let (number, factor) = unit.unwrap_or((text, 1));
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let all = ["90", "90s", "5m", "2h", "1d"].map(|text| seconds(text).unwrap());
        assert_eq!(all, [90, 90, 300, 7200, 86_400]);
        for text in ["", "s", "-1s", "1w", "1.5h", "99999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn short_times() {
        let all = ["100ms", "2s", "3", "1m"].map(|text| milliseconds(text).unwrap());
        assert_eq!(all, [100.0, 2000.0, 3000.0, 60_000.0]);
        assert!(milliseconds("5us").is_err() && milliseconds("ms").is_err());
    }

    #[test]
    fn rates() {
        const MB: f64 = 1_048_576.0;
        for (text, bytes_an_hour) in [
            ("10", 10.0 * MB),
            ("1.5", 1.5 * MB),
            ("10MB/h", 10.0 * MB),
            ("10 mb/h", 10.0 * MB),
            ("512k/min", 30.0 * MB),
            ("1M/s", 3600.0 * MB),
            ("24g/d", 1024.0 * MB),
            ("2048B/h", 2048.0),
            ("0", 0.0),
        ] {
            assert_eq!(rate(text), Ok(bytes_an_hour), "{text}");
        }
        for text in [
            "",
            "MB",
            "/h",
            "-1",
            "10MB/y",
            "1e999",
            "nan",
            "10 apples/h",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let all = ["7", "512k", "512KiB", "2M", "1gb"].map(|text| bytes(text).unwrap());
        assert_eq!(all, [7, 1 << 19, 1 << 19, 1 << 21, 1 << 30]);
        assert!(bytes("k").is_err() && bytes("1t").is_err());
        let rates = ["512k", "500k", "1", "800k", "2M", "1g", "500000"];
        let rates = rates.map(|text| lg_bytes(text).unwrap());
        assert_eq!(rates, [19, 19, 0, 20, 21, 30, 19]);
        for wrong in ["", "k", "0", "-1", "1.5m", "99999999999g"] {
            assert!(lg_bytes(wrong).is_err(), "{wrong}");
            assert!(lg_rate(wrong).is_err(), "{wrong}");
        }
        let said = ["auto", "64k"].map(|text| lg_rate(text).unwrap().to_string());
        assert_eq!(said, ["auto", "16"]);
    }
}

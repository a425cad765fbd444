//! The axes: round steps, each axis in one unit. Pure.

use std::fmt::Write;

use super::{BOTTOM, Frame, LEFT, RIGHT};
use crate::view::picture::text_width;

/// Size of the letters, and how much wider those of another font may be.
const LETTERS: f64 = 12.0;
const WIDER: f64 = 1.2;

impl Frame {
    pub(super) fn axes(&self, out: &mut String) {
        let step = round_step(self.bytes / 5.0, 1024.0);
        let (unit, size) = unit_of_bytes(step);
        let mut value = 0.0;
        while value <= self.bytes {
            let y = self.y(value);
            let label = match value {
                0.0 => "0".to_owned(),
                _ => format!("{:.0} {unit}", value / size),
            };
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                self.width - RIGHT,
                LEFT - 7.0,
                y + 4.0,
            );
            value += step;
        }
        self.times(out);
    }

    fn times(&self, out: &mut String) {
        let step = time_step(self.seconds / self.ticks as f64);
        let (unit, size) = unit_of_time(step);
        let mut at = 0.0;
        while at <= self.seconds {
            let label = match at {
                0.0 => "0".to_owned(),
                _ => format!("{:.0} {unit}", at / size),
            };
            let x = self.x(at);
            let half = text_width::width(&label, LETTERS) * WIDER / 2.0;
            // The last one must not be cut by the border.
            let (x, anchor) = match x + half > self.width {
                true => (self.width - 2.0, "end"),
                false => (x, "middle"),
            };
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
                self.height - BOTTOM + 30.0,
            );
            at += step;
        }
    }
}

/// The unit that a step is a whole number of, with its size.
fn unit_of_bytes(step: f64) -> (&'static str, f64) {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let power = (step.max(1.0).log2() / 10.0).floor().min(4.0);
    (UNITS[power as usize], 1024f64.powf(power))
}

fn unit_of_time(step: f64) -> (&'static str, f64) {
    const UNITS: [(&str, f64); 3] = [("d", 86_400.0), ("h", 3600.0), ("min", 60.0)];
    let whole = UNITS.into_iter().find(|(_, size)| step % size == 0.0);
    whole.unwrap_or(("s", 1.0))
}

/// 1, 2 or 5 times a power of ten of the unit that the axis is labelled in.
fn round_step(wish: f64, base: f64) -> f64 {
    let mut unit = 1.0;
    while wish / unit >= base {
        unit *= base;
    }
    let power = 10f64.powf((wish / unit).max(1.0).log10().floor());
    let digits = [1.0, 2.0, 5.0, 10.0].map(|d| d * power * unit);
    digits.into_iter().find(|d| *d >= wish).unwrap_or(wish)
}

fn time_step(wish: f64) -> f64 {
    const STEPS: [f64; 19] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        10800.0, 21600.0, 43200.0, 86400.0, 604800.0,
    ];
    STEPS
        .into_iter()
        .find(|s| *s >= wish)
        .unwrap_or((wish / 604800.0).ceil() * 604800.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!(
            round_step(3.0 * 1024.0 * 1024.0, 1024.0),
            5.0 * 1024.0 * 1024.0
        );
        assert_eq!(round_step(700.0 * 1024.0, 1024.0), 1000.0 * 1024.0);
        assert_eq!(time_step(400.0), 600.0);
        assert_eq!(time_step(1e6), 1_209_600.0);
    }

    #[test]
    fn a_step_is_a_whole_number_of_its_unit() {
        for wish in [3.0, 700.0, 5e4, 3e5, 2e6, 9e7, 8e8, 3e9, 7e12] {
            let step = round_step(wish, 1024.0);
            let (unit, size) = unit_of_bytes(step);
            assert_eq!((step / size).fract(), 0.0, "{wish} {unit}");
        }
        assert_eq!(unit_of_time(900.0), ("min", 60.0));
        assert_eq!(unit_of_time(7200.0), ("h", 3600.0));
        assert_eq!(unit_of_time(30.0), ("s", 1.0));
        assert_eq!(unit_of_time(172_800.0).0, "d");
    }
}

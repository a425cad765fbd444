//! The heat scale: which share gets which colour, in light and in dark. Pictures ask here for a
//! class name and for the rules behind all class names, so that a theme is changed in one place.
//! Pure.

/// Steps of the scale on either side of zero.
const STEPS: usize = 8;

/// An opaque colour.
#[derive(Clone, Copy)]
struct Rgb(f64, f64, f64);

/// A scale for one theme: paper-like, half way, and full.
struct Scale([Rgb; 3]);

/// Hot for growth and for plain values, cold for what shrank: orange and blue can be told apart
/// by every kind of eye.
struct Theme {
    hot: Scale,
    cold: Scale,
    hot_line: Scale,
    cold_line: Scale,
}

const LIGHT: Theme = Theme {
    hot: Scale([
        Rgb(250.0, 249.0, 247.0),
        Rgb(253.0, 215.0, 160.0),
        Rgb(247.0, 138.0, 92.0),
    ]),
    cold: Scale([
        Rgb(247.0, 249.0, 250.0),
        Rgb(178.0, 212.0, 240.0),
        Rgb(107.0, 168.0, 222.0),
    ]),
    hot_line: Scale([
        Rgb(150.0, 148.0, 145.0),
        Rgb(194.0, 120.0, 40.0),
        Rgb(196.0, 52.0, 16.0),
    ]),
    cold_line: Scale([
        Rgb(145.0, 148.0, 150.0),
        Rgb(60.0, 120.0, 180.0),
        Rgb(10.0, 75.0, 160.0),
    ]),
};

const DARK: Theme = Theme {
    hot: Scale([
        Rgb(38.0, 39.0, 42.0),
        Rgb(98.0, 64.0, 26.0),
        Rgb(160.0, 58.0, 24.0),
    ]),
    cold: Scale([
        Rgb(38.0, 39.0, 42.0),
        Rgb(30.0, 68.0, 104.0),
        Rgb(26.0, 92.0, 158.0),
    ]),
    hot_line: Scale([
        Rgb(118.0, 118.0, 120.0),
        Rgb(204.0, 144.0, 70.0),
        Rgb(255.0, 122.0, 72.0),
    ]),
    cold_line: Scale([
        Rgb(118.0, 118.0, 120.0),
        Rgb(96.0, 152.0, 208.0),
        Rgb(88.0, 172.0, 255.0),
    ]),
};

/// Class of a share of the whole: `h0` to `h8`, `c1` to `c8` below zero.
pub fn class(value: f64, whole: f64) -> String {
    let share = if whole == 0.0 {
        0.0
    } else {
        (value / whole.abs()).clamp(-1.0, 1.0)
    };
    // Square root: the eye wants to tell 1 % from 5 %, and not 81 % from 85 %.
    let step = (share.abs().sqrt() * STEPS as f64).round() as usize;
    let letter = if share < 0.0 && step > 0 { 'c' } else { 'h' };
    format!("{letter}{step}")
}

/// CSS rules of all classes: `fill` of boxes (`.node`), `stroke` and `fill` of lines (`.edge`),
/// for both themes.
pub fn css() -> String {
    let dark = rules(&DARK);
    format!(
        "{}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n",
        rules(&LIGHT)
    )
}

fn rules(theme: &Theme) -> String {
    let mut out = String::new();
    for (letter, fill, line) in [
        ('h', &theme.hot, &theme.hot_line),
        ('c', &theme.cold, &theme.cold_line),
    ] {
        for step in 0..=STEPS {
            let share = step as f64 / STEPS as f64;
            let (fill, line) = (fill.at(share), line.at(share));
            out += &format!(".node.{letter}{step} rect {{ fill: {fill}; stroke: {line} }}\n");
            out += &format!(
                ".edge.{letter}{step} path {{ stroke: {line} }} \
                 .edge.{letter}{step} .head {{ fill: {line} }}\n"
            );
        }
    }
    out
}

impl Scale {
    fn at(&self, share: f64) -> String {
        let [low, middle, high] = self.0;
        let (from, to, part) = if share < 0.5 {
            (low, middle, share * 2.0)
        } else {
            (middle, high, share * 2.0 - 1.0)
        };
        let mix = |a: f64, b: f64| (a + (b - a) * part).round() as u8;
        let Rgb(r, g, b) = Rgb(from.0, from.1, from.2);
        format!(
            "#{:02x}{:02x}{:02x}",
            mix(r, to.0),
            mix(g, to.1),
            mix(b, to.2)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_run_from_cold_to_hot() {
        assert_eq!(class(0.0, 100.0), "h0");
        assert_eq!(class(100.0, 100.0), "h8");
        assert_eq!(class(25.0, 100.0), "h4");
        assert_eq!(class(-25.0, 100.0), "c4");
        assert_eq!(class(-300.0, 100.0), "c8");
        assert_eq!(class(-0.001, 100.0), "h0");
        assert_eq!(class(1.0, 0.0), "h0");
    }

    #[test]
    fn every_class_has_a_colour_in_both_themes() {
        let css = css();
        for class in (0..=STEPS).map(|s| format!(".node.h{s} rect ")) {
            assert_eq!(css.matches(&class).count(), 2, "{class}");
        }
        assert!(css.contains(".node.h0 rect { fill: #faf9f7;"));
    }
}

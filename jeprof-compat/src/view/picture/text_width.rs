//! How wide a text is, without a font at hand: the one place where pictures learn it. Pure.
//!
//! The widths are those of Helvetica's AFM file, which Arial and Liberation Sans share; what
//! asks for this font must name those three.

/// CSS `font-family` that the table holds for.
pub const FONT_FAMILY: &str = "Helvetica, Arial, 'Liberation Sans', sans-serif";

/// Advance widths of U+0020 to U+007E in thousandths of the font size.
const ASCII: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278,
    278, // space to /
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, // 0 to ?
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, // @ to O
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, // P to _
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, // ` to o
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, // p to ~
];

/// The ellipsis, an em wide in Helvetica; every other character is taken for as much, which is
/// right for Chinese and generous for Cyrillic.
const OTHER: u16 = 1000;

/// Width of `text` in the unit of `font_size`.
pub fn width(text: &str, font_size: f64) -> f64 {
    let thousandths: f64 = text.chars().map(|c| f64::from(advance(c))).sum();
    thousandths / 1000.0 * font_size
}

/// Advance widths of U+0020 to U+007E in thousandths of the font size, for the script of the page.
pub fn ascii() -> &'static [u16] {
    &ASCII
}

fn advance(c: char) -> u16 {
    let index = (c as usize).wrapping_sub(' ' as usize);
    ASCII.get(index).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn widths_scale_with_the_font() {
        assert_eq!(width("Wi~", 1000.0), 944.0 + 222.0 + 584.0);
        assert_eq!(width("  ", 1000.0), 556.0);
        assert_eq!(width("\u{4e2d}", 12.0), 12.0);
        assert_eq!(width("", 12.0), 0.0);
    }
}

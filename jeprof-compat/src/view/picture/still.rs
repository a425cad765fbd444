//! Our pictures in formats without letters, scripts and colours by the hour: PNG, GIF, PDF, PostScript. The
//! letters are drawn with a font that lies in this program, so a machine without fonts will do. Pure.

use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result, bail};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

const REGULAR: &[u8] = include_bytes!("../assets/fonts/Arimo-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../assets/fonts/Arimo-Bold.ttf");
const FAMILY: &str = "Arimo";

/// Pixels for a unit of the picture: letters of nine units can be read.
const SCALE: f32 = 1.5;

/// The most pixels of a picture: 64 million take 256 MB.
const MOST: f32 = 64.0e6;

/// The longest side that every viewer opens.
const LONGEST: f32 = 32_000.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(REGULAR.to_vec());
    fonts.load_font_data(BOLD.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

/// A picture whose letters have become lines.
pub(super) fn tree(svg: &str) -> Result<Tree> {
    let options = Options {
        fontdb: FONTS.clone(),
        font_family: FAMILY.to_owned(),
        ..Options::default()
    };
    let plain = without_block(svg, "<script>", "</script>");
    Tree::from_str(&without_media(&plain), &options).context("the picture cannot be drawn")
}

fn without_block(text: &str, open: &str, close: &str) -> String {
    let found = text.find(open).and_then(|start| {
        let end = text[start..].find(close)? + start + close.len();
        Some(format!("{}{}", &text[..start], &text[end..]))
    });
    found.unwrap_or_else(|| text.to_owned())
}

/// Style rules for dark screens and for printers go: paper is light.
fn without_media(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some(at) = rest.find("@media") {
        out.push_str(&rest[..at]);
        let mut depth = 0;
        let end = rest[at..].find(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            c == '}' && depth == 0
        });
        rest = end.map_or("", |end| &rest[at + end + 1..]);
    }
    out + rest
}

fn pixels(svg: &str) -> Result<Pixmap> {
    let tree = tree(svg)?;
    let size = tree.size();
    let (width, height) = (size.width(), size.height());
    let scale = SCALE
        .min((MOST / (width * height)).sqrt())
        .min(LONGEST / width.max(height));
    let side = |length: f32| ((length * scale).ceil() as u32).max(1);
    let Some(mut pixels) = Pixmap::new(side(width), side(height)) else {
        bail!("the picture is too large");
    };
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixels.as_mut(),
    );
    Ok(pixels)
}

/// A picture of ours as PNG.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    Ok(pixels(svg)?.encode_png()?)
}

/// The same as GIF: 256 colours are enough for it.
pub fn gif(svg: &str) -> Result<Vec<u8>> {
    let pixels = pixels(svg)?;
    let (width, height) = (pixels.width() as u16, pixels.height() as u16);
    let mut colours = pixels.take();
    let frame = gif::Frame::from_rgba_speed(width, height, &mut colours, 10);
    let mut out = Vec::new();
    gif::Encoder::new(&mut out, width, height, &[])?.write_frame(&frame)?;
    Ok(out)
}

/// The same as PDF, the fonts within.
pub fn pdf(svg: &str) -> Result<Vec<u8>> {
    let tree = tree(svg)?;
    let (picture, page) = (
        svg2pdf::ConversionOptions::default(),
        svg2pdf::PageOptions::default(),
    );
    let pdf = svg2pdf::to_pdf(&tree, picture, page);
    pdf.map_err(|error| anyhow::anyhow!("the picture cannot be written as PDF: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_dark_screens_are_cut_out() {
        let svg = "a{b}@media screen and (x){ c{d} e{f} }g{h}";
        assert_eq!(without_media(svg), "a{b}g{h}");
        assert_eq!(without_media("a{b}@media {"), "a{b}");
    }

    #[test]
    fn letters_are_drawn_without_any_font_of_the_machine() {
        let svg = |text: &str| {
            let letters =
                format!("<text x='4' y='20' font-family=\"Helvetica, sans-serif\">{text}</text>");
            let ground = "<rect width='100' height='30' fill='white'/>";
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='30'>{ground}{letters}</svg>"
            )
        };
        let dark = |svg: &str| {
            pixels(svg)
                .unwrap()
                .pixels()
                .iter()
                .filter(|p| p.red() < 128)
                .count()
        };
        assert_eq!(dark(&svg("")), 0);
        assert!(dark(&svg("malloc")) > 100);
        assert!(png(&svg("f")).unwrap().starts_with(b"\x89PNG"));
        assert!(gif(&svg("f")).unwrap().starts_with(b"GIF89a"));
        assert!(pdf(&svg("f")).unwrap().starts_with(b"%PDF"));
    }
}

//! The icicle: stacks from the root downwards, as wide as what they hold. The script of the page draws
//! the same look from the same classes. Pure; the same stacks give the same bytes.
//!
//! What is too narrow to see is left out, so a picture stays small however many stacks there are.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::figures::amount::{amount, percent};
use crate::figures::units::Unit;
use crate::view::picture::hue;
use crate::view::picture::text_width::{self, FONT_FAMILY};
use crate::view::picture::xml;

/// Height of a row, and what is left between two.
pub const ROW: f64 = 19.0;
/// Size of the letters.
pub const FONT: f64 = 11.5;
/// Narrower frames are left out: twice what the script draws, for this picture is not packed.
const NARROWEST: f64 = 3.0;
/// Rows at the end without a frame as wide as this go, all but one: nothing can be read there, and
/// they would be most of the picture of a deep stack.
const ROW_WORTH: f64 = 20.0;

/// A stack to be drawn, root first: name and class of every frame.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// Names and hues, root first.
    pub frames: Vec<(&'a str, usize)>,
    /// Bytes or blocks; what is not positive has no width and is left out.
    pub value: f64,
}

struct Node<'a> {
    value: f64,
    hue: usize,
    children: BTreeMap<&'a str, Node<'a>>,
}

/// Deeper frames are not drawn.
const MOST_ROWS: usize = 4096;

/// Stacks that share their first frames, with the sum of their values and the hue of the last of these.
#[derive(Default)]
struct Group<'p, 'a> {
    value: f64,
    hue: usize,
    paths: Vec<&'p Path<'a>>,
}

impl<'a> Node<'a> {
    /// The node of a group whose first frames, so many, are alike. Of most nodes nothing is seen: no children are
    /// made that have less than `least`, since all nodes of big profiles take many times their memory.
    fn of(group: Group<'_, 'a>, shared: usize, least: f64) -> Node<'a> {
        let mut groups: BTreeMap<&'a str, Group<'_, 'a>> = BTreeMap::new();
        for path in group.paths {
            if let Some(&(name, hue)) = path.frames.get(shared).filter(|_| shared < MOST_ROWS) {
                let group = groups.entry(name).or_default();
                group.value += path.value;
                group.hue = hue;
                group.paths.push(path);
            }
        }
        groups.retain(|_, group| group.value >= least);
        let child = |(name, group)| (name, Node::of(group, shared + 1, least));
        Node {
            value: group.value,
            hue: group.hue,
            children: groups.into_iter().map(child).collect(),
        }
    }

    /// Rows with frames of that part of the whole, at least.
    fn depth(&self, least: f64) -> usize {
        let wide = self.children.values().filter(|n| n.value >= least);
        1 + wide.map(|n| n.depth(least)).max().unwrap_or(0)
    }
}

/// The `svg` element, `width` wide; empty text when nothing is to be drawn.
pub fn svg(paths: &[Path<'_>], title: &str, width: f64, unit: Unit) -> String {
    let mut all = Group {
        hue: hue::rest(),
        ..Group::default()
    };
    for path in paths.iter().filter(|p| p.value > 0.0) {
        all.value += path.value;
        all.paths.push(path);
    }
    if all.value <= 0.0 {
        return String::new();
    }
    let scale = width / all.value;
    // What is as wide as it must be but for rounding is looked at.
    let root = Node::of(all, 0, 0.99 * NARROWEST / scale);
    let rows = root.depth(ROW_WORTH / scale) + 1;
    let picture = Picture {
        total: root.value,
        scale,
        unit,
        rows: rows.min(root.depth(NARROWEST / scale)),
    };
    let height = picture.rows as f64 * ROW;
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "<svg class=\"flame\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"{FONT_FAMILY}\" font-size=\"{FONT}\"><title>{}</title>",
        xml::escape(title)
    );
    let _ = picture.write(&mut out, "all", &root, 0.0, 0);
    out.push_str("</svg>\n");
    out
}

struct Picture {
    total: f64,
    scale: f64,
    unit: Unit,
    rows: usize,
}

impl Picture {
    fn write(
        &self,
        out: &mut String,
        name: &str,
        node: &Node<'_>,
        x: f64,
        row: usize,
    ) -> fmt::Result {
        let width = node.value * self.scale;
        if width < NARROWEST || row >= self.rows {
            return Ok(());
        }
        let y = row as f64 * ROW;
        let value = amount(node.value, self.unit);
        let share = percent(node.value, self.total);
        write!(
            out,
            "<g class=\"frame m{}\"><title>{}\n{value} ({share})</title>\
             <rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{:.1}\" height=\"{:.0}\"/>",
            node.hue,
            xml::escape(name),
            (width - 0.6).max(0.4),
            ROW - 1.0
        )?;
        let label = fit(name, width - 8.0);
        if !label.is_empty() {
            let baseline = y + ROW * 0.68;
            write!(
                out,
                "<text x=\"{:.1}\" y=\"{baseline:.1}\"{}>{}</text>",
                x + 4.0,
                held(&label, width - 5.0),
                xml::escape(&label)
            )?;
        }
        out.push_str("</g>\n");
        let mut children: Vec<(&&str, &Node<'_>)> = node.children.iter().collect();
        children.sort_by(|a, b| b.1.value.total_cmp(&a.1.value).then(a.0.cmp(b.0)));
        let mut x = x;
        for (name, child) in children {
            self.write(out, name, child, x, row + 1)?;
            x += child.value * self.scale;
        }
        Ok(())
    }
}

/// As much of a name as has room: its end says more than its beginning.
fn fit(name: &str, room: f64) -> String {
    if text_width::width(name, FONT) <= room {
        return name.to_owned();
    }
    let mut left = room - text_width::width("…", FONT);
    let fits = |c: &char| {
        left -= text_width::width(c.encode_utf8(&mut [0; 4]), FONT);
        left >= 0.0
    };
    let end: String = name.chars().rev().take_while(fits).collect();
    if end.chars().count() < 2 {
        return String::new();
    }
    let end: String = end.chars().rev().collect();
    format!("…{end}")
}

/// Where another font stands in, a name may come out a fifth wider: one that would then leave its frame is
/// told how wide to be.
fn held(label: &str, room: f64) -> String {
    const WIDER: f64 = 1.25;
    let width = text_width::width(label, FONT);
    if width * WIDER <= room {
        return String::new();
    }
    format!(" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(paths: &[(&[&'static str], f64)]) -> String {
        let paths: Vec<Path<'_>> = paths
            .iter()
            .map(|(names, value)| Path {
                frames: names.iter().map(|name| (*name, 1)).collect(),
                value: *value,
            })
            .collect();
        svg(&paths, "flame", 1000.0, Unit::Megabytes)
    }

    #[test]
    fn widths_are_values_and_nothing_is_negative() {
        let picture = draw(&[
            (&["main", "a"], 3.0),
            (&["main", "b"], 1.0),
            (&["main", "c"], -4.0),
        ]);
        let document = roxmltree::Document::parse(&picture).unwrap();
        let widths: Vec<f64> = document
            .descendants()
            .filter(|n| n.has_tag_name("rect"))
            .map(|n| n.attribute("width").unwrap().parse().unwrap())
            .collect();
        assert_eq!(widths, [999.4, 999.4, 749.4, 249.4]);
    }

    #[test]
    fn a_deep_and_narrow_stack_does_not_make_the_picture_tall() {
        let deep = ["f"; 90];
        let rows = |value: f64| {
            let picture = draw(&[(&["main", "a"], 1000.0 - value), (&deep, value)]);
            picture.matches("<rect ").count()
        };
        assert_eq!((rows(30.0), rows(5.0)), (93, 6));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(draw(&[(&["main"], 0.0)]), "");
    }

    #[test]
    fn long_names_keep_their_end() {
        let fitted = fit("com.example.shop.Basket.add", 80.0);
        assert!(
            fitted.starts_with('…') && fitted.ends_with("Basket.add"),
            "{fitted}"
        );
        assert_eq!(fit("main", 3.0), "");
        assert_eq!(held("main", 40.0), "");
        assert!(held("main", 26.0).starts_with(" textLength=\"24.9\""));
    }
}

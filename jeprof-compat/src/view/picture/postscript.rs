//! A picture of ours as PostScript, level 2, one page of its own size. Letters are drawn as lines. Pure.

use std::fmt::{self, Write};

use anyhow::Result;
use resvg::usvg::tiny_skia_path::{PathSegment, Point, Rect, Transform};
use resvg::usvg::{
    Color, FillRule, Group, LineCap, LineJoin, Node, Opacity, Paint, PaintOrder, Path, Stroke,
};

use super::still;

/// The whole file.
pub fn postscript(svg: &str) -> Result<String> {
    let tree = still::tree(svg)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut page = Page::default();
    writeln!(
        page.out,
        "%!PS-Adobe-3.0\n%%BoundingBox: 0 0 {0} {1}\n%%Creator: malloscope\n%%Pages: 1\n%%EndComments\n\
         /m {{moveto}} bind def /l {{lineto}} bind def /c {{curveto}} bind def /h {{closepath}} bind def\n\
         %%Page: 1 1\n<< /PageSize [{0} {1}] >> setpagedevice\n0 {1} translate 1 -1 scale",
        width.ceil(),
        height.ceil()
    )?;
    group(tree.root(), Transform::identity(), &mut page)?;
    page.out.push_str("showpage\n%%EOF\n");
    Ok(page.out)
}

/// What is written, and what lies on the paper: PostScript knows nothing that shines through.
#[derive(Default)]
struct Page {
    out: String,
    painted: Vec<(Rect, Shade)>,
}

/// Red, green and blue, each from 0 to 1.
type Shade = [f32; 3];

const PAPER: Shade = [1.0; 3];

impl Page {
    /// The colour behind an area.
    fn behind(&self, area: Rect) -> Shade {
        let covers = |all: &Rect| {
            all.left() <= area.left()
                && all.top() <= area.top()
                && all.right() >= area.right()
                && all.bottom() >= area.bottom()
        };
        let last = self.painted.iter().rev().find(|(all, _)| covers(all));
        last.map_or(PAPER, |(_, shade)| *shade)
    }

    /// Chooses a colour; one that shines through is mixed with what lies behind.
    fn colour(
        &mut self,
        paint: &Paint,
        opacity: Opacity,
        area: Option<Rect>,
    ) -> Result<Shade, fmt::Error> {
        let colour = match paint {
            Paint::Color(colour) => *colour,
            _ => Color::black(),
        };
        let behind = match area {
            Some(area) if opacity.get() < 1.0 => self.behind(area),
            _ => PAPER,
        };
        let mix =
            |part: u8, behind: f32| behind + (f32::from(part) / 255.0 - behind) * opacity.get();
        let shade = [
            mix(colour.red, behind[0]),
            mix(colour.green, behind[1]),
            mix(colour.blue, behind[2]),
        ];
        let [red, green, blue] = shade;
        write!(self.out, "{red:.3} {green:.3} {blue:.3} setrgbcolor ")?;
        Ok(shade)
    }
}

fn group(group: &Group, outer: Transform, out: &mut Page) -> fmt::Result {
    let place = outer.pre_concat(group.transform());
    for node in group.children() {
        match node {
            Node::Group(inner) => self::group(inner, place, out)?,
            Node::Path(path) => self::path(path, place, out)?,
            Node::Text(text) => self::group(text.flattened(), place, out)?,
            Node::Image(_) => {}
        }
    }
    Ok(())
}

fn path(path: &Path, place: Transform, page: &mut Page) -> fmt::Result {
    if !path.is_visible() {
        return Ok(());
    }
    let area = path.bounding_box().transform(place);
    let fill = |page: &mut Page| match path.fill() {
        None => Ok(()),
        Some(fill) => {
            outline(path, place, &mut page.out)?;
            let operator = match fill.rule() {
                FillRule::NonZero => "fill",
                FillRule::EvenOdd => "eofill",
            };
            let shade = page.colour(fill.paint(), fill.opacity(), area)?;
            page.painted.extend(area.map(|area| (area, shade)));
            writeln!(page.out, "{operator}")
        }
    };
    let stroke = |page: &mut Page| match path.stroke() {
        None => Ok(()),
        Some(stroke) => {
            outline(path, place, &mut page.out)?;
            page.colour(stroke.paint(), stroke.opacity(), area)?;
            line(stroke, place, &mut page.out)
        }
    };
    match path.paint_order() {
        PaintOrder::FillAndStroke => fill(page).and_then(|()| stroke(page)),
        PaintOrder::StrokeAndFill => stroke(page).and_then(|()| fill(page)),
    }
}

fn outline(path: &Path, place: Transform, out: &mut String) -> fmt::Result {
    let mut at = Point::zero();
    let map = |mut point: Point| {
        place.map_point(&mut point);
        point
    };
    let show = |point: Point| format!("{:.2} {:.2}", point.x, point.y);
    for segment in path.data().segments() {
        match segment {
            PathSegment::MoveTo(to) => {
                at = map(to);
                write!(out, "{} m ", show(at))?;
            }
            PathSegment::LineTo(to) => {
                at = map(to);
                write!(out, "{} l ", show(at))?;
            }
            PathSegment::QuadTo(by, to) => {
                // A quadratic curve is a cubic one whose handles lie two thirds of the way to its own.
                let (by, to) = (map(by), map(to));
                let third = |from: Point| {
                    Point::from_xy(
                        from.x + (by.x - from.x) * 2.0 / 3.0,
                        from.y + (by.y - from.y) * 2.0 / 3.0,
                    )
                };
                write!(
                    out,
                    "{} {} {} c ",
                    show(third(at)),
                    show(third(to)),
                    show(to)
                )?;
                at = to;
            }
            PathSegment::CubicTo(one, two, to) => {
                at = map(to);
                write!(out, "{} {} {} c ", show(map(one)), show(map(two)), show(at))?;
            }
            PathSegment::Close => out.push_str("h "),
        }
    }
    Ok(())
}

fn line(stroke: &Stroke, place: Transform, out: &mut String) -> fmt::Result {
    let scale = (place.sx * place.sy - place.kx * place.ky).abs().sqrt();
    let cap = match stroke.linecap() {
        LineCap::Butt => 0,
        LineCap::Round => 1,
        LineCap::Square => 2,
    };
    let join = match stroke.linejoin() {
        LineJoin::Miter | LineJoin::MiterClip => 0,
        LineJoin::Round => 1,
        LineJoin::Bevel => 2,
    };
    let dashes = stroke.dasharray().unwrap_or_default().iter();
    let dashes: Vec<String> = dashes.map(|dash| format!("{:.1}", dash * scale)).collect();
    writeln!(
        out,
        "{:.2} setlinewidth {cap} setlinecap {join} setlinejoin [{}] 0 setdash stroke",
        stroke.width().get() * scale,
        dashes.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shines_through_is_mixed_with_what_lies_behind() {
        let svg = r##"<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10">
            <rect width="10" height="10" fill="#ff0000"/>
            <rect x="2" y="2" width="2" height="2" fill="#000000" fill-opacity="0.5"/>
            <rect x="12" y="2" width="2" height="2" fill="#000000" fill-opacity="0.5"/></svg>"##;
        let drawn = postscript(svg).unwrap();
        assert!(drawn.contains("0.500 0.000 0.000 setrgbcolor"), "{drawn}");
        assert!(drawn.contains("0.500 0.500 0.500 setrgbcolor"), "{drawn}");
    }
}

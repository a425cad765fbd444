//! A picture of ours as PostScript, level 2, one page of its own size. Letters are drawn as lines. Pure.

use std::fmt::{self, Write};

use anyhow::Result;
use resvg::usvg::tiny_skia_path::{PathSegment, Point, Transform};
use resvg::usvg::{
    Color, FillRule, Group, LineCap, LineJoin, Node, Opacity, Paint, PaintOrder, Path, Stroke,
};

use super::still;

/// The whole file.
pub fn postscript(svg: &str) -> Result<String> {
    let tree = still::tree(svg)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut out = String::new();
    writeln!(
        out,
        "%!PS-Adobe-3.0\n%%BoundingBox: 0 0 {0} {1}\n%%Creator: malloscope\n%%Pages: 1\n%%EndComments\n\
         /m {{moveto}} bind def /l {{lineto}} bind def /c {{curveto}} bind def /h {{closepath}} bind def\n\
         %%Page: 1 1\n<< /PageSize [{0} {1}] >> setpagedevice\n0 {1} translate 1 -1 scale",
        width.ceil(),
        height.ceil()
    )?;
    group(tree.root(), Transform::identity(), &mut out)?;
    out.push_str("showpage\n%%EOF\n");
    Ok(out)
}

fn group(group: &Group, outer: Transform, out: &mut String) -> fmt::Result {
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

fn path(path: &Path, place: Transform, out: &mut String) -> fmt::Result {
    if !path.is_visible() {
        return Ok(());
    }
    let fill = |out: &mut String| match path.fill() {
        None => Ok(()),
        Some(fill) => {
            outline(path, place, out)?;
            let operator = match fill.rule() {
                FillRule::NonZero => "fill",
                FillRule::EvenOdd => "eofill",
            };
            colour(fill.paint(), fill.opacity(), out)?;
            writeln!(out, "{operator}")
        }
    };
    let stroke = |out: &mut String| match path.stroke() {
        None => Ok(()),
        Some(stroke) => {
            outline(path, place, out)?;
            line(stroke, place, out)
        }
    };
    match path.paint_order() {
        PaintOrder::FillAndStroke => fill(out).and_then(|()| stroke(out)),
        PaintOrder::StrokeAndFill => stroke(out).and_then(|()| fill(out)),
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
    colour(stroke.paint(), stroke.opacity(), out)?;
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

/// PostScript knows nothing that shines through: such a colour is mixed with the white of the paper.
fn colour(paint: &Paint, opacity: Opacity, out: &mut String) -> fmt::Result {
    let colour = match paint {
        Paint::Color(colour) => *colour,
        _ => Color::black(),
    };
    let share = |part: u8| 1.0 - (1.0 - f32::from(part) / 255.0) * opacity.get();
    write!(
        out,
        "{:.3} {:.3} {:.3} setrgbcolor ",
        share(colour.red),
        share(colour.green),
        share(colour.blue)
    )
}

//! The timeline as SVG: RSS, live heap with its band, the limit, marks of what happened, a tick for each dump,
//! and below it how busy the program was. Drawn twice, wide and narrow, and the style sheet picks one, so that
//! letters never shrink. The script only lays its brush over it. Pure.

mod axes;
mod events;

use std::fmt::Write;

use super::summary::bytes;
use crate::figures::words::{self, clock};
use crate::report::{Point, Report};
use crate::view::picture::xml::escape;

/// Extent and margins of a drawing.
struct Frame {
    width: f64,
    height: f64,
    ticks: usize,
    class: &'static str,
    /// Seconds, bytes and busy processors at the far ends.
    seconds: f64,
    bytes: f64,
    load: f64,
}

const LEFT: f64 = 76.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 22.0;
/// Below the picture: the ticks of the dumps and the labels of the time.
const BOTTOM: f64 = 40.0;
/// Below that, where it is known: how busy the program was.
const LOAD: f64 = 30.0;

/// The section with both drawings.
pub fn section(report: &Report) -> String {
    let timeline = &report.timeline;
    if timeline.points.is_empty() {
        return String::new();
    }
    let mut out = "<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n<h2 id=\"timeline-title\">Memory over time</h2>\n".to_owned();
    out += &key(report);
    for (width, height, ticks, class) in [(1000.0, 280.0, 8, "wide"), (420.0, 250.0, 4, "narrow")] {
        let frame = Frame {
            width,
            height,
            ticks,
            class,
            seconds: timeline
                .points
                .iter()
                .map(|p| p.seconds)
                .fold(1.0, f64::max),
            bytes: ceiling(report),
            load: timeline
                .points
                .iter()
                .filter_map(|p| p.load)
                .fold(0.0, f64::max),
        };
        frame.draw(&mut out, report);
    }
    out += &not_resident(report);
    out + "</section>\n"
}

/// Why the live heap may lie above RSS, where that is seen.
fn not_resident(report: &Report) -> String {
    let is_above = |p: &Point| {
        p.live
            .is_some_and(|live| p.rss.is_some_and(|rss| live.value > rss))
    };
    let is_seen = report.timeline.kind.is_none() && report.timeline.points.iter().any(is_above);
    let most = report.accounts.iter().map(|a| a.not_resident);
    let most = most.fold(0.0, f64::max);
    let Some(last) = report.accounts.last().filter(|_| is_seen && most > 0.0) else {
        return String::new();
    };
    let what = match last.not_resident > 0.0 {
        true => format!(
            "{} of the live heap are not resident",
            words::bytes(last.not_resident)
        ),
        false => format!(
            "Up to {} of the live heap were not resident",
            words::bytes(most)
        ),
    };
    format!(
        "<p class=\"why\">{what}: the program asked for the memory and never wrote to it, or it is swapped out. \
         RSS does not count it, so the live heap lies above RSS.</p>\n"
    )
}

/// The limit belongs into the picture when it is near: else it would press all curves flat.
fn ceiling(report: &Report) -> f64 {
    let of = |p: &Point| {
        let live = p.live.map(|l| l.high.max(l.value));
        [p.rss, live, p.malloc, p.mapped]
            .into_iter()
            .flatten()
            .fold(0.0, f64::max)
    };
    let most = report.timeline.points.iter().map(of).fold(1.0, f64::max);
    let limit = report.timeline.limit.as_ref().map_or(0.0, |l| l.bytes);
    if limit <= most * 3.0 {
        most.max(limit) * 1.04
    } else {
        most * 1.06
    }
}

fn key(report: &Report) -> String {
    let timeline = &report.timeline;
    let has = |pick: fn(&Point) -> bool| timeline.points.iter().any(pick);
    let mut out = "<p class=\"key\">".to_owned();
    if has(|p| p.rss.is_some()) {
        out += "<span class=\"rss\"><i></i>RSS</span> ";
    }
    if has(|p| p.mapped.is_some()) {
        out += "<span class=\"mapped\"><i></i>mapped by the allocator</span> ";
    }
    if has(|p| p.live.is_some()) {
        let kind = match &timeline.kind {
            Some(kind) => format!("{}, live", escape(kind)),
            None => "live heap".to_owned(),
        };
        out += &format!("<span class=\"live\"><i></i>{kind}, 95 % band</span> ");
    }
    if has(|p| p.malloc.is_some()) {
        out += "<span class=\"malloc\"><i></i>native heap, live</span> ";
    }
    if let Some(limit) = &timeline.limit {
        out += &format!(
            "<span class=\"limit\"><i></i>{} {}</span> ",
            escape(&limit.name),
            bytes(limit.bytes)
        );
    }
    if has(|p| p.load.is_some()) {
        out += "<span class=\"load\"><i></i>processors busy</span> ";
    }
    out + "<span class=\"dump\"><i></i>dump</span></p>\n"
}

impl Frame {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.seconds * (self.width - LEFT - RIGHT)
    }

    fn y(&self, bytes: f64) -> f64 {
        self.height - BOTTOM - bytes / self.bytes * (self.height - TOP - BOTTOM)
    }

    fn draw(&self, out: &mut String, report: &Report) {
        let timeline = &report.timeline;
        let _ = writeln!(
            out,
            "<svg class=\"timeline {}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Memory over {}\" \
             data-left=\"{LEFT}\" data-right=\"{}\" data-top=\"{TOP}\" data-bottom=\"{}\" data-seconds=\"{}\">",
            self.class,
            self.width,
            self.height + if self.load > 0.0 { LOAD } else { 0.0 },
            clock(self.seconds),
            self.width - RIGHT,
            self.height - BOTTOM,
            self.seconds
        );
        self.axes(out);
        self.band(out, &timeline.points);
        self.line(out, "mapped", &timeline.points, |p| p.mapped);
        self.line(out, "malloc", &timeline.points, |p| p.malloc);
        self.line(out, "rss", &timeline.points, |p| p.rss);
        self.line(out, "live", &timeline.points, |p| p.live.map(|l| l.value));
        if let Some(limit) = timeline.limit.as_ref().filter(|l| l.bytes <= self.bytes) {
            let (y, right) = (self.y(limit.bytes), self.width - RIGHT);
            let _ = writeln!(out, "<path class=\"limit\" d=\"M{LEFT} {y:.1}H{right}\"/>");
        }
        self.marks(out, &timeline.marks);
        self.load(out, &timeline.points);
        self.dumps(out, report);
        out.push_str("</svg>\n");
    }

    fn band(&self, out: &mut String, points: &[Point]) {
        let known = || points.iter().filter_map(|p| p.live.map(|l| (p.seconds, l)));
        let upper = known().map(|(t, l)| (t, l.high));
        let lower: Vec<(f64, f64)> = known().map(|(t, l)| (t, l.low)).collect();
        let outline = upper.chain(lower.into_iter().rev());
        let outline: String = outline
            .map(|(t, v)| format!("{:.1},{:.1} ", self.x(t), self.y(v)))
            .collect();
        let _ = writeln!(
            out,
            "<polygon class=\"band\" points=\"{}\"/>",
            outline.trim_end()
        );
    }

    fn line(
        &self,
        out: &mut String,
        class: &str,
        points: &[Point],
        pick: impl Fn(&Point) -> Option<f64>,
    ) {
        let known = points.iter().filter_map(|p| Some((p.seconds, pick(p)?)));
        let line: String = known
            .map(|(t, v)| format!("{:.1},{:.1} ", self.x(t), self.y(v)))
            .collect();
        if !line.is_empty() {
            let _ = writeln!(
                out,
                "<polyline class=\"{class}\" points=\"{}\"/>",
                line.trim_end()
            );
        }
    }

    fn dumps(&self, out: &mut String, report: &Report) {
        let bottom = self.height - BOTTOM;
        for (at, dump) in report.timeline.dumps.iter().enumerate() {
            let x = self.x(dump.seconds);
            let title = format!("dump {at} at {}: {}", clock(dump.seconds), dump.trigger);
            let _ = writeln!(
                out,
                "<g class=\"tick\" data-dump=\"{at}\"><title>{}</title><path d=\"M{x:.1} {bottom}l-5 9h10z\"/></g>",
                escape(&title)
            );
        }
    }
}

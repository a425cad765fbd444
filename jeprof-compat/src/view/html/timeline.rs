//! The timeline as SVG: RSS, live heap with its band, the limit, and a tick for each dump. Drawn twice,
//! wide and narrow, and the style sheet picks one, so that letters never shrink. The script only lays
//! its brush over it. Pure.

use std::fmt::Write;

use super::summary::bytes;
use crate::figures::words::clock;
use crate::report::{Point, Report};
use crate::view::picture::xml::escape;

/// Extent and margins of a drawing.
struct Frame {
    width: f64,
    height: f64,
    ticks: usize,
    class: &'static str,
    /// Seconds and bytes at the far ends.
    seconds: f64,
    bytes: f64,
}

const LEFT: f64 = 76.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 40.0;

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
        };
        frame.draw(&mut out, report);
    }
    out + "</section>\n"
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
        let kind = timeline.kind.as_deref().unwrap_or("live heap");
        out += &format!(
            "<span class=\"live\"><i></i>{}, 95 % band</span> ",
            escape(&live_of(kind))
        );
    }
    if has(|p| p.malloc.is_some()) {
        out += "<span class=\"malloc\"><i></i>live in the native heap</span> ";
    }
    if let Some(limit) = &timeline.limit {
        out += &format!(
            "<span class=\"limit\"><i></i>{} {}</span> ",
            escape(&limit.name),
            bytes(limit.bytes)
        );
    }
    out + "<span class=\"dump\"><i></i>dump</span></p>\n"
}

/// `Java heap` -> `live in the Java heap`.
fn live_of(kind: &str) -> String {
    match kind {
        "live heap" => kind.to_owned(),
        kind => format!("live in the {kind}"),
    }
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
            self.height,
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
        for mark in &timeline.marks {
            let x = self.x(mark.seconds);
            let text = escape(&mark.text);
            let _ = writeln!(
                out,
                "<path class=\"mark\" d=\"M{x:.1} {TOP}V{}\"><title>{text}</title></path>",
                self.height - BOTTOM
            );
        }
        self.dumps(out, report);
        out.push_str("</svg>\n");
    }

    fn axes(&self, out: &mut String) {
        let bottom = self.height - BOTTOM;
        let step = round_step(self.bytes / 4.0, 1024.0);
        let mut value = 0.0;
        while value <= self.bytes {
            let y = self.y(value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                self.width - RIGHT,
                LEFT - 7.0,
                y + 4.0,
                bytes(value)
            );
            value += step;
        }
        let step = time_step(self.seconds / self.ticks as f64);
        let mut at = 0.0;
        while at <= self.seconds {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                self.x(at),
                bottom + 30.0,
                clock(at)
            );
            at += step;
        }
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
}

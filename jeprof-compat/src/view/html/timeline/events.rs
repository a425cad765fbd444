//! What happened beside the curves: marks with their words, and below the picture how busy the program was.
//! Pure.

use std::fmt::Write;

use super::{BOTTOM, Frame, LEFT, LOAD, RIGHT, TOP};
use crate::report::{EXIT, Mark, Point};
use crate::view::picture::xml::escape;

/// From the border of a drawing to a word.
const GAP: f64 = 5.0;

/// Between the words of marks at one time.
const LINE: f64 = 15.0;

impl Frame {
    /// A line for each mark, with its word at the top; words of one time stand below each other.
    pub(super) fn marks(&self, out: &mut String, marks: &[Mark]) {
        for (at, mark) in marks.iter().enumerate() {
            let before = marks[..at].iter();
            let above = before.filter(|m| (self.x(m.seconds) - self.x(mark.seconds)).abs() < 120.0);
            let x = self.x(mark.seconds);
            let y = TOP + LINE * (1.0 + above.count() as f64);
            let (text_x, anchor) = match x > self.width / 2.0 {
                true => (x - GAP, "end"),
                false => (x + GAP, "start"),
            };
            let _ = writeln!(
                out,
                "<g class=\"event{}\"><title>{}</title><path class=\"mark\" d=\"M{x:.1} {TOP}V{}\"/>\
                 <text x=\"{text_x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text></g>",
                if mark.label == EXIT { " calm" } else { "" },
                escape(&mark.text),
                self.height - BOTTOM,
                escape(&mark.label)
            );
        }
    }

    /// A column between each two points.
    pub(super) fn load(&self, out: &mut String, points: &[Point]) {
        if self.load <= 0.0 {
            return;
        }
        let bottom = self.height + LOAD - 4.0;
        let room = LOAD - 6.0;
        let mut before = None;
        let mut path = String::new();
        for point in points {
            if let (Some(load), Some(from)) = (point.load, before) {
                let (x1, x2) = (self.x(from), self.x(point.seconds));
                let y = bottom - load / self.load * room;
                let _ = write!(path, "M{x1:.1} {bottom}V{y:.1}H{x2:.1}V{bottom}z");
            }
            if point.load.is_some() || before.is_none() {
                before = Some(point.seconds);
            }
        }
        let right = self.width - RIGHT;
        let _ = writeln!(
            out,
            "<g class=\"busy\"><title>Processors that the program kept busy, at most {most:.2}</title>\
             <path class=\"grid\" d=\"M{LEFT} {bottom}H{right}\"/><path class=\"load\" d=\"{path}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text></g>",
            LEFT - 7.0,
            bottom - room + 9.0,
            processors(self.load),
            most = self.load
        );
    }
}

/// `12 % CPU`, and from one processor on `1.4 CPU`.
fn processors(busy: f64) -> String {
    match busy {
        busy if busy < 0.995 => format!("{:.0} % CPU", busy * 100.0),
        busy => format!("{busy:.1} CPU"),
    }
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn a_part_of_a_processor_is_a_share() {
        assert_eq!(
            [0.023, 0.4, 1.0, 7.25].map(processors),
            ["2 % CPU", "40 % CPU", "1.0 CPU", "7.2 CPU"]
        );
    }
}

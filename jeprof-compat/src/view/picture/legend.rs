//! What a picture says about itself at its top left. A pure writer.

use std::fmt::{self, Write};

use crate::view::picture::text_width;
use crate::view::picture::xml;

use crate::view::picture::layout::Size;

/// Text at the top left.
pub(super) struct Legend {
    pub(super) program: String,
    pub(super) lines: Vec<String>,
    /// Factor of all sizes.
    pub(super) scale: f64,
}

const PROGRAM_SIZE: f64 = 17.0;
const LEGEND_SIZE: f64 = 13.0;
const LEGEND_LINE: f64 = 17.0;

impl Legend {
    pub(super) fn size(&self) -> Size {
        // Bold letters are wider than the table says.
        let program = text_width::width(&self.program, PROGRAM_SIZE) * 1.1;
        let lines = self.lines.iter();
        let widths = lines.map(|line| text_width::width(line, LEGEND_SIZE));
        Size {
            width: self.scale * widths.fold(program, f64::max),
            height: self.scale * (PROGRAM_SIZE + self.lines.len() as f64 * LEGEND_LINE),
        }
    }

    /// Writes it with its top left corner at `margin`, `margin`.
    pub(super) fn write(&self, out: &mut String, margin: f64) -> fmt::Result {
        let mut y = PROGRAM_SIZE * 0.8;
        let program = xml::escape(&self.program);
        writeln!(
            out,
            "<g class=\"legend\" transform=\"translate({margin} {margin}) scale({:.2})\">\
             <text class=\"program\" y=\"{y:.1}\">{program}</text>",
            self.scale
        )?;
        for line in &self.lines {
            y += LEGEND_LINE;
            let line = xml::escape(line);
            writeln!(out, "<text y=\"{y:.1}\">{line}</text>")?;
        }
        writeln!(out, "</g>")
    }
}

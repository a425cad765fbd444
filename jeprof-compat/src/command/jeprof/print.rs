//! One way of output of `jeprof-compat`, from profiles that are read and named.

use std::io::Write;

use anyhow::{Result, bail};

use super::listing;
use super::mode::Output;
use super::options::Cli;
use crate::analysis::graph::{Graph, Trim};
use crate::command::console::say;
use crate::command::load::Loaded;
use crate::command::viewer::{self, BROWSERS};
use crate::figures::units::Unit;
use crate::profile::model::ValueKind;
use crate::stacks::naming::Granularity;
use crate::stacks::{NamedProfile, Pattern, Selection};
use crate::symbolize::Locator;
use crate::view::format::{callgrind, folded};
use crate::view::picture::layout::Layered;
use crate::view::picture::svg::Caption;
use crate::view::picture::{dot, postscript, still, svg};
use crate::view::terminal::text;

/// Programs that show PostScript.
const GV: [&str; 3] = ["gv", "evince", "okular"];

/// Programs that show PDF.
const EVINCE: [&str; 4] = ["evince", "xpdf", "okular", "xdg-open"];

/// What is printed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Printer<'a> {
    /// The command line.
    pub cli: &'a Cli,
    /// The profiles.
    pub loaded: &'a Loaded,
    /// Where the code of functions is found.
    pub locator: &'a Locator,
    /// Whose profile it is.
    pub program: &'a str,
}

impl Printer<'_> {
    /// What the numbers of a selection count.
    pub fn unit(&self, selection: &Selection) -> Unit {
        Unit::new(
            self.loaded.measure(),
            selection.value,
            self.cli.show_bytes(),
        )
    }

    fn listed(&self, selection: &Selection) -> listing::Shown<'_> {
        listing::Shown {
            loaded: self.loaded,
            locator: self.locator,
            program: self.program,
            unit: self.unit(selection),
            total: self.loaded.select(selection).total,
        }
    }

    /// Writes to `out`, or shows a file.
    pub fn write(&self, output: &Output, selection: &Selection, out: &mut dyn Write) -> Result<()> {
        match output {
            Output::Text => self.text(selection, None, out),
            Output::Callgrind => self.callgrind(selection, out),
            Output::Collapsed => Ok(folded::write(
                &self.loaded.select(selection),
                &mut &mut *out,
            )?),
            Output::List(pattern) => {
                listing::list(&self.listed(selection), selection, pattern, out)
            }
            Output::Weblist(pattern) => {
                listing::weblist(&self.listed(selection), selection, pattern)
            }
            Output::Disasm(pattern) => {
                listing::disasm(&self.listed(selection), selection, pattern, out)
            }
            Output::Gv => viewer::show(&self.picture(&Output::Ps, selection)?, "ps", &GV),
            Output::Evince => viewer::show(&self.picture(&Output::Pdf, selection)?, "pdf", &EVINCE),
            Output::Web => viewer::show(&self.picture(&Output::Svg, selection)?, "svg", &BROWSERS),
            other => Ok(out.write_all(&self.picture(other, selection)?)?),
        }
    }

    /// The table, or its first rows.
    pub fn text(
        &self,
        selection: &Selection,
        rows: Option<usize>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let options = text::Options {
            unit: self.unit(selection),
            by_cumulative: self.cli.cum,
            threads: selection.threads,
            // At the prompt, as jeprof does there; behind --text it says nothing.
            says_shown: rows.is_some(),
            rows,
        };
        Ok(text::write(
            &self.loaded.select(selection),
            options,
            &mut &mut *out,
        )?)
    }

    /// Callers and callees of the functions that match.
    pub fn peek(
        &self,
        selection: &Selection,
        pattern: &Pattern,
        out: &mut dyn Write,
    ) -> Result<()> {
        let graph = Graph::build(&self.loaded.select(selection), &Trim::everything());
        Ok(text::peek(
            &graph,
            self.unit(selection),
            |name| pattern.is_match(name),
            &mut &mut *out,
        )?)
    }

    /// Lines and functions in the format of callgrind.
    pub fn callgrind(&self, selection: &Selection, out: &mut dyn Write) -> Result<()> {
        let of = |value: ValueKind| {
            self.loaded.select(&Selection {
                value,
                granularity: Granularity::Lines,
                ..selection.clone()
            })
        };
        let objects = match selection.value {
            ValueKind::AllocSpace | ValueKind::AllocObjects => ValueKind::AllocObjects,
            _ => ValueKind::InuseObjects,
        };
        let bytes = match selection.value {
            ValueKind::AllocSpace | ValueKind::AllocObjects => ValueKind::AllocSpace,
            _ => ValueKind::InuseSpace,
        };
        Ok(callgrind::write(
            &of(bytes),
            &of(objects),
            self.program,
            out,
        )?)
    }

    /// The call graph in one of its forms.
    pub fn picture(&self, output: &Output, selection: &Selection) -> Result<Vec<u8>> {
        let named = self.loaded.select(selection);
        let graph = Graph::build(&named, &self.cli.trim());
        if graph.nodes.is_empty() {
            bail!("No nodes to print");
        }
        let unit = self.unit(selection);
        say(&format!(
            "Dropping nodes with <= {} {unit}; edges with <= {} abs({unit})",
            unit.format(graph.node_limit),
            unit.format(graph.edge_limit),
        ));
        let drawn = self.drawn(&named, &graph, unit, output);
        Ok(match output {
            Output::Ps => postscript::postscript(&drawn)?.into_bytes(),
            Output::Pdf => still::pdf(&drawn)?,
            Output::Gif => still::gif(&drawn)?,
            Output::Png => still::png(&drawn)?,
            _ => drawn.into_bytes(),
        })
    }

    fn drawn(&self, named: &NamedProfile, graph: &Graph, unit: Unit, output: &Output) -> String {
        let caption = Caption {
            program: self.program,
            unit,
            kind: named.kind.as_ref(),
            marks_own: self.cli.heapcheck(),
            ..Caption::default()
        };
        match output {
            Output::Dot => dot::render(graph, &caption),
            _ => svg::render(graph, &caption, &Layered),
        }
    }
}

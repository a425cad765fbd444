//! What `jeprof-compat` writes: one way of output of a command line.

use crate::stacks::Pattern;

/// What to write.
#[derive(Clone, Debug)]
pub enum Output {
    /// The table.
    Text,
    /// For KCachegrind.
    Callgrind,
    /// PostScript in a viewer.
    Gv,
    /// PDF in a viewer.
    Evince,
    /// The picture in a browser.
    Web,
    /// Source lines of functions with their values.
    List(Pattern),
    /// The same as a page in a browser.
    Weblist(Pattern),
    /// Instructions of functions with their values.
    Disasm(Pattern),
    /// Names of addresses from the standard input.
    Symbols,
    /// The picture's graph for Graphviz.
    Dot,
    /// PostScript.
    Ps,
    /// PDF.
    Pdf,
    /// The picture.
    Svg,
    /// A picture in pixels.
    Gif,
    /// A picture in pixels.
    Png,
    /// The names with the dump.
    Raw,
    /// Folded stacks.
    Collapsed,
    /// A prompt.
    Interactive,
}

impl PartialEq for Output {
    fn eq(&self, other: &Output) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// One of them, or none.
#[derive(Clone, Debug, clap::Args)]
#[group(multiple = false)]
pub struct Mode {
    /// Generate text report [default unless on a terminal]
    #[arg(long, help_heading = "Output type")]
    text: bool,
    /// Generate callgrind format to stdout
    #[arg(long, help_heading = "Output type")]
    callgrind: bool,
    /// Generate Postscript and display
    #[arg(long, help_heading = "Output type")]
    gv: bool,
    /// Generate PDF and display
    #[arg(long, help_heading = "Output type")]
    evince: bool,
    /// Generate SVG and display
    #[arg(long, help_heading = "Output type")]
    web: bool,
    /// Generate source listing of matching routines
    #[arg(long, help_heading = "Output type", value_name = "REGEXP")]
    list: Option<Pattern>,
    /// Generate source listing of matching routines, as a page, and display
    #[arg(long, help_heading = "Output type", value_name = "REGEXP")]
    weblist: Option<Pattern>,
    /// Generate disassembly of matching routines
    #[arg(long, help_heading = "Output type", value_name = "REGEXP")]
    disasm: Option<Pattern>,
    /// Print demangled symbol names found at given addresses
    #[arg(long, help_heading = "Output type")]
    symbols: bool,
    /// Generate DOT file to stdout
    #[arg(long, help_heading = "Output type")]
    dot: bool,
    /// Generate Postscript to stdout
    #[arg(long, help_heading = "Output type")]
    ps: bool,
    /// Generate PDF to stdout
    #[arg(long, help_heading = "Output type")]
    pdf: bool,
    /// Generate SVG to stdout; needs no Graphviz
    #[arg(long, help_heading = "Output type")]
    svg: bool,
    /// Generate GIF to stdout
    #[arg(long, help_heading = "Output type")]
    gif: bool,
    /// Generate PNG to stdout
    #[arg(long, help_heading = "Output type")]
    png: bool,
    /// Generate a symbolized profile, which the real jeprof reads: managed frames have names there
    #[arg(long, help_heading = "Output type")]
    raw: bool,
    /// Generate collapsed stacks for building flame graphs
    #[arg(long, help_heading = "Output type")]
    collapsed: bool,
}

impl Mode {
    /// What to write: without a word a prompt on a terminal, else the table.
    pub fn output(&self, is_terminal: bool) -> Output {
        let flags = [
            (self.text, Output::Text),
            (self.callgrind, Output::Callgrind),
            (self.gv, Output::Gv),
            (self.evince, Output::Evince),
            (self.web, Output::Web),
            (self.symbols, Output::Symbols),
            (self.dot, Output::Dot),
            (self.ps, Output::Ps),
            (self.pdf, Output::Pdf),
            (self.svg, Output::Svg),
            (self.gif, Output::Gif),
            (self.png, Output::Png),
            (self.raw, Output::Raw),
            (self.collapsed, Output::Collapsed),
        ];
        let flag = flags.into_iter().find(|(asked, _)| *asked);
        let with_pattern = || {
            let list = self.list.clone().map(Output::List);
            let weblist = || self.weblist.clone().map(Output::Weblist);
            let disasm = || self.disasm.clone().map(Output::Disasm);
            list.or_else(weblist).or_else(disasm)
        };
        let asked = flag.map(|(_, output)| output).or_else(with_pattern);
        asked.unwrap_or(match is_terminal {
            true => Output::Interactive,
            false => Output::Text,
        })
    }
}

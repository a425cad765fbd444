//! The table of options as text: for `malloscope help` and `docs/options.md`. The preloaded library
//! does not use it.

use core::fmt::{Result, Write};

use super::table::{OPTIONS, Opt};

impl Opt {
    fn default_text(&self) -> &'static str {
        self.default.trim_matches('"')
    }

    fn write_help(&self, out: &mut dyn Write) -> Result {
        for (at, line) in self.help.iter().enumerate() {
            out.write_str(if at == 0 { line.trim() } else { line })?;
        }
        Ok(())
    }
}

/// The table in `docs/options.md`.
pub fn table_markdown(out: &mut dyn Write) -> Result {
    out.write_str("| Option | Default | Values | Meaning |\n|---|---|---|---|\n")?;
    for option in OPTIONS {
        write!(
            out,
            "| `{}` | `{}` | {} | ",
            option.key,
            option.default_text(),
            option.values
        )?;
        option.write_help(out)?;
        out.write_str(" |\n")?;
    }
    Ok(())
}

/// The options for a terminal, one paragraph each.
pub fn help(out: &mut dyn Write) -> Result {
    for option in OPTIONS {
        write!(out, "{}:{}  (", option.key, option.default_text())?;
        for part in option.values.split('`') {
            out.write_str(part)?;
        }
        out.write_str(")\n   ")?;
        for line in option.help {
            for part in line.split('`') {
                out.write_str(part)?;
            }
        }
        out.write_str("\n")?;
    }
    Ok(())
}

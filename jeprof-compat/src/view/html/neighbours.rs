//! Whose page it is, where other processes have dumps beside, and the way to theirs. Pure.

use super::summary::bytes;
use crate::report::{Neighbour, Report};
use crate::view::picture::xml::escape;

/// Nothing where the process is alone.
pub fn section(report: &Report) -> String {
    let others = &report.neighbours;
    if others.is_empty() {
        return String::new();
    }
    let own = report.header.facts.iter().find(|f| f.name == "Process");
    let own = own.map_or_else(String::new, |f| format!(" {}", escape(&f.text)));
    let rows: String = others.iter().map(row).collect();
    let (many, have) = match others.len() {
        1 => ("One other process".to_owned(), "has"),
        n => (format!("{n} other processes"), "have"),
    };
    format!(
        "<details class=\"processes\"><summary>This page is about process{own}. {many} {have} dumps beside it</summary>\n\
         <div class=\"scroll\"><table class=\"parts\"><thead><tr><th>Process</th><th>Verdict</th><th class=\"n\">Live</th>\
         <th class=\"n\">Dumps</th><th>Its page</th></tr></thead><tbody>\n{rows}</tbody></table></div></details>\n"
    )
}

fn row(other: &Neighbour) -> String {
    let page = match &other.page {
        Some(file) => format!("<a href=\"{}\">{}</a>", link(file), escape(file)),
        None if other.pid > 0 => format!("<code>malloscope report DIR --pid {}</code>", other.pid),
        None => String::new(),
    };
    format!(
        "<tr><td>{}</td><td class=\"{}\"><span class=\"word\">{}</span> {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{page}</td></tr>\n",
        escape(&other.name),
        other.verdict.class(),
        other.verdict.word(),
        escape(&other.headline),
        bytes(other.live),
        other.dumps
    )
}

/// A file name as a reference to the file beside.
fn link(file: &str) -> String {
    let mut out = String::from("./");
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => out.push(byte as char),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_stays_a_file_name() {
        assert_eq!(link("report.12.html"), "./report.12.html");
        assert_eq!(
            link("javascript:a\" b#c?d"),
            "./javascript%3Aa%22%20b%23c%3Fd"
        );
    }
}

//! The README's table of options is the one that the parser is made from.
//!
//! `BLESS=1 cargo test --test options` writes it anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- options:begin -->\n";
const END: &str = "<!-- options:end -->\n";

/// `readme` before the table, the table, and the rest.
fn parts(readme: &str) -> (&str, &str, &str) {
    let (before, rest) = readme.split_once(BEGIN).expect("the table's begin");
    let (table, after) = rest.split_once(END).expect("the table's end");
    (before, table, after)
}

#[test]
fn the_readme_lists_the_options_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("a README");
    let (before, written, after) = parts(&readme);
    let mut table = String::new();
    malloscope::config::table_markdown(&mut table).expect("a String takes everything");
    if std::env::var_os("BLESS").is_some() {
        let readme = format!("{before}{BEGIN}{table}{END}{after}");
        fs::write(&path, readme).expect("the README can be written");
        return;
    }
    assert_eq!(
        written, table,
        "BLESS=1 cargo test --test options writes it anew"
    );
}

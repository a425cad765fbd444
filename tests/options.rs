//! The table of options in `docs/options.md` is the one that the parser is made from.
//!
//! `BLESS=1 cargo test --test options` writes it anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- options:begin -->\n";
const END: &str = "<!-- options:end -->\n";

/// `page` before the table, the table, and the rest.
fn parts(page: &str) -> (&str, &str, &str) {
    let (before, rest) = page.split_once(BEGIN).expect("the table's begin");
    let (table, after) = rest.split_once(END).expect("the table's end");
    (before, table, after)
}

#[test]
fn the_page_lists_the_options_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    let page = fs::read_to_string(&path).expect("a page of options");
    let (before, written, after) = parts(&page);
    let mut table = String::new();
    malloscope::config::table_markdown(&mut table).expect("a String takes everything");
    if std::env::var_os("BLESS").is_some() {
        let page = format!("{before}{BEGIN}{table}{END}{after}");
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    assert_eq!(
        written, table,
        "BLESS=1 cargo test --test options writes it anew"
    );
}

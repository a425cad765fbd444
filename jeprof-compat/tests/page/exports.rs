//! What leaves the page: every button is pressed, and what it saves is read again.

use super::driver::{Browser, tempdir};
use super::sample::{HOSTILE, kind, report};
use super::{shoot, write};
use jeprof_compat::view::html;

/// Blobs are kept instead of saved: a headless browser has no place for them.
const KEEP: &str = "(window.kept = [], URL.createObjectURL = blob => { kept.push(blob); return 'data:,'; }, HTMLAnchorElement.prototype.click = function () { kept.name = this.download; }, 1)";

/// Presses a button of the bar; what it would save, as text.
fn saved(browser: &Browser, button: &str) -> (String, String) {
    browser.eval("(kept.length = 0, 1)");
    browser.eval(&format!(
        "([...document.querySelectorAll('#bar button')].find(b => b.textContent === '{button}').click(), 1)"
    ));
    browser.wait("kept.length === 1 && kept.name");
    let text = browser.resolve("kept[0].text()");
    let name = browser.eval("kept.name");
    (
        name.as_str().unwrap().to_owned(),
        text.as_str().unwrap().to_owned(),
    )
}

/// Records of comma-separated values: RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut out = vec![vec![String::new()]];
    let mut letters = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = letters.next() {
        let record = out.last_mut().unwrap();
        match c {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                record.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(String::new()),
            '\n' if !quoted => out.push(vec![String::new()]),
            c => record.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted);
    assert_eq!(out.pop(), Some(vec![String::new()]), "ends with a line");
    out
}

#[test]
fn pictures_are_whole_files_of_their_own() {
    let Some(browser) = Browser::start("pictures", true, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("pictures-page");
    let file = write(&dir, &html::render(&report(kind())));
    for (at, hash) in [
        "",
        "#a=0",
        "#view=sandwich",
        "#view=graph",
        "#view=graph&hide=Java_",
        "#view=graph&a=0&focus=%5Eshop%5C.Exceptions%5C.log%24",
    ]
    .into_iter()
    .enumerate()
    {
        browser.open(&file, hash);
        browser.wait(
            "document.documentElement.dataset.ready && document.querySelector('#view svg, #graph')",
        );
        browser.eval(KEEP);
        let (name, svg) = saved(&browser, "SVG");
        assert_eq!(name, "malloscope.svg");
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert!(
            document
                .descendants()
                .all(|n| !n.has_tag_name("script") && !n.has_tag_name("style"))
        );
        assert!(
            document
                .descendants()
                .any(|n| n.text().is_some_and(|t| t.contains("deflateInit2_"))),
            "{hash}"
        );
        // Figures on arrows have a halo behind them, not over them.
        let amounts = document
            .descendants()
            .filter(|n| n.attribute("class") == Some("amount"));
        assert!(amounts.into_iter().all(|n| {
            n.attribute("style")
                .unwrap()
                .contains("paint-order: stroke")
        }));
        let path = dir.path().join("picture.svg");
        std::fs::write(&path, &svg).unwrap();
        // PNG: a real image of some size, and not of one colour.
        let (name, _) = saved(&browser, "PNG");
        assert_eq!(name, "malloscope.png");
        let colours = browser.resolve(
            "createImageBitmap(kept[0]).then(image => { const c = new OffscreenCanvas(image.width, image.height).getContext('2d'); c.drawImage(image, 0, 0); const all = new Uint32Array(c.getImageData(0, 0, image.width, image.height).data.buffer); return [image.width, new Set(all).size]; })",
        );
        assert!(
            colours[0].as_u64() > Some(200) && colours[1].as_u64() > Some(20),
            "{hash}: {colours}"
        );
        browser.open(&path, "");
        shoot(&browser, &format!("exported-{at}"));
    }
    browser.open(&file, "#view=table");
    browser.wait("document.documentElement.dataset.ready");
    browser.eval("(saveSvg(), 1)");
    browser.wait("document.getElementById('status').textContent.includes('export it as CSV')");
}

#[test]
fn tables_and_stacks_are_read_again() {
    let Some(browser) = Browser::start("tables", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("tables-page");
    let file = write(&dir, &html::render(&report(kind())));
    for hash in ["#view=table", "#view=table&a=0", "#view=flame&hide=Java_"] {
        browser.open(&file, hash);
        browser.wait("document.documentElement.dataset.ready");
        browser.eval(KEEP);
        let (name, text) = saved(&browser, "CSV");
        assert_eq!(name, "malloscope.csv");
        let records = records(&text);
        let columns = records[0].len();
        assert!(records.iter().all(|r| r.len() == columns) && records.len() > 15);
        let rows = browser.eval("sums(page.kind, page.selection).length");
        assert_eq!(records.len() as u64 - 1, rows.as_u64().unwrap());
        let at = records[0].iter().position(|c| c == "Function").unwrap();
        let hostile = records.iter().filter(|r| r[at] == HOSTILE).count();
        assert_eq!(hostile, 1, "the name comes back as it is");
        let (name, text) = saved(&browser, "Collapsed");
        assert_eq!(name, "malloscope.folded");
        let figures = text.lines().map(|l| l.rsplit(' ').next().unwrap());
        let sum: f64 = figures.map(|f| f.parse::<f64>().unwrap()).sum();
        let total = browser.eval("page.selection.total").as_f64().unwrap();
        assert!((sum - total).abs() < 50.0, "{sum} {total}");
    }
    // A formula is no formula.
    let cell = browser.eval("[cell('=1+1'), cell('@x'), cell('a\"b')]");
    assert_eq!(
        cell,
        serde_json::json!(["\"'=1+1\"", "\"'@x\"", "\"a\"\"b\""])
    );
}

#[test]
fn a_suspect_is_copied_as_the_text_of_an_issue() {
    let Some(browser) = Browser::start("issue", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("issue-page");
    browser.open(&write(&dir, &html::render(&report(kind()))), "");
    browser.wait("document.documentElement.dataset.ready");
    let press = |card: usize, text: &str| {
        browser.eval(&format!(
            "([...document.querySelectorAll('#suspect-{card} .actions button')].find(b => b.textContent === '{text}').click(), 1)"
        ));
    };
    // By the clipboard where it may, else by the old way.
    for broken in [
        "",
        "navigator.clipboard.writeText = () => Promise.reject(new Error('no')),",
    ] {
        browser.eval(&format!(
            "({broken} window.copied = '', document.execCommand = () => {{ window.copied = document.activeElement.value; return true; }}, 1)"
        ));
        if broken.is_empty() {
            browser.eval("(navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }, 1)");
        }
        press(0, "Copy as issue text");
        browser
            .wait("window.copied && document.getElementById('status').textContent === 'Copied.'");
        let text = browser.eval("window.copied").as_str().unwrap().to_owned();
        for part in [
            "### Memory leak in `shop.Exceptions.log`",
            "135.0 MB/h (95 %: 121.0 MB to 150.0 MB)",
            "- build id of `libz.so.1.2.13`: `97da31b2`",
            "Keywords: `Deflater`, `deflateInit2_`",
            "deflateInit2_  libz.so.1.2.13",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("web-1") && !text.contains("4242"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
    }
    // The other buttons lead to what they say.
    press(0, "Its growth");
    browser.wait("state.a === '0' && state.view === 'flame' && page.selection.stacks.length === 2");
    press(0, "Call graph");
    browser.wait("state.view === 'graph' && document.getElementById('graph') && usual(page.data, page.kind, page.selection) === 'malloc/growth/shop.Exceptions.log'");
    browser.wait("document.querySelector('.tools').textContent.includes('Drag') && !document.querySelector('.tools').textContent.includes('Placed')");
    press(0, "Callers");
    browser.wait("state.view === 'sandwich' && document.querySelector('#view h3 code').textContent === 'shop.Exceptions.log'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

//! The HTML page of a leak report: what is in the file, and what it does in a real browser.
//! `PAGE_SHOTS=DIR` keeps it, and pictures of it; `BLESS=1` takes new golden text.

mod driver;
mod exports;
mod looks;
mod sample;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use driver::{Browser, tempdir};
use jeprof_compat::view::html;
use sample::{HOSTILE, big_kind, kind, report};

fn write(dir: &tempdir::Dir, page: &str) -> PathBuf {
    let path = dir.path().join("report.html");
    std::fs::write(&path, page).unwrap();
    if let Some(kept) = std::env::var_os("PAGE_SHOTS") {
        let name = dir.path().file_name().unwrap();
        let name = Path::new(&kept).join(name).with_extension("html");
        std::fs::write(name, page).unwrap();
    }
    path
}

fn shoot(browser: &Browser, name: &str) {
    let Some(dir) = std::env::var_os("PAGE_SHOTS") else {
        return;
    };
    let png = base64::engine::general_purpose::STANDARD
        .decode(browser.shot())
        .unwrap();
    std::fs::write(Path::new(&dir).join(format!("{name}.png")), png).unwrap();
}

/// What is read without a script: everything but style, data and script.
fn readable(page: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        before.to_owned() + rest.split_once(to).unwrap().1
    };
    let page = cut(page, "<style>", "</style>");
    page.split_once("<script").unwrap().0.to_owned()
}

#[test]
fn the_page_is_the_golden_one_and_reproducible() {
    let page = html::render(&report(kind()));
    assert_eq!(
        page,
        html::render(&report(kind())),
        "same report, same bytes"
    );
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/page.html");
    let made = readable(&page);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &made).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    let first = wanted.lines().zip(made.lines()).find(|(a, b)| a != b);
    assert!(
        wanted == made,
        "differs first in {first:?}; BLESS=1 accepts it"
    );
}

#[test]
fn names_are_text_and_nothing_is_loaded() {
    let page = html::render(&report(kind()));
    assert!(!page.contains(HOSTILE) && !page.contains("<img"));
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("default-src 'none'"));
    let code = page.split_once("<script type").unwrap().0.to_owned()
        + page.rsplit_once("<script>").unwrap().1;
    let code = code.replace("http://www.w3.org/2000/svg", "");
    assert!(!code.contains("http://") && !code.contains("https://"));
}

#[test]
fn code_is_small_and_ten_dumps_of_twenty_thousand_stacks_stay_below_three_megabytes() {
    let empty = html::render(&jeprof_compat::report::Report::default());
    assert!(empty.len() < 120_000, "{} bytes of code", empty.len());
    let page = html::render(&report(big_kind(20_000)));
    println!("code {} bytes, big page {} bytes", empty.len(), page.len());
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    let Some(browser) = Browser::start("big", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("big-page");
    browser.open(&write(&dir, &page), "");
    browser.wait("document.documentElement.dataset.ready");
    println!(
        "painted after {} ms, ready after {} ms",
        browser.eval("Math.round(performance.getEntriesByType('paint')[0]?.startTime)"),
        browser.eval("Math.round(performance.now())")
    );
    // What is read without the data is painted before the data is touched.
    browser.wait("performance.getEntriesByType('paint')[0].startTime < +document.documentElement.dataset.ready");
    browser.keys("d");
    browser.wait("document.querySelector('#view .frame.grow')");
    shoot(&browser, "big");
}

#[test]
fn keys_filter_and_history_drive_all_views() {
    let Some(browser) = Browser::start("keys", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("keys-page");
    let file = write(&dir, &html::render(&report(kind())));
    browser.open(&file, "");
    browser.wait("document.documentElement.dataset.ready");
    browser.wait("document.querySelectorAll('#view svg.flame [role=treeitem]').length > 10");
    shoot(&browser, "light-wide");
    // Search, and walk its hits.
    browser.keys("/Deflater\u{e007}");
    browser.wait("location.hash.includes('q=Deflater') && document.querySelectorAll('#view .found').length === 4");
    browser.keys("n");
    browser.wait("document.activeElement.matches('.frame.found')");
    let first = browser.eval("document.activeElement.node");
    browser.keys("n");
    browser.wait(&format!(
        "document.activeElement.matches('.frame.found') && document.activeElement.node !== {first}"
    ));
    browser.keys("N");
    browser.wait(&format!("document.activeElement.node === {first}"));
    // Arrows and Enter zoom.
    browser.keys("\u{e013}\u{e007}");
    browser.wait("location.hash.includes('root=') && document.querySelector('#view .frame.above')");
    browser.keys("t");
    browser.wait("document.querySelectorAll('#view table.sort tbody tr').length > 10");
    shoot(&browser, "table");
    browser.keys("s");
    browser.wait("document.querySelectorAll('#view svg.flame').length === 2");
    browser.keys("g");
    browser
        .wait("document.getElementById('graph').shadowRoot.querySelectorAll('.node').length > 5");
    shoot(&browser, "graph");
    browser.back();
    browser.wait("location.hash.includes('view=sandwich') && document.querySelectorAll('#view svg.flame').length === 2");
    shoot(&browser, "sandwich");
    browser.keys("0");
    browser.wait("!location.hash.includes('q=')");
    // Growth and shrinkage are separate, and no width is negative.
    browser.keys("fd");
    browser.wait("document.querySelector('#view .frame.grow') && document.querySelector('#view .frame.shrink')");
    browser.wait("[...document.querySelectorAll('#view rect[width]')].every(r => +r.getAttribute('width') >= 0)");
    shoot(&browser, "diff");
    browser.keys("[[");
    browser.wait(
        "location.hash.includes('b=7') && document.querySelector('.tick.b').dataset.dump === '7'",
    );
    browser.keys("]]");
    browser.wait("!location.hash.includes('b=')");
    browser.keys("t");
    browser.wait("document.querySelector('#view th').textContent.startsWith('Grew')");
    shoot(&browser, "diff-table");
    // The brush over the timeline: a drag picks two dumps, a click one.
    browser.eval("(scrollTo(0, 0), 1)");
    let at = |dump: usize| {
        let place = format!(
            "(r => [Math.round(r.x + r.width / 2), Math.round(r.y - 40)])(document.querySelector('.timeline.wide .tick[data-dump=\"{dump}\"]').getBoundingClientRect())"
        );
        let place = browser.eval(&place);
        (place[0].as_i64().unwrap(), place[1].as_i64().unwrap())
    };
    browser.drag(at(7), at(2));
    browser.wait("state.a === '2' && state.b === '7'");
    browser.drag(at(4), at(4));
    browser.wait("state.a === '' && state.b === '4' && document.querySelector('.tick.b').dataset.dump === '4'");
    browser.keys("?");
    browser.wait("document.querySelector('dialog[open]')");
    browser.keys("?");
    browser.wait("!document.querySelector('dialog')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn one_filter_drives_every_view_and_the_exports() {
    let Some(browser) = Browser::start("filter", true, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("filter-page");
    browser.open(
        &write(&dir, &html::render(&report(kind()))),
        "#focus=Exceptions%5C.log&a=0",
    );
    browser.wait("document.documentElement.dataset.ready");
    // 27 and 9 MB a dump, over nine.
    browser.wait("document.getElementById('status').textContent.startsWith('+324.0 MB from dump 0 to 9; 2 call paths')");
    shoot(&browser, "dark-wide");
    browser.eval("go({ a: '', view: 'table' })");
    browser.wait("[...document.querySelectorAll('#view .name')].every(n => !n.textContent.includes('Cache'))");
    browser.wait("csv(page.kind, page.selection).split('\\n').length > 6");
    browser.wait("collapsed(page.kind, page.selection).includes('shop.Exceptions.log;java.util.zip.Deflater.<init>;Java_java_util_zip_Deflater_init;deflateInit2_ 286261248')");
    browser.eval("go({ view: 'graph', hide: 'Java_' })");
    browser.wait(
        "document.getElementById('graph')?.shadowRoot.querySelectorAll('.node').length === 5",
    );
    shoot(&browser, "dark-graph-filtered");
    // A click leaves what goes through the box, and the way back is open.
    browser.eval("go({ focus: '', hide: '' })");
    browser
        .wait("document.getElementById('graph').shadowRoot.querySelectorAll('.node').length > 12");
    browser.eval("[...document.getElementById('graph').shadowRoot.querySelectorAll('.node')].find(n => titleOf(n) === 'shop.Cache.put').dispatchEvent(new MouseEvent('click', { bubbles: true }))");
    browser.wait("state.focus === '^shop\\\\.Cache\\\\.put$' && document.getElementById('graph').shadowRoot.querySelectorAll('.node').length === 4");
    browser.keys("s");
    browser.wait("state.view === 'sandwich' && document.querySelector('#view h3 code').textContent === 'shop.Cache.put'");
    browser.back();
    browser.back();
    browser.wait("state.view === 'graph' && !state.focus");
    // A part of a stack is its thread's, and the parts are the whole.
    browser.eval("go({ view: 'flame', thread: 't4 http-worker' })");
    browser.wait("(window.first = page.selection.total) > 0 && page.selection.stacks.length === 5");
    browser.eval("go({ thread: 't5' })");
    browser.wait("Math.abs(page.selection.total * 3 - window.first) < 1e-6 * window.first");
    browser.eval("go({ thread: '' })");
    browser.eval("go({ view: 'flame', hide: '', focus: '(' })");
    browser.wait("document.getElementById('in-focus').classList.contains('bad')");
    // Old alone; blocks; another direction.
    browser.eval("go({ focus: '', age: '600' })");
    browser.wait("document.getElementById('status').textContent.includes('9 call paths') && page.selection.total < 0.57 * page.kind.bytes[9].reduce((a, b) => a + b)");
    browser.eval("go({ age: '', value: 'objects', turn: 'leaf', up: '1' })");
    browser.wait("document.querySelector('#view svg.flame').textContent.includes('os_malloc')");
    browser.eval("go({ value: 'bytes', thread: 'nobody' })");
    browser.wait("document.getElementById('status').textContent.includes('0 call paths')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn hostile_names_do_not_run_in_any_view_or_text() {
    let Some(browser) = Browser::start("hostile", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("hostile-page");
    let file = write(&dir, &html::render(&report(kind())));
    for view in ["flame", "table", "graph", "sandwich"] {
        browser.open(&file, &format!("#view={view}&q=img&frame=%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E&__proto__=x&a=99&kind=%3Cb%3E"));
        browser.wait("document.documentElement.dataset.ready");
        browser
            .wait("document.getElementById('status').textContent.includes('search: 1 functions')");
        assert!(browser.eval("window.pwned").is_null());
        assert_eq!(browser.eval("document.querySelectorAll('img').length"), 0);
        assert_eq!(browser.eval("document.scripts.length"), 2);
    }
    let text = browser
        .eval("issueText(page.data, page.data.suspects[0])")
        .to_string();
    assert!(
        text.contains("build id of `libz.so.1.2.13`: `97da31b2`") && text.contains("135.0 MB/h"),
        "{text}"
    );
    assert!(
        !text.contains("web-1"),
        "a host is nobody's business in a bug tracker"
    );
    // The policy holds: nothing can be fetched, whatever runs.
    browser.eval("(window.refused = 0, addEventListener('securitypolicyviolation', () => window.refused++), fetch('file:///etc/hostname').catch(() => 0), 1)");
    browser.wait("window.refused === 1");
}

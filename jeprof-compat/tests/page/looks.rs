//! The page where it is not read as its makers read it: narrow, dark, printed, without a script, by
//! a machine, with names nobody would give.

use serde_json::json;

use super::driver::{Browser, tempdir};
use super::sample::{self, HOSTILE, kind, report};
use super::{shoot, write};
use jeprof_compat::report::{Cell, KindBuilder, Report};
use jeprof_compat::stacks::naming::Frame;
use jeprof_compat::view::html;

#[test]
fn it_reads_well_narrow_dark_and_without_a_script() {
    let Some(browser) = Browser::start("narrow", true, 500, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("narrow-page");
    let page = html::render(&report(kind()));
    let file = write(&dir, &page);
    browser.resize(390, 844);
    for view in ["flame", "graph", "table", "sandwich"] {
        browser.open(&file, &format!("#a=0&view={view}"));
        browser.wait("document.documentElement.dataset.ready");
        browser.wait("document.documentElement.scrollWidth <= innerWidth");
    }
    // The name is beside its figures, and a search opens what is folded.
    browser.open(&file, "#view=table");
    browser.wait("document.querySelector('#view td.name')?.getBoundingClientRect().left < 250");
    browser.keys("/");
    browser
        .wait("document.activeElement.id === 'in-q' && document.activeElement.checkVisibility()");
    shoot(&browser, "dark-narrow");
    let still = dir.path().join("still.html");
    let without = page.replace("script-src 'unsafe-inline'", "script-src 'none'");
    std::fs::write(&still, without).unwrap();
    browser.open(&still, "");
    browser.wait("document.querySelector('h1').textContent.includes('180 MB/h')");
    browser.wait("document.querySelectorAll('svg.flame .frame').length > 10 && !document.documentElement.dataset.ready");
    browser.wait("document.querySelectorAll('.card').length === 3");
    shoot(&browser, "no-script");
}

#[test]
fn printed_it_has_no_buttons_and_in_forced_colours_the_chosen_view_is_seen() {
    let Some(browser) = Browser::start("print", true, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("print-page");
    browser.open(
        &write(&dir, &html::render(&report(kind()))),
        "#view=sandwich",
    );
    browser.wait("document.documentElement.dataset.ready");
    browser.command("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    browser.wait("['#bar', '.actions', '#status', '.choose'].every(s => getComputedStyle(document.querySelector(s)).display === 'none')");
    browser.wait("getComputedStyle(document.querySelector('.verdict')).backgroundColor === 'rgb(255, 255, 255)'");
    browser.wait("document.querySelector('.card .stack').checkVisibility()");
    shoot(&browser, "print");
    let forced =
        json!({ "media": "", "features": [{ "name": "forced-colors", "value": "active" }] });
    browser.command("Emulation.setEmulatedMedia", &forced);
    browser.wait("getComputedStyle(document.getElementById('tab-sandwich')).backgroundColor !== getComputedStyle(document.getElementById('tab-flame')).backgroundColor");
    shoot(&browser, "forced-colours");
}

#[test]
fn a_machine_reads_what_an_eye_sees() {
    let Some(browser) = Browser::start("aria", false, 1280, 900) else {
        return;
    };
    let dir = tempdir::Dir::new("aria-page");
    browser.open(&write(&dir, &html::render(&report(kind()))), "");
    browser.wait("document.documentElement.dataset.ready");
    // The tree says of each frame what it is, how deep, and how much; one of them has the focus.
    browser.wait("[...document.querySelectorAll('#view [role=tree] [role=treeitem]')].every(i => +i.ariaLevel > 0 && /, [0-9.,]+ [KMG]?B/.test(i.ariaLabel))");
    browser.wait("document.querySelectorAll('#view [role=treeitem][tabindex=\"0\"]').length === 1");
    browser.wait("document.querySelector('[role=tab][aria-selected=true]').id === 'tab-flame'");
    // Every control has a name.
    browser.wait("[...document.querySelectorAll('button, select, input')].every(c => (c.textContent || c.ariaLabel || c.labels?.[0]?.textContent || '').trim())");
    browser.wait("[...document.querySelectorAll('svg[role=img]')].every(s => s.ariaLabel || s.querySelector('title'))");
    // The table is the twin of the picture: each frame that is drawn is a row.
    browser.eval("(window.drawn = new Set([...document.querySelectorAll('#view .frame')].filter(g => g.frame >= 0).map(g => page.kind.frames.name[g.frame])), 1)");
    browser.keys("t");
    browser.wait("window.drawn.size > 10 && window.drawn.isSubsetOf(new Set([...document.querySelectorAll('#view td.name button')].map(b => b.textContent)))");
    browser.wait("document.querySelector('#view th[aria-sort=descending]').textContent.startsWith('Cumulative')");
    // Noise is told wherever there are figures.
    browser.eval("go({ a: '8', b: '9' })");
    browser.wait("[...document.querySelectorAll('#view tr.noise')].length > 0 && [...document.querySelectorAll('#view tr.noise')].every(r => r.textContent.includes('n.s.'))");
    browser.eval("go({ view: 'graph' })");
    browser.wait("[...document.getElementById('graph').shadowRoot.querySelectorAll('.node')].filter(n => n.getAttribute('opacity') === '0.5' && n.textContent.includes('n.s.')).length > 0");
    browser.eval("go({ view: 'flame' })");
    browser.wait("[...document.querySelectorAll('#view .frame')].filter(g => g.frame >= 0).every(g => g.tip().includes('±'))");
    browser.wait("[...document.querySelectorAll('#view .frame.noise')].length > 0 && [...document.querySelectorAll('#view .frame.noise')].every(g => g.tip().includes('n.s.'))");
}

/// One stack with names that nobody would give.
fn absurd() -> Report {
    let mut builder = KindBuilder::new("malloc", "Native heap (malloc)", 1, &[]);
    let names = [
        "main".to_owned(),
        HOSTILE.to_owned(),
        "a\0b\u{1b}[31m\u{202e}gpj.exe\u{2066}".to_owned(),
        "x".repeat(1 << 20),
        String::from_utf8_lossy(&[0xff, 0xfe, b'f']).into_owned(),
        "$&`${1}'{{script}}<!--".to_owned(),
        "__proto__".to_owned(),
        "constructor".to_owned(),
    ];
    let frames: Vec<Frame> = names
        .iter()
        .map(|name| Frame {
            name: name.clone(),
            full: name.clone(),
            module: Some(name.clone()),
            file: Some(name.clone()),
            ..Frame::default()
        })
        .collect();
    for (bytes, from) in [(1e300, 0), (3.0, 1), (f64::MAX / 4.0, 2)] {
        let cell = Cell {
            bytes,
            objects: 1e18,
            samples: u64::MAX,
            variance: 1e300,
            ..Cell::default()
        };
        builder.add(0, frames[from..].iter().rev(), &cell);
    }
    let mut report = report(kind());
    report.kinds = vec![builder.finish()];
    report.timeline.dumps.truncate(1);
    report.timeline.points.truncate(1);
    report.accounts.truncate(1);
    report.header.command = Some("y ".repeat(1 << 16));
    for suspect in &mut report.suspects {
        suspect.culprit = names[3].clone();
        suspect.sentence = format!("Holds much: {}", names[3]);
        suspect.keywords = names.to_vec();
    }
    report.notes = (0..5000).map(|n| format!("{n}{HOSTILE}")).collect();
    report.bound();
    report
}

#[test]
fn absurd_names_and_figures_run_nowhere_and_break_nothing() {
    let page = html::render(&absurd());
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    assert!(page.contains("and 4900 more like these"));
    let bidi = ['\u{202e}', '\u{2066}', '\0', '\u{1b}'];
    assert!(!page.contains(bidi));
    let Some(browser) = Browser::start("absurd", false, 900, 800) else {
        return;
    };
    let dir = tempdir::Dir::new("absurd-page");
    let file = write(&dir, &page);
    for view in ["flame", "table", "graph", "sandwich", "graph&hide=main"] {
        browser.open(&file, &format!("#view={view}"));
        browser.wait("document.documentElement.dataset.ready");
        assert!(browser.eval("window.pwned").is_null());
        assert_eq!(browser.eval("document.scripts.length"), 2);
        browser.wait("document.documentElement.scrollWidth <= innerWidth");
        browser.wait("!/[\\u202e\\u2066\\0]/.test(document.body.textContent)");
    }
    shoot(&browser, "absurd");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let Some(browser) = Browser::start("nothing", false, 900, 800) else {
        return;
    };
    let dir = tempdir::Dir::new("nothing-page");
    let empty = KindBuilder::new("malloc", "Native heap (malloc)", 1, &[]).finish();
    let mut one = sample::report(kind());
    one.kinds = vec![empty];
    one.suspects.clear();
    one.timeline.points.truncate(1);
    one.timeline.dumps.truncate(1);
    one.accounts.truncate(1);
    for view in ["flame", "table", "graph", "sandwich"] {
        browser.open(&write(&dir, &html::render(&one)), &format!("#view={view}"));
        browser.wait("document.documentElement.dataset.ready && document.getElementById('status').textContent.includes('0 call paths')");
    }
    browser.open(&write(&dir, &html::render(&Report::default())), "");
    browser.wait("document.querySelector('.verdict')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

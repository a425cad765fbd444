//! What `malloscope top` shows, drawn from the sites alone. Does no I/O. ratatui drops control
//! characters, so that a name cannot talk to the terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::sites::{Order, Site, Sites};

/// What stands above the table.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The process.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// Its resident bytes.
    pub rss: f64,
    /// Mean bytes between samples.
    pub period: f64,
    /// The last thing that happened: a dump that was written, an error.
    pub message: String,
    /// Kinds of samples that hold more than what is shown.
    pub hints: Vec<String>,
    /// Not looking at the moment.
    pub paused: bool,
}

/// Width of the sparkline.
const TREND: usize = 20;

/// Draws all.
pub fn draw(frame: &mut Frame<'_>, head: &Head, sites: &Sites, order: Order) {
    let layout = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [top, middle, bottom] = layout.areas(frame.area());
    frame.render_widget(Paragraph::new(title(head, sites)), top);
    frame.render_widget(table(sites, order), middle);
    frame.render_widget(Paragraph::new(keys(head)), bottom);
}

fn title(head: &Head, sites: &Sites) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let first = Line::from(vec![
        Span::styled(format!("{} ", head.pid), bold),
        Span::raw(head.command.clone()),
    ]);
    let second = format!(
        "live {} of RSS {}, one sample in {} KiB",
        megabytes(sites.live()),
        megabytes(head.rss),
        head.period / 1024.0
    );
    vec![first, Line::from(second)]
}

fn keys(head: &Head) -> Line<'static> {
    let state = if head.paused { "  PAUSED" } else { "" };
    Line::from(vec![
        Span::styled(
            "q quit  g growth  l live  d dump  space pause",
            Style::new().add_modifier(Modifier::DIM),
        ),
        Span::styled(state, Style::new().fg(Color::Yellow)),
        Span::raw(format!("  {}", message(head))),
    ])
}

/// What happened last, else the first hint.
fn message(head: &Head) -> &str {
    match head.message.as_str() {
        "" => head.hints.first().map_or("", String::as_str),
        message => message,
    }
}

fn table(sites: &Sites, order: Order) -> Table<'static> {
    let mark = |this: Order, title: &str| {
        let arrow = if this == order { "▼" } else { " " };
        Cell::from(Line::from(format!("{title}{arrow}")).right_aligned())
    };
    let header = Row::new(vec![
        mark(Order::Live, "LIVE"),
        mark(Order::Growth, "A MINUTE"),
        Cell::from("TREND"),
        Cell::from("CALL SITE"),
    ]);
    let widths = [
        Constraint::Length(10),
        Constraint::Length(11),
        Constraint::Length(TREND as u16),
        Constraint::Fill(1),
    ];
    let rows = sites.ordered(order).into_iter().take(200);
    Table::new(rows.map(|site| row(site, sites.growth(site))), widths)
        .header(header.style(Style::new().add_modifier(Modifier::REVERSED)))
        .column_spacing(1)
}

fn row(site: &Site, growth: f64) -> Row<'static> {
    let colour = match growth {
        growth if growth >= 65536.0 => Style::new().fg(Color::Red),
        growth if growth <= -65536.0 => Style::new().fg(Color::Green),
        _ => Style::new(),
    };
    Row::new(vec![
        Cell::from(Line::from(megabytes(site.live())).right_aligned()),
        Cell::from(Line::from(signed(growth)).right_aligned()).style(colour),
        Cell::from(sparkline(site)),
        Cell::from(site.name.clone()),
    ])
}

/// `12.3 MB`, as everywhere of 2^20 bytes.
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1_048_576.0)
}

/// As [`megabytes`], with a sign unless it rounds to nothing.
pub fn signed(bytes: f64) -> String {
    let text = format!("{:+.1} MB", bytes / 1_048_576.0);
    if text == "+0.0 MB" || text == "-0.0 MB" {
        "0.0 MB".to_owned()
    } else {
        text
    }
}

/// The last looks as bars, the highest of all kept ones full.
pub fn sparkline(site: &Site) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = site.history.iter().copied().fold(0.0, f64::max);
    let skipped = site.history.len().saturating_sub(TREND);
    let bar = |bytes: &f64| {
        if most <= 0.0 || *bytes <= 0.0 {
            return ' ';
        }
        BARS[((bytes / most * 7.0).round() as usize).min(7)]
    };
    site.history.iter().skip(skipped).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::command::top::sites::tests::sites;

    fn drawn(width: u16, height: u16, order: Order) -> Vec<String> {
        let sites = sites(&[
            ("cache_put < serve  cache.c:12", &[10.0, 10.0, 10.0, 10.0]),
            (
                "session\u{1b}[31m_open < accept  net.c:7",
                &[1.0, 2.0, 3.0, 4.0],
            ),
        ]);
        let head = Head {
            hints: Vec::new(),
            pid: 77,
            command: "./server --port 1".to_owned(),
            rss: 64.0 * 1_048_576.0,
            period: 524_288.0,
            message: "wrote x.m0.heap".to_owned(),
            paused: true,
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, &head, &sites, order))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
        };
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_growing_site_comes_first_and_its_trend_rises() {
        assert_eq!(
            drawn(80, 7, Order::Growth),
            [
                "77 ./server --port 1",
                "live 14.0 MB of RSS 64.0 MB, one sample in 512 KiB",
                "     LIVE    A MINUTE▼ TREND                CALL SITE",
                "    4.0 MB     +6.0 MB ▃▅▆█                 session[31m_open < accept  net.c:7",
                "   10.0 MB      0.0 MB ████                 cache_put < serve  cache.c:12",
                "",
                "q quit  g growth  l live  d dump  space pause  PAUSED  wrote x.m0.heap",
            ]
        );
        assert!(drawn(80, 7, Order::Live)[3].contains("cache_put"));
    }

    #[test]
    fn a_small_terminal_shows_what_it_can() {
        let lines = drawn(30, 4, Order::Growth);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("77 ./server"));
        drawn(1, 1, Order::Live);
    }

    #[test]
    fn numbers_have_a_sign_when_there_is_something_to_say() {
        assert_eq!(signed(-1_048_576.0), "-1.0 MB");
        assert_eq!(signed(-10.0), "0.0 MB");
        assert_eq!(signed(2_097_152.0), "+2.0 MB");
    }
}

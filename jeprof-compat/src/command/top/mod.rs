//! `malloscope top PID`: the call sites of a program that runs, live, the growing ones first. Asks the
//! control socket for a profile at every turn; the program notices no more of it than of a dump.

pub mod screen;
pub mod sites;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::command::console;
use crate::command::control::socket;
use crate::command::load;
use crate::command::places::Places;
use crate::figures::hidden::is_hidden;
use crate::profile::model::{MALLOC, Seen, is_of_objects};
use crate::profile::read;
use crate::symbolize::Locator;
use screen::Head;
use sites::{Order, Sites};

/// Watch the growing call sites of a program that runs
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Its process, started with `prof:true,prof_control:true`
    pid: u32,
    /// Seconds between two looks
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Look twice, print the sites, and end
    #[arg(long)]
    once: bool,
    /// Watch samples of this kind: `java_heap`, `python_objects`
    #[arg(long, value_name = "NAME", default_value = MALLOC)]
    kind: String,
    /// Only frames of this language; stacks without one are left out
    #[arg(long, value_enum, value_name = "NAME")]
    language: Option<Seen>,
    #[command(flatten)]
    places: Places,
}

/// Runs until the person ends it, or the program ends: the exit status.
pub fn top(args: &Args) -> u8 {
    let interactive = !args.once && std::io::stdout().is_terminal();
    let result = if interactive {
        let mut terminal = ratatui::init();
        let result = Top::new(args).watch(&mut terminal);
        ratatui::restore();
        result
    } else {
        Top::new(args).print()
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            console::say(&format!("malloscope: {error:#}"));
            1
        }
    }
}

struct Top {
    interval: Duration,
    head: Head,
    sites: Sites,
    order: Order,
    locator: Locator,
    seen: Seen,
    kind: String,
}

impl Top {
    fn new(args: &Args) -> Top {
        Top {
            interval: Duration::from_secs(args.interval),
            head: Head {
                pid: args.pid,
                ..Head::default()
            },
            sites: Sites::default(),
            order: Order::Growth,
            locator: Locator {
                watch: None,
                ..args.places.locator()
            },
            seen: args.language.unwrap_or_default(),
            kind: args.kind.clone(),
        }
    }

    fn look(&mut self) -> Result<()> {
        let bytes = socket::ask(self.head.pid, "profile")?;
        let name = format!("process {}", self.head.pid);
        let (mut profile, _warnings) = read::parse(&bytes, &name)?;
        profile.seen = self.seen;
        if self.kind == MALLOC {
            self.head.hints = load::bigger_kinds(std::slice::from_ref(&profile));
        } else if let Some(kind) = profile.other_kinds.remove(&self.kind) {
            profile.samples = kind.samples;
        } else {
            return Err(load::no_such_kind(&self.kind, [&profile]));
        }
        let number = |key| profile.process.get(key).and_then(|text| text.parse().ok());
        self.head.rss = number("rss_bytes").unwrap_or(0.0);
        self.head.period = number("period_bytes").unwrap_or(0.0);
        self.head.command = profile
            .process
            .get("command")
            .unwrap_or_default()
            .to_owned();
        let is_objects = is_of_objects(Some(&self.kind));
        self.sites.look(profile, &self.locator, is_objects);
        Ok(())
    }

    /// For what is no terminal.
    fn print(&mut self) -> Result<()> {
        self.look()?;
        std::thread::sleep(self.interval);
        self.look()?;
        let mut lines = vec![format!("{:>10} {:>11}  call site", "live", "a minute")];
        for site in self.sites.ordered(self.order).into_iter().take(30) {
            let live = screen::megabytes(site.live());
            let growth = screen::signed(self.sites.growth(site));
            let name: String = site.name.chars().filter(|c| !is_hidden(*c)).collect();
            lines.push(format!("{live:>10} {growth:>11}  {name}"));
        }
        console::print(&lines.join("\n"));
        console::MALLOSCOPE.warn(&self.head.hints);
        Ok(())
    }

    fn watch(&mut self, terminal: &mut DefaultTerminal) -> Result<()> {
        // Before anything is drawn: a program that does not listen is an error, not a view.
        self.look()?;
        let mut next = Instant::now() + self.interval;
        loop {
            terminal.draw(|frame| screen::draw(frame, &self.head, &self.sites, self.order))?;
            let left = next.saturating_duration_since(Instant::now());
            if event::poll(left).context("the terminal")? {
                if !self.react(&event::read()?) {
                    return Ok(());
                }
                continue;
            }
            next = Instant::now() + self.interval;
            if !self.head.paused
                && let Err(error) = self.look()
            {
                self.head.message = format!("{error:#}");
                self.head.paused = true;
            }
        }
    }

    /// False: it is to end.
    fn react(&mut self, event: &Event) -> bool {
        let Event::Key(key) = event else {
            return true;
        };
        if key.kind != KeyEventKind::Press {
            return true;
        }
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('g') => self.order = Order::Growth,
            KeyCode::Char('l') => self.order = Order::Live,
            KeyCode::Char(' ') => self.head.paused = !self.head.paused,
            KeyCode::Char('d') => {
                let answer = socket::ask(self.head.pid, "dump");
                self.head.message = match answer {
                    Ok(answer) => String::from_utf8_lossy(&answer).trim().to_owned(),
                    Err(error) => format!("{error:#}"),
                };
            }
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn press(top: &mut Top, code: KeyCode, modifiers: KeyModifiers) -> bool {
        top.react(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn keys_do_what_the_last_line_says() {
        let args = Args {
            pid: u32::MAX >> 1,
            interval: 1,
            once: false,
            language: None,
            kind: MALLOC.to_owned(),
            places: Places::default(),
        };
        let mut top = Top::new(&args);
        let none = KeyModifiers::NONE;
        assert!(press(&mut top, KeyCode::Char('l'), none) && top.order == Order::Live);
        assert!(press(&mut top, KeyCode::Char('g'), none) && top.order == Order::Growth);
        assert!(press(&mut top, KeyCode::Char(' '), none) && top.head.paused);
        assert!(press(&mut top, KeyCode::Char('d'), none));
        assert!(top.head.message.starts_with("there is no process"));
        assert!(!press(&mut top, KeyCode::Char('q'), none));
        assert!(!press(&mut top, KeyCode::Char('c'), KeyModifiers::CONTROL));
    }
}

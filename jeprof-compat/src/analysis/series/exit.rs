//! What the end of a process did to the evidence: a dump at exit that destructors had gone before is no sign of
//! health. Pure.

use super::{Dump, Process, held};
use crate::figures::words;

/// A dump at exit that shows less than this share of the one before it is one of a heap that is being taken
/// down: more than what chance and a moment's churn do.
const HELD_AT_EXIT: f64 = 0.9;

/// What a dump that is older at the exit than this share of the run, and than so many seconds, held may have
/// been freed since, as anything is.
const RECENT: f64 = 0.2;
const MOMENT: f64 = 2.0;

/// Seconds that exit handlers take, about.
const EXIT: f64 = 0.5;

/// What the dump at exit says of what was live before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Exit {
    /// Nothing else: it shows as much, or there is none.
    #[default]
    Whole,
    /// Exit handlers and destructors had freed what was live before them. That dump was left out.
    TornDown {
        /// Bytes that were live before.
        held: f64,
    },
    /// There is no other dump, and nobody knows what was freed before it.
    Alone,
}

impl Process {
    /// Leaves out a dump at exit that shows less than the one before it: an interpreter frees its objects
    /// at its end, and destructors their containers. What lived until then is what the program held, and
    /// what was freed only then is no sign of health. A dump by the clock while they are at it is none either.
    /// Returns a note.
    pub fn leave_torn_down(&mut self) -> Option<String> {
        let is_at_exit = self.last().process.get("trigger") == Some("final");
        let [.., last] = &self.dumps[..] else {
            return None;
        };
        if self.dumps.len() == 1 {
            self.exit = match is_at_exit {
                true => Exit::Alone,
                false => Exit::Whole,
            };
            return None;
        }
        let left = held(&last.profile);
        let is_near = |dump: &&Dump| last.at - dump.at <= EXIT.max(0.02 * last.at);
        let near = self.dumps.iter().rev().skip(1).take_while(is_near).count();
        let first = self.dumps.len().saturating_sub(2 + near);
        let before = self.dumps[first..].iter().enumerate();
        let by_live = |a: &(usize, &Dump), b: &(usize, &Dump)| {
            held(&a.1.profile).total_cmp(&held(&b.1.profile))
        };
        let (most, most_held) = before
            .max_by(by_live)
            .map(|(at, dump)| (first + at, held(&dump.profile)))?;
        let age = last.at - self.dumps[most].at;
        let is_recent = age <= MOMENT.max(RECENT * last.at);
        if !is_at_exit || !is_recent || left >= most_held * HELD_AT_EXIT {
            return None;
        }
        let note = format!(
            "{}: left out: at its exit the program held only {} of the {} from before, which is no sign of health",
            last.path.display(),
            words::bytes(left),
            words::bytes(most_held)
        );
        self.exit = Exit::TornDown { held: most_held };
        self.dumps.truncate(most + 1);
        Some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Profile, Sample, Values};

    fn dump(at: f64, trigger: &str, bytes: f64) -> Dump {
        let mut profile = Profile::default();
        let fact = ("trigger".to_owned(), trigger.to_owned());
        profile.process.entries.push(fact);
        profile.samples.push(Sample {
            values: Values {
                inuse_space: bytes,
                ..Values::default()
            },
            ..Sample::default()
        });
        Dump {
            path: format!("{at}.heap").into(),
            at,
            profile,
        }
    }

    /// The times of the dumps that stay, and the notes.
    fn kept(dumps: Vec<Dump>) -> (Vec<f64>, Option<String>) {
        let mut process = Process {
            name: "pid 1".to_owned(),
            dumps,
            exit: Exit::Whole,
        };
        let note = process.leave_torn_down();
        (process.dumps.iter().map(|dump| dump.at).collect(), note)
    }

    #[test]
    fn a_heap_that_is_taken_down_at_exit_is_judged_by_what_it_held() {
        let grown = || [dump(1.0, "timer", 5e6), dump(2.0, "timer", 9e7)];
        let (times, note) = kept([&grown()[..], &[dump(3.0, "final", 6e4)]].concat());
        assert_eq!(times, [1.0, 2.0]);
        let note = note.expect("a note");
        assert!(
            note.contains("only 58.6 KB of the 85.8 MB from before"),
            "{note}"
        );
        let meanwhile = [dump(2.9, "timer", 3e6), dump(3.0, "final", 6e4)];
        let (times, _) = kept([&grown()[..], &meanwhile].concat());
        assert_eq!(times, [1.0, 2.0], "one by the clock while they ran");
        let (times, note) = kept([&grown()[..], &[dump(3.0, "final", 8.9e7)]].concat());
        assert_eq!((times.len(), note), (3, None), "as much as before");
        let (times, _) = kept([&grown()[..], &[dump(3.0, "timer", 6e4)]].concat());
        assert_eq!(times.len(), 3, "freed while it ran");
        assert_eq!(
            kept(vec![dump(3.0, "final", 6e4)]).0,
            [3.0],
            "there is no other"
        );
    }
}

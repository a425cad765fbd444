//! Whether the program leaks, by the dumps of its run: said in a sentence, and by the exit code
//! where that was asked for. Called by `run`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Plan, say, shown, summary};
use crate::series::Series;
use crate::suspects::{self, Findings};
use crate::symbolize::Locator;

/// What the run exits with when more leaks than it may.
pub(super) const LEAKS: u8 = 3;

/// Says what the dumps that were not there `before` tell; the answer is how many bytes an hour leak
/// for certain, in the process and the kind of samples that leak most.
pub(super) fn print(plan: &Plan, before: &BTreeSet<PathBuf>) -> f64 {
    let now = summary::dumps(&plan.configuration.prefix);
    let new: Vec<PathBuf> = now.difference(before).cloned().collect();
    let Some(worst) = worst(plan, &new) else {
        return 0.0;
    };
    let dumps = plan.configuration.prefix.parent().unwrap_or(Path::new("."));
    say(&worst
        .conclusion
        .headline
        .replace(char::is_control, "\u{fffd}"));
    say(&format_args!(
        "who leaks, and why: malloscope suspects {}",
        summary::quoted(shown(dumps))
    ));
    worst.leak_lower
}

/// Of equals the first: the process that holds the most, and malloc.
fn worst(plan: &Plan, dumps: &[PathBuf]) -> Option<Findings> {
    let mut series = Series::read(dumps).ok()?;
    series.symbolize(&Locator {
        program: Some(plan.program.path.clone()),
        ..Locator::default()
    });
    let all = series.processes.iter().flat_map(|process| {
        let kinds = process.kinds().into_iter();
        kinds.map(move |kind| suspects::find(process, kind.as_deref()))
    });
    all.reduce(|worst, next| {
        if next.leak_lower > worst.leak_lower {
            next
        } else {
            worst
        }
    })
}

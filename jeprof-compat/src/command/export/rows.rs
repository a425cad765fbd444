//! `malloscope table --json-lines`: dumps for engines that hold those of many processes.

use anyhow::Result;

use crate::analysis::series::Series;
use crate::command::choice::Choice;
use crate::command::console::MALLOSCOPE;
use crate::command::labels::Labels;
use crate::profile::model::{MALLOC, Profile};
use crate::symbolize::symbolize;
use crate::view::format::rows;

/// All dumps of the directory, or the one.
pub(super) fn rows(choice: &Choice, labels: &Labels) -> Result<Vec<u8>> {
    let origin = labels.origin()?;
    let mut series = Series::read(&[choice.path().to_owned()])?;
    series.see(choice.narrowing.seen());
    MALLOSCOPE.warn(&series.notes);
    let dumps = series
        .processes
        .into_iter()
        .flat_map(|process| process.dumps);
    let mut profiles: Vec<Profile> = dumps.map(|dump| dump.profile).collect();
    MALLOSCOPE.warn(&symbolize(&mut profiles, &choice.narrowing.locator()));
    let filter = choice.narrowing.filter();
    let mut out = Vec::new();
    for profile in &profiles {
        let others = profile.other_kinds.keys().map(|kind| Some(kind.as_str()));
        let kinds: Vec<Option<&str>> = match choice.kind.as_str() {
            // Every line says of which kind it is.
            MALLOC => std::iter::once(None).chain(others).collect(),
            kind => vec![Some(kind)],
        };
        for kind in kinds {
            rows::write(profile, kind, &origin, &filter, &mut out)?;
        }
    }
    Ok(out)
}

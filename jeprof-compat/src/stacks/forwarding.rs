//! Frames that only pass a call on within one function: Clojure compiles `f` to `invoke`, which calls
//! `invokeStatic`. A reader knows one `f`. Pure.

use super::site::Site;

/// Methods that pass on.
const FORWARDS: [&str; 3] = [".invoke", ".doInvoke", ".invokePrim"];

/// Takes out each frame that did no more than call the frame before it, by the same name.
pub(super) fn drop(sites: &mut Vec<Site<'_>>) {
    let names: Vec<Option<(&str, &str)>> = sites.iter().map(name).collect();
    let mut at = 0_usize;
    sites.retain(|_| {
        let inner = at.checked_sub(1).and_then(|inner| names[inner]);
        let own = names[at];
        at += 1;
        let (Some((shown, function)), Some((inner, called))) = (own, inner) else {
            return true;
        };
        let forwards = FORWARDS.iter().any(|end| function.ends_with(end));
        !(shown == inner && called.ends_with(".invokeStatic") && forwards)
    });
}

/// What it is called here and by the runtime, where these differ.
fn name<'a>(site: &Site<'a>) -> Option<(&'a str, &'a str)> {
    let line = site.line.filter(|_| site.location.managed)?;
    Some((line.short.as_deref()?, &line.function))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::model::{Line, Location, LocationId};

    #[test]
    fn a_function_that_calls_itself_stays() {
        let frames = [
            "f.invokeStatic",
            "f.invoke",
            "f.invokeStatic",
            "f.invoke",
            "g.invoke",
        ];
        let location = |function: &&str| Location {
            managed: true,
            lines: vec![Line {
                function: (*function).to_owned(),
                short: Some(function[..1].to_owned()),
                ..Line::default()
            }]
            .into(),
            ..Location::default()
        };
        let locations: Vec<Location> = frames.iter().map(location).collect();
        let sites = locations.iter().map(|location| Site {
            id: LocationId(0),
            depth: 0,
            location,
            line: location.lines.first(),
            mapping: None,
        });
        let mut sites: Vec<Site<'_>> = sites.collect();
        drop(&mut sites);
        let left = sites
            .iter()
            .filter_map(|site| Some(site.line?.function.as_str()));
        assert_eq!(
            left.collect::<Vec<_>>(),
            ["f.invokeStatic", "f.invokeStatic", "g.invoke"]
        );
    }
}

//! Hues of the flame graph: one for each of the modules with the most frames, grey for the
//! rest. Stands beside `colour`, the heat scale. Pure.
//!
//! The hues are those of Okabe and Ito, which every kind of eye can tell apart, tinted until text
//! on them can be read.

use std::collections::HashMap;

/// Light and dark fill of `m0` to `m7`; the last is for everything else.
const MODULES: [(&str, &str); 8] = [
    ("#ffd591", "#7a5210"),
    ("#b5dcf7", "#1f567a"),
    ("#a8e0cc", "#125c47"),
    ("#f1e9a0", "#615a14"),
    ("#c3cdf2", "#34427f"),
    ("#f7c3a3", "#853c12"),
    ("#ebc6dc", "#6d3357"),
    ("#e2e0dc", "#43444a"),
];

/// Index of the class for everything else.
const REST: usize = MODULES.len() - 1;

/// The class of each module: those that occur most often first.
pub fn modules<'a>(occurrences: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for module in occurrences {
        *counts.entry(module).or_default() += 1;
    }
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let place = |(at, (module, _)): (usize, (&'a str, usize))| (module, at.min(REST));
    order.into_iter().enumerate().map(place).collect()
}

/// The class of what belongs to no module.
pub const fn rest() -> usize {
    REST
}

/// CSS rules for `.frame.mN rect` in both themes.
pub fn css() -> String {
    let rules = |pick: fn(&(&'static str, &'static str)) -> &'static str| {
        let rule = |(at, pair)| format!(".frame.m{at} rect {{ fill: {} }}\n", pick(pair));
        MODULES.iter().enumerate().map(rule).collect::<String>()
    };
    format!(
        "{}@media screen and (prefers-color-scheme: dark) {{\n{}}}\n",
        rules(|pair| pair.0),
        rules(|pair| pair.1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_modules_get_a_hue_of_their_own() {
        let names: Vec<String> = (0..12).map(|n| format!("lib{n:02}.so")).collect();
        let often = std::iter::repeat_n("libz.so", 3);
        let classes = modules(often.chain(names.iter().map(String::as_str)));
        assert_eq!(classes["libz.so"], 0);
        assert_eq!(classes["lib00.so"], 1);
        assert_eq!((classes["lib06.so"], classes["lib11.so"]), (REST, REST));
        assert_eq!(css().matches(".frame.m7 rect").count(), 2);
    }
}

//! A name falls into the part that places it, packages and namespaces, and its own part. Pure.

use super::brackets::{depths, is_initialiser};

/// The part of `name` that places it, and its own.
pub fn parts(name: &str, is_class: bool) -> (&str, &str) {
    let chars: Vec<char> = name.chars().collect();
    let own = split(&chars, is_class);
    let at = name
        .char_indices()
        .nth(own)
        .map_or(name.len(), |(at, _)| at);
    name.split_at(at)
}

/// Where the own part begins.
pub(super) fn split(name: &[char], is_class: bool) -> usize {
    if is_class {
        // Behind a slash is what a JVM adds to tell hidden classes apart.
        let end = name.iter().position(|c| *c == '/').unwrap_or(name.len());
        return separators(&name[..end], ".").last().copied().unwrap_or(0);
    }
    let scopes = separators(name, "::");
    if !scopes.is_empty() {
        return own_start(name, &scopes);
    }
    // A line of the source may stand behind the name.
    let depths = depths(name);
    let end = (0..name.len()).find(|&at| name[at] == ' ' && depths[at] == 0);
    let name = &name[..end.unwrap_or(name.len())];
    // `clojure.core/memoize/fn`: behind the slash is the function.
    if let Some(slash) = name.iter().position(|c| *c == '/').filter(|at| *at > 0) {
        let place = separators(&name[..slash], ".");
        if is_dotted_path(&name[..slash], &place) {
            return place.last().copied().unwrap_or(0);
        }
    }
    let dots = separators(name, ".");
    if dots.len() >= 2 && is_dotted_path(name, &dots) {
        return own_start(name, &dots);
    }
    0
}

/// Ends of all separators outside of brackets.
fn separators(name: &[char], separator: &str) -> Vec<usize> {
    let separator: Vec<char> = separator.chars().collect();
    let depths = depths(name);
    (0..name.len())
        .filter(|&at| depths[at] == 0 && name[at..].starts_with(&separator))
        .map(|at| at + separator.len())
        .collect()
}

/// The last two components, or more when the last are nothing but closures.
fn own_start(name: &[char], ends: &[usize]) -> usize {
    let nameless = ends
        .iter()
        .rev()
        .take_while(|&&end| {
            matches!(name.get(end), Some('{' | '(' | '<' | '$')) && !is_initialiser(name, end)
        })
        .count();
    let keep = 2 + nameless;
    match ends.len().checked_sub(keep) {
        Some(index) => ends[index],
        None => 0,
    }
}

/// `java.util.zip.Deflater.init`, but not `libz.so.1` nor `quick_sort.constprop.0`.
fn is_dotted_path(name: &[char], ends: &[usize]) -> bool {
    let mut start = 0;
    let mut words = Vec::new();
    for &end in ends {
        words.push(&name[start..end - 1]);
        start = end;
    }
    words.push(&name[start..]);
    let is_word = |word: &&[char]| {
        let begins = word
            .first()
            .is_some_and(|c| c.is_alphabetic() || "_$<".contains(*c));
        begins && !word.contains(&' ') && !word.contains(&'/')
    };
    let suffixes = ["so", "constprop", "isra", "part", "cold", "llvm"];
    let is_suffix = |word: &&[char]| suffixes.iter().any(|s| s.chars().eq(word.iter().copied()));
    words.iter().all(is_word) && !words.iter().any(is_suffix)
}

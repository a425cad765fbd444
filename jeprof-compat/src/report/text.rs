//! Names as a page can bear them: of bounded length, and showing what they are. Pure.
//!
//! Two equal names stay equal: the page finds a suspect's frame by its name.

use crate::figures::hidden::is_hidden;

/// Letters of a name; of a longer one the middle goes, for beginning and end tell names apart.
const LONGEST: usize = 660;

/// `name` with its control characters shown as U+FFFD, and not too long.
pub fn shorten(name: &str) -> String {
    shorten_to(name, LONGEST)
}

/// The same with another bound.
pub fn shorten_to(text: &str, most: usize) -> String {
    let clean = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    let letters = if text.len() <= most {
        0
    } else {
        text.chars().count()
    };
    if letters <= most {
        return text.chars().map(clean).collect();
    }
    // Room for the words, so that what was shortened once stays as it is.
    let half = most / 2 - 30;
    let left_out = letters - 2 * half;
    let start: String = text.chars().take(half).map(clean).collect();
    let end: String = text.chars().skip(letters - half).map(clean).collect();
    format!("{start}… {left_out} letters left out …{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_turned_names_are_readable() {
        assert_eq!(shorten("f<a>::g"), "f<a>::g");
        assert_eq!(shorten("a\u{202e}b\0c"), "a\u{fffd}b\u{fffd}c");
        let long = format!("begin{}end", "é".repeat(1 << 20));
        let short = shorten(&long);
        assert!(short.starts_with("beginé") && short.ends_with("éend"));
        assert!(short.contains(" letters left out ") && short.len() < 1300);
        assert_eq!(shorten(&short), short);
    }
}

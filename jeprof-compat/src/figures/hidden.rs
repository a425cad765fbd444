//! Letters of foreign names that must not reach a reader as they are. Pure.

/// A control character, which a terminal obeys, or a mark that turns the direction of reading, so that
/// another name is seen than the one that is there.
pub fn is_hidden(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || c.is_control()
}

/// `text` with U+FFFD in their place.
pub fn printable(text: &str) -> String {
    text.replace(is_hidden, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_as_a_mark() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{202e}c\u{2066}d é"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d é"
        );
    }
}

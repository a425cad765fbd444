//! Text that is safe inside XML, whatever a symbol is called. Pure.

/// `text` for element content and for attribute values in double quotes. Characters that XML 1.0
/// cannot carry at all become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Kept as a reference, or an attribute would turn it into a blank.
            '\n' => out.push_str("&#10;"),
            c if forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Outside `Char` of XML 1.0, or a control character that only confuses.
fn forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') || is_bidi(c)
}

/// Marks that make a reader see another name than the one that is there.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_controls_lose_their_meaning() {
        assert_eq!(
            escape("a<b>&\"c\"\u{1}\u{1b}\u{ffff}\u{202e}]]>\n"),
            "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}\u{fffd}\u{fffd}\u{fffd}]]&gt;&#10;"
        );
    }
}

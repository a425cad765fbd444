//! Text that is safe inside XML, whatever a symbol is called. Pure.

use crate::figures::hidden::is_hidden;

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

/// Outside `Char` of XML 1.0, or what only confuses.
fn forbidden(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}') || is_hidden(c)
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

//! Regular expressions as a person types them: Perl's, look-around and back references included. Pure.

use std::str::FromStr;

use fancy_regex::Regex;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Does any part of the text match? An expression that gives up on a text does not match it.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Pattern {
    type Err = fancy_regex::Error;

    fn from_str(text: &str) -> Result<Pattern, fancy_regex::Error> {
        Regex::new(text).map(Pattern)
    }
}

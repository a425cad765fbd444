//! Regular expressions as a person types them: Perl's, look-around and back references included. Pure.
//!
//! Most expressions are `regex`'s, which takes a time in proportion to the text. With look-around or a back
//! reference the same text may take for ever, and a profile has a million texts: then steps are bounded for each text,
//! and texts that took too many of them for all.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Steps back on one text.
const MOST_STEPS: usize = 100_000;

/// Texts that may take so many.
const MOST_GIVEN_UP: u32 = 1000;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Linear(regex::Regex),
    /// With the number of texts that it gave up on; clones count together.
    Stepping(Box<fancy_regex::Regex>, Arc<AtomicU32>),
}

impl Pattern {
    /// Does any part of the text match? An expression that gives up on a text does not match it.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.engine {
            Engine::Linear(regex) => regex.is_match(text),
            // The number is only a number.
            Engine::Stepping(_, given_up) if given_up.load(Ordering::Relaxed) > MOST_GIVEN_UP => {
                false
            }
            Engine::Stepping(regex, given_up) => regex.is_match(text).unwrap_or_else(|_| {
                given_up.fetch_add(1, Ordering::Relaxed);
                false
            }),
        }
    }

    /// On how many texts it gave up; the rest was not looked at where these were too many.
    pub fn given_up(&self) -> u32 {
        match &self.engine {
            Engine::Linear(_) => 0,
            Engine::Stepping(_, given_up) => given_up.load(Ordering::Relaxed),
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = Box<fancy_regex::Error>;

    fn from_str(text: &str) -> Result<Pattern, Box<fancy_regex::Error>> {
        let engine = match regex::Regex::new(text) {
            Ok(regex) => Engine::Linear(regex),
            Err(_) => {
                let mut builder = fancy_regex::RegexBuilder::new(text);
                let regex = builder.backtrack_limit(MOST_STEPS).build()?;
                Engine::Stepping(Box::new(regex), Arc::default())
            }
        };
        Ok(Pattern {
            text: text.to_owned(),
            engine,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_without_end_is_given_up() {
        let pattern: Pattern = r"(?:(x+)\1?)+y".parse().expect("an expression");
        let text = "x".repeat(40);
        assert!(!pattern.is_match(&text) && pattern.given_up() == 1);
        assert!(pattern.is_match("xxy"));
        for _ in 0..2 * MOST_GIVEN_UP {
            assert!(!pattern.is_match(&text));
        }
        assert_eq!(pattern.given_up(), MOST_GIVEN_UP + 1);
        assert!(!pattern.is_match("xxy"), "nothing is looked at any more");
    }

    #[test]
    fn plain_expressions_and_perls_are_taken() {
        let is_match = |pattern: &str, text| {
            let pattern: Pattern = pattern.parse().expect("an expression");
            assert_eq!(pattern.given_up(), 0);
            pattern.is_match(text)
        };
        assert!(is_match("a|b", "cab") && is_match("^(?!std::)", "main"));
        assert!(!is_match("^(?!std::)", "std::vector") && is_match(r"(.)\1", "aa"));
        assert!("(".parse::<Pattern>().is_err());
    }
}

//! What is read in a terminal. Names are hostile input, and a terminal obeys control characters.

pub mod diff;
pub mod suspects;
pub mod text;

/// The same text with a mark in place of each control character.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

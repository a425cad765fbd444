//! Pure writers: what a person looks at. No view reads files or looks up symbols.
//!
//! `sentences` puts figures into words, `terminal` and `html` show them, `picture` draws, `format`
//! writes for other tools, `markdown` for a pull request. `assets` is what a page brings along.

pub mod format;
pub mod html;
pub mod markdown;
pub mod picture;
pub mod sentences;
pub mod terminal;

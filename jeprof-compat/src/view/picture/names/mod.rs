//! Long names on few short lines. The whole name goes into the tooltip. Pure; knows nothing of fonts.
//!
//! A name falls into the part that places it (packages, namespaces) and its own part: class and
//! function, or a class alone. Both are broken behind `::`, `.`, `/`, commas, blanks and the `$` of
//! a class within a class, before brackets, at underscores as a last resort, and cut when nothing
//! else helps. What stands in template brackets is dim, and goes first when there is too much.

mod brackets;
mod lines;
mod parts;

pub use parts::parts;

use brackets::{depths, shorten};
use lines::{Glyph, break_lines, elide, spans};
use parts::split;

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The characters.
    pub text: String,
    /// Less important than the rest.
    pub dim: bool,
}

/// Lines of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Packages and namespaces; may be empty.
    pub place: Vec<String>,
    /// Class and function.
    pub own: Vec<Vec<Span>>,
}

const MAX_PLACE_LINES: usize = 3;
const MAX_OWN_LINES: usize = 6;

/// Breaks `name`, of a class or of a function, into lines of about `columns` characters, the placing
/// part into such of `place_columns`.
pub fn wrap(name: &str, is_class: bool, columns: usize, place_columns: usize) -> Lines {
    let name: Vec<char> = name
        .chars()
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    let (place, own) = name.split_at(split(&name, is_class));
    let own = shorten(own);
    let depths = depths(&own);
    // What is nothing but a bracket is no side remark: `[jit compiler thread]`.
    let is_all = depths.iter().all(|depth| *depth > 0);
    let dim = depths.into_iter().map(|depth| depth > 0 && !is_all);
    let own: Vec<Glyph> = own.iter().copied().zip(dim).collect();
    let place: Vec<Glyph> = place.iter().map(|&c| (c, true)).collect();
    let place = elide(break_lines(&place, place_columns), MAX_PLACE_LINES);
    let own = elide(break_lines(&own, columns), MAX_OWN_LINES);
    Lines {
        place: place
            .iter()
            .flat_map(|line| spans(line))
            .map(|s| s.text)
            .collect(),
        own: own.iter().map(|line| spans(line)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of the placing part, a bar, lines of the own part with dim stretches in `` ` ``.
    fn shown(name: &str, columns: usize) -> Vec<String> {
        lines_of(name, false, columns)
    }

    fn lines_of(name: &str, is_class: bool, columns: usize) -> Vec<String> {
        let lines = wrap(name, is_class, columns, columns);
        let own = lines.own.iter().map(|line| {
            line.iter()
                .map(|s| {
                    if s.dim {
                        format!("`{}`", s.text)
                    } else {
                        s.text.clone()
                    }
                })
                .collect::<String>()
        });
        let place = lines.place.clone().into_iter();
        place.chain(["|".to_owned()]).chain(own).collect()
    }

    #[test]
    fn packages_stand_apart() {
        assert_eq!(
            shown("java.util.zip.Deflater.init", 40),
            ["java.util.zip.", "|", "Deflater.init"]
        );
        assert_eq!(
            shown("v8::internal::Heap::AllocateRaw", 40),
            ["v8::internal::", "|", "Heap::AllocateRaw"]
        );
        assert_eq!(
            shown("java.util.zip.Deflater.<init>", 40),
            ["java.util.zip.", "|", "Deflater.<init>"]
        );
        assert_eq!(
            shown("clojure.core/memoize/fn", 40),
            ["clojure.", "|", "core/memoize/fn"]
        );
        assert_eq!(shown("user/load-session", 40), ["|", "user/load-session"]);
        assert_eq!(shown("Caches.<clinit>", 40), ["|", "Caches.<clinit>"]);
        assert_eq!(shown("os::malloc", 40), ["|", "os::malloc"]);
        assert_eq!(shown("deflateInit2_", 40), ["|", "deflateInit2_"]);
    }

    #[test]
    fn a_class_stands_whole_over_its_package() {
        let class = |name| lines_of(name, true, 40);
        assert_eq!(class("java.lang.Integer"), ["java.lang.", "|", "Integer"]);
        assert_eq!(class("byte[]"), ["|", "byte[]"]);
        assert_eq!(
            class("java.lang.Object[][]"),
            ["java.lang.", "|", "Object[][]"]
        );
        assert_eq!(
            class("java.util.HashMap$Node[]"),
            ["java.util.", "|", "HashMap$Node[]"]
        );
        assert_eq!(
            class("com.shop.Cart$$Lambda"),
            ["com.shop.", "|", "Cart$$Lambda"]
        );
        assert_eq!(
            class("com.shop.Cart$$Lambda/0x00007f.x"),
            ["com.shop.", "|", "Cart$$Lambda/0x00007f.x"]
        );
        assert_eq!(class("my.app.core$fn"), ["my.app.", "|", "core$fn"]);
        assert_eq!(class("Main"), ["|", "Main"]);
        assert_eq!(
            lines_of("shop.ExceptionLogger$OpenRecord[]", true, 16),
            ["shop.", "|", "ExceptionLogger$", "OpenRecord[]"]
        );
    }

    #[test]
    fn methods_keep_their_class() {
        assert_eq!(
            shown("com.shop.Cart$$Lambda.apply", 40),
            ["com.shop.", "|", "Cart$$Lambda.apply"]
        );
        assert_eq!(
            shown("java.util.zip.Deflater.init Deflater.java:77", 60),
            ["java.util.zip.", "|", "Deflater.init Deflater.java:77"]
        );
        assert_eq!(
            shown("ExceptionLogger$OpenRecord.<init>", 16),
            ["|", "ExceptionLogger$", "OpenRecord.", "<init>"]
        );
        assert_eq!(
            parts("java.util.zip.Deflater.<init>", false),
            ("java.util.zip.", "Deflater.<init>")
        );
    }

    #[test]
    fn files_and_compiler_suffixes_are_no_packages() {
        assert_eq!(
            shown("libz.so.1.2.13+0x1f", 40),
            ["|", "libz.so.1.2.13+0x1f"]
        );
        assert_eq!(
            shown("sort.constprop.0.isra.1", 40),
            ["|", "sort.constprop.0.isra.1"]
        );
        assert_eq!(shown("f src/a.b/c.c:12", 40), ["|", "f src/a.b/c.c:12"]);
    }

    #[test]
    fn closures_keep_their_function() {
        assert_eq!(
            shown("app::net::serve::{{closure}}::{{closure}}", 60),
            ["app::", "|", "net::serve::`{{closure}}`::`{{closure}}`"]
        );
    }

    #[test]
    fn template_arguments_are_dim_and_go_first() {
        assert_eq!(
            shown("std::map<int, A>::operator[]", 40),
            ["std::", "|", "map`<int, A>`::operator[]"]
        );
        let inner = "x".repeat(200);
        assert_eq!(
            shown(&format!("a::Vec<Box<{inner}>>::push"), 40),
            ["a::", "|", "Vec`<Box…>`::push"]
        );
    }

    #[test]
    fn a_name_in_brackets_is_not_dim() {
        assert_eq!(
            shown("[jit compiler thread]", 40),
            ["|", "[jit compiler thread]"]
        );
    }

    #[test]
    fn lines_break_where_names_do() {
        assert_eq!(
            shown("Java_java_util_zip_Deflater_init", 18),
            ["|", "Java_java_util_", "zip_Deflater_init"]
        );
        assert_eq!(
            shown("std::pair<alpha, beta>::swap", 12),
            ["std::", "|", "pair`<alpha,`", "`beta>`::swap"]
        );
    }

    #[test]
    fn sources_stand_on_their_own_line() {
        assert_eq!(
            shown("shop::buy(int) /src/leaky.cpp:20", 24),
            ["|", "shop::buy`(int)`", "/src/leaky.cpp:20"]
        );
    }

    #[test]
    fn endless_names_stay_a_few_lines() {
        let lines = wrap(&"abcdefghij".repeat(500), false, 20, 20);
        assert_eq!(lines.own.len(), MAX_OWN_LINES);
        let lines = wrap(&"<".repeat(500), false, 20, 20);
        assert!(lines.own.len() <= MAX_OWN_LINES);
        let lines = wrap(&"namespace_name::".repeat(50), false, 20, 20);
        assert_eq!(lines.place.len(), MAX_PLACE_LINES);
    }

    #[test]
    fn no_line_is_longer_than_asked() {
        for name in [
            "a b c d e f",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa::b",
            "\n\t\u{0}",
            "",
        ] {
            for line in wrap(name, false, 5, 5).own {
                let length: usize = line.iter().map(|s| s.text.chars().count()).sum();
                assert!(length <= 5, "{line:?}");
            }
        }
    }
}

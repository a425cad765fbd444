//! Long names on few short lines. The whole name goes into the tooltip. Pure; knows nothing of fonts.
//!
//! A name falls into the part that places it (packages, namespaces) and its own part: class and
//! function, or a class alone. Both are broken behind `::`, `.`, `/`, commas, blanks and the `$` of
//! a class within a class, before brackets, at underscores as a last resort, and cut when nothing
//! else helps. What stands in template brackets is dim, and goes first when there is too much.

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

/// Own parts longer than this lose what stands in their brackets.
const LONG: usize = 120;
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

/// A character, and whether it is dim.
type Glyph = (char, bool);

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
fn split(name: &[char], is_class: bool) -> usize {
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

/// Depth of brackets at each character, the brackets themselves inside. Arrows, operators, the
/// names of Java's initialisers and the `[]` of arrays are no brackets.
fn depths(name: &[char]) -> Vec<usize> {
    let mut open: Vec<char> = Vec::new();
    let mut depths = Vec::with_capacity(name.len());
    for (at, &c) in name.iter().enumerate() {
        let arrow = c == '>' && at > 0 && matches!(name[at - 1], '-' | '=');
        match c {
            '[' if name.get(at + 1) == Some(&']') => depths.push(open.len()),
            '<' | '(' | '[' | '{' if !is_operator(name, at) && !is_initialiser(name, at) => {
                open.push(c);
                depths.push(open.len());
            }
            '>' | ')' | ']' | '}' if !arrow && open.last() == Some(&partner(c)) => {
                depths.push(open.len());
                open.pop();
            }
            _ => depths.push(open.len()),
        }
    }
    depths
}

fn is_operator(name: &[char], at: usize) -> bool {
    let word: Vec<char> = "operator".chars().collect();
    let before = &name[..at];
    before.ends_with(&word)
        || (name[at] == '<'
            && before
                .split_last()
                .is_some_and(|(last, rest)| *last == '<' && rest.ends_with(&word)))
}

/// A constructor or a static initialiser of Java is a name as good as any.
fn is_initialiser(name: &[char], at: usize) -> bool {
    let starts = |word: &str| {
        let mut rest = name[at..].iter().copied();
        word.chars().all(|c| rest.next() == Some(c))
    };
    starts("<init>") || starts("<clinit>")
}

fn partner(close: char) -> char {
    match close {
        '>' => '<',
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

/// Takes the innermost brackets' content out until the rest is short enough.
fn shorten(name: &[char]) -> Vec<char> {
    let mut name = name.to_vec();
    while name.len() > LONG {
        let depths = depths(&name);
        let deepest = depths.iter().copied().max().unwrap_or(0);
        if deepest == 0 {
            break;
        }
        let shorter = empty_brackets(&name, &depths, deepest);
        if shorter.len() >= name.len() {
            break;
        }
        name = shorter;
    }
    name
}

/// Every bracket of depth `depth` becomes `…`, without the brackets when it stands in others.
fn empty_brackets(name: &[char], depths: &[usize], depth: usize) -> Vec<char> {
    let mut out = Vec::new();
    for (at, &c) in name.iter().enumerate() {
        if depths[at] < depth {
            out.push(c);
        } else if out.last() != Some(&'…') {
            out.push('…');
        }
    }
    out
}

/// Fills lines greedily; what does not fit on one has the path of the source begin another.
fn break_lines(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    if text.len() <= columns {
        return fill(text, columns);
    }
    let before_path = |a: &Glyph, b: &Glyph| a.0 == ' ' && b.0 == '/';
    text.chunk_by(|a, b| !before_path(a, b))
        .flat_map(|stretch| fill(stretch, columns))
        .collect()
}

fn fill(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    let mut lines: Vec<Vec<Glyph>> = Vec::new();
    for atom in atoms(text, columns) {
        match lines.last_mut() {
            Some(line) if line.len() + width(&atom) <= columns => line.extend(atom),
            _ => lines.push(atom),
        }
    }
    lines
}

/// A blank at the end of a line takes no room.
fn width(atom: &[Glyph]) -> usize {
    atom.len() - usize::from(atom.last().is_some_and(|(c, _)| *c == ' '))
}

/// Stretches that stay on one line.
fn atoms(text: &[Glyph], columns: usize) -> Vec<Vec<Glyph>> {
    let good = pieces(text, |before, after| {
        matches!(before, '/' | ',' | ' ' | '.')
            || (before == ':' && after != ':')
            || matches!(after, '<' | '(')
            || (before == '$' && after.is_alphabetic())
    });
    let fair = good.into_iter().flat_map(|piece| {
        if width(&piece) <= columns {
            vec![piece]
        } else {
            pieces(&piece, |before, after| {
                before == '_' || (before.is_lowercase() && after.is_uppercase())
            })
        }
    });
    fair.flat_map(|piece| {
        if width(&piece) <= columns {
            vec![piece]
        } else {
            piece.chunks(columns).map(<[Glyph]>::to_vec).collect()
        }
    })
    .collect()
}

fn pieces(text: &[Glyph], may_break: impl Fn(char, char) -> bool) -> Vec<Vec<Glyph>> {
    text.chunk_by(|before, after| !may_break(before.0, after.0))
        .map(<[Glyph]>::to_vec)
        .collect()
}

/// Leaves out lines from the middle; the end of a name says more than its middle.
fn elide(mut lines: Vec<Vec<Glyph>>, max: usize) -> Vec<Vec<Glyph>> {
    if lines.len() > max {
        let head = max / 2;
        let tail = lines.len() - (max - head - 1);
        lines.splice(head..tail, [vec![('…', true)]]);
    }
    lines
}

fn spans(line: &[Glyph]) -> Vec<Span> {
    let mut spans: Vec<Span> = line
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| Span {
            text: run.iter().map(|(c, _)| c).collect(),
            dim: run[0].1,
        })
        .collect();
    if let Some(last) = spans.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    spans
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

//! Whether a program said what a page shows. Figures differ from run to run: one that stands by itself may
//! be off by half, digits inside a word (a pid, a file's name) may be any. `...` stands for any text in a
//! line, and for any lines where it is a line of its own.

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Char(char),
    /// Digits inside a word.
    Digits,
    /// A figure by itself.
    Figure(f64),
    /// `...`
    Any,
}

fn pieces(line: &str) -> Vec<Piece> {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars: Vec<char> = line.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if chars[at..].starts_with(&['.', '.', '.']) {
            found.push(Piece::Any);
            at += 3;
        } else if c.is_ascii_digit() {
            let end = number_end(&chars, at);
            found.push(number(&chars, at, end));
            at = end;
        } else {
            found.push(Piece::Char(c));
            at += 1;
        }
    }
    found
}

/// Where the number that begins at `at` ends: a point is part of it when a digit follows.
fn number_end(chars: &[char], at: usize) -> usize {
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut end = at;
    while is_digit(end) || (chars.get(end) == Some(&'.') && is_digit(end + 1)) {
        end += 1;
    }
    end
}

fn number(chars: &[char], at: usize, end: usize) -> Piece {
    let starts = at == 0 || " (=".contains(chars[at - 1]);
    let ends = chars.get(end).is_none_or(|c| " )%,:".contains(*c));
    let text: String = chars[at..end].iter().collect();
    match text.parse() {
        Ok(figure) if starts && ends => Piece::Figure(figure),
        _ => Piece::Digits,
    }
}

fn is_near(shown: f64, said: f64) -> bool {
    let most = shown.max(said) / 2.0;
    (shown - said).abs() <= most.max(1.0)
}

fn match_pieces(shown: &[Piece], said: &[Piece]) -> bool {
    match (shown, said) {
        ([], []) => true,
        ([Piece::Any, rest @ ..], _) => (0..=said.len()).any(|at| match_pieces(rest, &said[at..])),
        ([Piece::Figure(a), shown @ ..], [Piece::Figure(b), said @ ..]) => {
            is_near(*a, *b) && match_pieces(shown, said)
        }
        ([a, shown @ ..], [b, said @ ..]) => a == b && match_pieces(shown, said),
        _ => false,
    }
}

fn line_matches(shown: &str, said: &str) -> bool {
    match_pieces(&pieces(shown), &pieces(said))
}

/// True when `said` is what `shown` shows.
pub fn matches(shown: &[&str], said: &[&str]) -> bool {
    match (shown, said) {
        ([], []) => true,
        (["...", rest @ ..], _) => (0..=said.len()).any(|at| matches(rest, &said[at..])),
        ([a, shown @ ..], [b, said @ ..]) => line_matches(a, b) && matches(shown, said),
        _ => false,
    }
}

#[test]
fn figures_may_differ_and_words_may_not() {
    let same = [
        (
            "158.8 MB 100.0%  open (.../leak.c:45)",
            "  148.1 MB  99.2% open (/a/b/leak.c:45)",
        ),
        (
            "in d/m.29558.31.f.heap: 158.8 MB",
            "in d/m.5.7.f.heap: 168.8 MB",
        ),
        ("leaked_bytes=166128440", "leaked_bytes=166128441"),
        ("0.3   0.1% x", "0.0 0.0% x"),
    ];
    for (shown, said) in same {
        assert!(line_matches(shown, said), "{shown} is not {said}");
    }
    let other = [
        ("158.8 MB", "15.8 MB"),
        ("158.8 MB", "158.8 KB"),
        ("leaks 2.0 MB/s", "leaks 2.0 MB/h"),
        ("m.1.f.heap", "m.1.u.heap"),
        ("Total: 9.0 MB", "Total: 0.0 MB"),
        ("a ... c", "a b"),
    ];
    for (shown, said) in other {
        assert!(!line_matches(shown, said), "{shown} is {said}");
    }
}

#[test]
fn dots_stand_for_any_lines() {
    assert!(matches(&["...", "a", "..."], &["b", "a"]));
    assert!(matches(&["a 1"], &["a 1"]));
    assert!(!matches(&["a"], &["a", "b"]) && !matches(&["...", "a"], &["a", "b"]));
}

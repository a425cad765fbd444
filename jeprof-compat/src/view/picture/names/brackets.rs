//! What in a name stands in brackets, how deep, and a name that is shorter without it. Pure.

/// Own parts longer than this lose what stands in their brackets.
const LONG: usize = 120;

/// Depth of brackets at each character, the brackets themselves inside. Arrows, operators, the
/// names of Java's initialisers and the `[]` of arrays are no brackets.
pub(super) fn depths(name: &[char]) -> Vec<usize> {
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
pub(super) fn is_initialiser(name: &[char], at: usize) -> bool {
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
pub(super) fn shorten(name: &[char]) -> Vec<char> {
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

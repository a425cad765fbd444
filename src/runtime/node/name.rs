//! What V8 calls a piece of generated code, taken apart: kind, tier, function, file, line.
//!
//! Pure. Names look like `JS:*handleRequest /srv/app.js:2:23`. A function has a name for each tier
//! (`~` interpreted, `^` baseline, `+` and `*` optimized), which are one function here. Function and
//! file may contain blanks, and either may be empty.
//!
//! Source: V8 `log.cc` (`ComputeMarker`, `JitLogger`), seen with Node 20, 22 and 24.

/// A piece of generated code.
#[derive(Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// Code of a function.
    Function {
        /// Its name; `<anonymous>` if it has none, `<script>` for the code outside all functions.
        name: &'a [u8],
        /// Where it was written; may be empty.
        file: &'a [u8],
        /// The line on which it begins; 0 where that is not known.
        line: u32,
    },
    /// V8's own code: a part of the interpreter, a stub.
    Internal,
}

/// The kinds whose code is a program's.
const SCRIPTS: [&[u8]; 2] = [b"Script", b"Eval"];
const FUNCTIONS: [&[u8]; 3] = [b"JS", b"Function", b"LazyCompile"];

/// Marks of the tiers; the apostrophe follows one where a loop was entered in the middle.
const TIERS: &[u8] = b"~^+*'";

/// Beginnings of a file's name: a blank before one of them ends the function's name.
const FILES: [&[u8]; 8] = [
    b"/", b"node:", b"file:", b"[", b"evalmachine.", b"wasm:", b"http", b"data:",
];

/// Words of a function's name that another word follows.
const PREFIXES: [&[u8]; 2] = [b"get ", b"set "];

/// Takes a name apart.
pub fn parse(text: &[u8]) -> Name<'_> {
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        return Name::Internal;
    };
    let (kind, rest) = text.split_at(colon);
    if kind == b"RegExp" {
        return function(b"RegExp", b"", 0);
    }
    let is_script = SCRIPTS.contains(&kind);
    if !is_script && !FUNCTIONS.contains(&kind) {
        return Name::Internal;
    }
    let rest = rest.get(1..).unwrap_or_default();
    let tiers = rest.iter().take_while(|byte| TIERS.contains(byte)).count();
    let rest = rest.get(tiers..).unwrap_or_default();
    let (rest, position) = position(rest);
    let (line, column) = position.unwrap_or((0, 0));
    let (name, file) = split(rest);
    let name = match name {
        b"" if is_script || (line, column) == (1, 1) => &b"<script>"[..],
        b"" => b"<anonymous>",
        name => name,
    };
    function(name, file.strip_prefix(b"file://").unwrap_or(file), line)
}

/// Is it code of an optimizing compiler?
pub fn is_optimized(text: &[u8]) -> bool {
    let colon = text.iter().position(|byte| *byte == b':');
    let mark = colon.and_then(|colon| text.get(colon + 1));
    matches!(mark, Some(b'*' | b'+'))
}

fn function<'a>(name: &'a [u8], file: &'a [u8], line: u32) -> Name<'a> {
    Name::Function { name, file, line }
}

/// Line and column, which end the text, and what is before them.
fn position(text: &[u8]) -> (&[u8], Option<(u32, u32)>) {
    let found = last_number(text).and_then(|(before, column)| {
        let (before, line) = last_number(before)?;
        Some((before, (line, column)))
    });
    match found {
        Some((before, position)) => (before, Some(position)),
        None => (text, None),
    }
}

/// The number after the last colon, which ends the text.
fn last_number(text: &[u8]) -> Option<(&[u8], u32)> {
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let digits = text.get(colon + 1..)?;
    let number = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((text.get(..colon)?, number))
}

/// Function and file.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let at = |from: usize| {
        let rest = text.get(from..)?;
        let blank = rest.iter().position(|byte| *byte == b' ')?;
        Some(from + blank)
    };
    let is_file = |blank: usize| {
        let file = text.get(blank + 1..).unwrap_or_default();
        FILES.iter().any(|start| file.starts_with(start))
    };
    let known = (0..text.len()).find(|at| text.get(*at) == Some(&b' ') && is_file(*at));
    let is_accessor = PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    let second = is_accessor.then(|| at(4)).flatten();
    let Some(blank) = known.or(second).or_else(|| at(0)) else {
        return (text, b"");
    };
    let (name, file) = text.split_at(blank);
    (name, file.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match parse(text.as_bytes()) {
            Name::Internal => "-".into(),
            Name::Function { name, file, line } => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                format!("{} | {} | {line}", text(name), text(file))
            }
        }
    }

    #[test]
    fn the_tiers_of_a_function_are_one() {
        for tier in ["~", "^", "+", "*", "+'", ""] {
            let name = format!("JS:{tier}handle /srv/app.js:2:23");
            assert_eq!(said(&name), "handle | /srv/app.js | 2");
        }
        assert_eq!(said("LazyCompile:*#p /a.js:9:1"), "#p | /a.js | 9");
        assert!(is_optimized(b"JS:*f /a.js:1:1") && is_optimized(b"JS:+'f /a.js:1:1"));
        assert!(!is_optimized(b"JS:^f /a.js:1:1") && !is_optimized(b"JS"));
    }

    #[test]
    fn names_and_files_with_blanks_and_without() {
        let same = [
            ("JS:~get size /a b/c.js:1:21", "get size | /a b/c.js | 1"),
            ("JS:~my method /a.js:1:5", "my method | /a.js | 1"),
            ("JS:^get node:internal/url:5:8", "get | node:internal/url | 5"),
            ("JS:~inv my file.js:1:13", "inv | my file.js | 1"),
            ("JS:~get x my file.js:1:13", "get x | my file.js | 1"),
            ("JS:~f file:///srv/m.mjs:3:1", "f | /srv/m.mjs | 3"),
            ("JS:~f evalmachine.<anonymous>:1:13", "f | evalmachine.<anonymous> | 1"),
            ("JS:~ /a.js:5:37", "<anonymous> | /a.js | 5"),
            ("JS:~ /a.js:1:1", "<script> | /a.js | 1"),
            ("Script:~ /a.js", "<script> | /a.js | 0"),
            ("Eval:~ :1:1", "<script> |  | 1"),
            ("JS:~anonymous :1:20", "anonymous |  | 1"),
            ("Function:wasm-function[3]", "wasm-function[3] |  | 0"),
            ("JS:~", "<anonymous> |  | 0"),
            ("RegExp:a:1:2", "RegExp |  | 0"),
        ];
        for (name, expected) in same {
            assert_eq!(said(name), expected, "{name}");
        }
    }

    #[test]
    fn what_belongs_to_the_engine_has_no_name() {
        for name in ["Builtin:ArrayMap", "BytecodeHandler:Wide", "Stub:x", "", "no colon"] {
            assert_eq!(said(name), "-", "{name}");
        }
    }
}

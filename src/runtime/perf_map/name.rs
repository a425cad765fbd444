//! What a runtime calls a piece of its code, taken apart: language, function, file, line. Pure.
//!
//! The same function compiled twice must have one name, so marks of a compiler's tier go.
//! ```text
//! JS:~sum /srv/app.js:10:5        Node: ~ interpreted, ^ + * by three compilers; older: LazyCompile:*
//! py::Cart.add:/srv/shop.py       CPython
//! int Shop::Add(int)[OptimizedTier1]     .NET
//! name TAB file TAB line          what `jitdump` makes of its records
//! ```

use crate::table::frame_table::{Frame, Kind};

/// Words before the colon of V8's names for functions of a script.
const SCRIPT: [&[u8]; 6] = [
    b"JS",
    b"LazyCompile",
    b"Function",
    b"Script",
    b"Eval",
    b"Callback",
];

/// The frame that a name stands for.
pub fn frame(text: &[u8]) -> Frame<'_> {
    if let Some((name, rest)) = split(text, b'\t') {
        let (file, line) = split(rest, b'\t').unwrap_or((rest, b""));
        return Frame {
            file,
            line: decimal(line).unwrap_or(0),
            ..plain(name)
        };
    }
    plain(text)
}

fn plain(text: &[u8]) -> Frame<'_> {
    python(text).or_else(|| script(text)).unwrap_or(Frame {
        name: without_tier(text),
        ..JIT
    })
}

const JIT: Frame<'static> = Frame {
    kind: Kind::Jit,
    class: b"",
    name: b"",
    file: b"",
    line: 0,
};

fn python(text: &[u8]) -> Option<Frame<'_>> {
    let (name, file) = split(text.strip_prefix(b"py::")?, b':')?;
    Some(Frame {
        kind: Kind::Python,
        name,
        file,
        ..JIT
    })
}

fn script(text: &[u8]) -> Option<Frame<'_>> {
    let (word, rest) = split(text, b':')?;
    if !SCRIPT.contains(&word) {
        return None;
    }
    let rest = match rest {
        [b'~' | b'^' | b'+' | b'*', rest @ ..] => rest,
        _ => rest,
    };
    let (name, place) = name_and_place(rest);
    let (file, line) = file_and_line(place);
    Some(Frame {
        kind: Kind::JavaScript,
        name: match name {
            b"" if word == b"Script" => b"(script)",
            b"" => b"(anonymous)",
            name => name,
        },
        file,
        line,
        ..JIT
    })
}

/// Names of functions may have blanks (`get size`), and so may paths: the place begins at the first
/// blank behind which something begins that looks like one.
fn name_and_place(text: &[u8]) -> (&[u8], &[u8]) {
    const PLACES: [&[u8]; 4] = [b"/", b"node:", b"file:", b"evalmachine"];
    let begins = |at: &usize| {
        let rest = text.get(at + 1..).unwrap_or_default();
        text.get(*at) == Some(&b' ') && PLACES.iter().any(|place| rest.starts_with(place))
    };
    let first_blank = || text.iter().position(|byte| *byte == b' ');
    let Some(at) = (0..text.len()).find(begins).or_else(first_blank) else {
        return (text, b"");
    };
    let (name, place) = text.split_at_checked(at).unwrap_or((text, b""));
    (name, place.trim_ascii())
}

/// `FILE:LINE:COLUMN`, `FILE:LINE` or `FILE`.
fn file_and_line(place: &[u8]) -> (&[u8], u32) {
    let cut = |text| -> Option<(&[u8], u32)> {
        let (file, number) = split_last(text, b':')?;
        Some((file, decimal(number)?))
    };
    match cut(place) {
        Some((rest, number)) => cut(rest).unwrap_or((rest, number)),
        None => (place, 0),
    }
}

/// .NET: `[Tier0]`, `[OptimizedTier1OSR]`, `[PreJIT]` behind the parameters.
fn without_tier(text: &[u8]) -> &[u8] {
    let tier = || {
        let (name, tier) = split_last(text.strip_suffix(b"]")?, b'[')?;
        let is_word = !tier.is_empty() && tier.iter().all(u8::is_ascii_alphanumeric);
        (is_word && name.ends_with(b")")).then_some(name)
    };
    tier().unwrap_or(text)
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}

fn split_last(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().rposition(|byte| *byte == at)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}

fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let frame = frame(text.as_bytes());
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (kind, name, file) = (frame.kind.name(), text(frame.name), text(frame.file));
        format!("{kind}|{name}|{file}|{}", frame.line)
    }

    #[test]
    fn scripts_lose_their_tier_and_keep_their_line() {
        for tier in ["~", "^", "+", "*", ""] {
            let text = format!("JS:{tier}sum /srv/my app.js:10:5");
            assert_eq!(said(&text), "js|sum|/srv/my app.js|10");
        }
        assert_eq!(
            said("LazyCompile:*get size node:internal/map:7:3"),
            "js|get size|node:internal/map|7"
        );
        assert_eq!(said("JS:~ /a.js:1:1"), "js|(anonymous)|/a.js|1");
        assert_eq!(said("Script:~ /a.js:1:1"), "js|(script)|/a.js|1");
        assert_eq!(said("JS:*f"), "js|f||0");
        assert_eq!(said("JS:*f a.js"), "js|f|a.js|0");
    }

    #[test]
    fn other_languages() {
        assert_eq!(
            said("py::Cart.add.<locals>.g:/srv/a b.py"),
            "python|Cart.add.<locals>.g|/srv/a b.py|0"
        );
        assert_eq!(
            said("instance void [shop] Shop.Cart::Add(int32[])[OptimizedTier1]"),
            "jit|instance void [shop] Shop.Cart::Add(int32[])||0"
        );
        assert_eq!(said("TRACE_1::a.lua:7"), "jit|TRACE_1::a.lua:7||0");
        assert_eq!(said("wasm[0]::function[3]"), "jit|wasm[0]::function[3]||0");
        assert_eq!(said("julia_f_12\t/a.jl\t9"), "jit|julia_f_12|/a.jl|9");
        assert_eq!(said("f\t/a.jl\tx"), "jit|f|/a.jl|0");
        assert_eq!(said(""), "jit|||0");
    }
}

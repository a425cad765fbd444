//! Names of Clojure's functions as they are written: its compiler makes a class of each, and no class may be
//! called `swap!`. Pure.
//!
//! Sources: `clojure.lang.Compiler` 1.11, `CHAR_MAP`, `munge` and `demunge`; `clojure.lang.IFn`.

/// What stands in a class for what may not.
const MUNGED: [(&str, &str); 22] = [
    ("_COLON_", ":"),
    ("_PLUS_", "+"),
    ("_GT_", ">"),
    ("_LT_", "<"),
    ("_EQ_", "="),
    ("_TILDE_", "~"),
    ("_BANG_", "!"),
    ("_CIRCA_", "@"),
    ("_SHARP_", "#"),
    ("_SINGLEQUOTE_", "'"),
    ("_PERCENT_", "%"),
    ("_CARET_", "^"),
    ("_AMPERSAND_", "&"),
    ("_STAR_", "*"),
    ("_BAR_", "|"),
    ("_LBRACE_", "{"),
    ("_RBRACE_", "}"),
    ("_LBRACK_", "["),
    ("_RBRACK_", "]"),
    ("_SLASH_", "/"),
    ("_BSLASH_", "\\"),
    ("_QMARK_", "?"),
];

/// Methods that are the function itself.
const CALLS: [&str; 4] = ["invoke", "invokeStatic", "doInvoke", "invokePrim"];

/// `clojure.core/memoize/fn` for the method `doInvoke` of the class `clojure.core$memoize$fn__6946`; nothing
/// where it is no function of a Clojure file.
pub(super) fn function(class: &str, method: &str, file: &str) -> Option<String> {
    let is_file = [".clj", ".cljc"].iter().any(|end| file.ends_with(end));
    let (space, functions) = class.split_once('$')?;
    if !is_file || !CALLS.contains(&method) || space.is_empty() {
        return None;
    }
    let mut name = demunged(space);
    for function in functions.split('$') {
        name.push('/');
        name += &demunged(without_number(function));
    }
    Some(name)
}

/// `fn` of `fn__6946`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once("__") {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => {
            name
        }
        _ => name,
    }
}

fn demunged(name: &str) -> String {
    let mut out = name.to_owned();
    for (munged, written) in MUNGED {
        if out.contains(munged) {
            out = out.replace(munged, written);
        }
    }
    out.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::function;

    #[test]
    fn functions_are_called_as_they_are_written() {
        let name = |class: &str| function(class, "invokeStatic", "core.clj");
        assert_eq!(
            name("user$load_session").as_deref(),
            Some("user/load-session")
        );
        assert_eq!(
            name("clojure.core$swap_BANG_").as_deref(),
            Some("clojure.core/swap!")
        );
        assert_eq!(
            name("my_app.db$find_all$fn__12$inner__7").as_deref(),
            Some("my-app.db/find-all/fn/inner")
        );
        assert_eq!(name("user$__").as_deref(), Some("user/--"));
        assert_eq!(name("clojure.core"), None);
        assert_eq!(function("shop.Cart$Item", "invoke", "Cart.java"), None);
        assert_eq!(
            function("user$load_session", "getRequiredArity", "a.clj"),
            None
        );
    }
}

//! A function's name as `jeprof` shortens it: without parameters, template arguments and the type of its
//! result. What is left may be the name of several functions. Pure; `ShortFunctionName` of jeprof.

/// `std::vector<int>::push_back(int const&)` is `std::vector::push_back`.
pub fn short_name(name: &str) -> String {
    let bare = without(name, '(', ')', true);
    let bare = without(&bare, '<', '>', false);
    without_type(&bare).to_owned()
}

/// Cuts out what stands in brackets, innermost first, and a `const` behind it.
fn without(name: &str, open: char, close: char, takes_const: bool) -> String {
    let mut name = name.to_owned();
    let mut from = 0;
    while let Some(at) = name[from..].find(close) {
        let end = from + at;
        let Some(start) = name[..end].rfind(open) else {
            // One that was never opened stays.
            from = end + close.len_utf8();
            continue;
        };
        let mut after = end + close.len_utf8();
        let rest = &name[after..];
        if takes_const && let Some(rest) = rest.trim_start().strip_prefix("const") {
            after = name.len() - rest.len();
        }
        name.replace_range(start..after, "");
        from = start;
    }
    name
}

/// A type and blanks before the last word that is followed by `::` go.
fn without_type(name: &str) -> &str {
    let scoped = |at: &usize| {
        let word = &name[*at..];
        let end = word.find(|c: char| !c.is_alphanumeric() && c != '_');
        end.is_some_and(|end| end > 0 && word[end..].starts_with("::"))
    };
    let starts = name.char_indices().filter(|(_, c)| c.is_whitespace());
    let starts = starts.map(|(at, blank)| at + blank.len_utf8());
    starts.rev().find(scoped).map_or(name, |at| &name[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What jeprof 5.3 makes of each.
    #[test]
    fn names_are_those_of_jeprof() {
        let cases = [
            ("f", "f"),
            ("os::malloc(unsigned long, void (*)(int))", "os::malloc"),
            ("T::f(int) const", "T::f"),
            (
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                "std::vector::push_back",
            ),
            ("<T as core::fmt::Write>::write_str", "::write_str"),
            (
                "int* shop::Basket<double>::add<int>(int)",
                "shop::Basket::add",
            ),
            ("operator new(unsigned long)", "operator new"),
            ("a)b", "a)b"),
            ("(anonymous namespace)::f()", "::f"),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            ),
        ];
        for (full, short) in cases {
            assert_eq!(short_name(full), short, "{full}");
        }
    }
}

//! Linker names to the names people wrote.
//!
//! Rust (legacy and v0) loses its hash, C++ keeps everything; what cannot be demangled stays as
//! it is.

use std::fmt;

use cpp_demangle::{DemangleOptions, Symbol};

/// A name in full and, for C++, without its parameter list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Everything.
    pub full: String,
    /// Without parameters and return type, when that differs.
    pub short: Option<String>,
}

/// Demangles a linker name.
pub fn demangle(linker_name: &str) -> Name {
    if let Some(full) = rust(linker_name) {
        return Name { full, short: None };
    }
    cpp(linker_name).unwrap_or_else(|| Name {
        full: linker_name.to_owned(),
        short: None,
    })
}

/// True for a name that only a mangler writes.
pub fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_R")
}

fn rust(name: &str) -> Option<String> {
    let ours = name.starts_with("_R") || has_legacy_hash(name);
    let demangled = ours.then(|| rustc_demangle::try_demangle(name).ok())??;
    Some(format!("{demangled:#}"))
}

/// A legacy Rust name is a C++ one whose last part is `17h` and sixteen hex digits.
fn has_legacy_hash(name: &str) -> bool {
    let hash = name.rfind("17h").and_then(|at| name.get(at + 3..at + 20));
    let Some((hex, end)) = hash.and_then(|h| h.split_at_checked(16)) else {
        return false;
    };
    name.starts_with("_ZN") && end == "E" && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

fn cpp(name: &str) -> Option<Name> {
    if !name.starts_with("_Z") {
        return None;
    }
    if let Some((what, target)) = thunk(name) {
        let target = cpp(&target)?;
        let short = target.short.map(|s| format!("{what} to {s}"));
        return Some(Name {
            full: format!("{what} to {}", target.full),
            short,
        });
    }
    let Ok(symbol) = Symbol::new(name) else {
        return name_alone(name);
    };
    let full = written(&symbol, &DemangleOptions::new())?;
    let mut short = written(&symbol, &bare())?;
    if let Some(clone) = full
        .find(" [clone ")
        .filter(|_| !short.contains(" [clone "))
    {
        short.push_str(&full[clone..]);
    }
    let short = Some(short).filter(|s| *s != full && !s.is_empty());
    Some(Name { full, short })
}

/// The longest name: a mangled one of some hundred bytes can stand for gigabytes, since its parts refer to each
/// other. rustc-demangle has the same bound.
const LONGEST: usize = 1_000_000;

/// A name that is written as far as it may be.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn written(symbol: &Symbol<&str>, options: &DemangleOptions) -> Option<String> {
    let mut out = Bounded(String::new());
    symbol.structured_demangle(&mut out, options).ok()?;
    Some(out.0)
}

fn bare() -> DemangleOptions {
    DemangleOptions::new().no_params().no_return_type()
}

/// What is left when the parser stumbles over a type behind the name: it does not know the `srSt`
/// that GCC writes for `!std::is_array<T>::value` in what `std::make_shared` returns. The name
/// comes first and ends with an `E`; types that stand for the rest make a symbol of it.
fn name_alone(name: &str) -> Option<Name> {
    const MOST_TRIES: usize = 500;
    let unknown = name.find("srSt")?;
    let ends = name[..unknown].match_indices('E').take(MOST_TRIES);
    let full = ends
        .map(|(at, _)| format!("{}vv", &name[..=at]))
        .find_map(|whole| {
            let symbol = Symbol::new(whole.as_str()).ok()?;
            written(&symbol, &bare())
        })?;
    Some(Name { full, short: None })
}

/// The function behind a thunk, which `cpp_demangle` names in words of its own: `_ZThn8_` and
/// `_ZTv0_n24_` stand before the function's own mangled name.
fn thunk(name: &str) -> Option<(&'static str, String)> {
    let digits = |c: char| c.is_ascii_digit() || c == 'n';
    let (what, rest) = if let Some(rest) = name.strip_prefix("_ZTh") {
        ("non-virtual thunk", rest)
    } else {
        let offset = name.strip_prefix("_ZTv")?.trim_start_matches(digits);
        ("virtual thunk", offset.strip_prefix('_')?)
    };
    let target = rest.trim_start_matches(digits).strip_prefix('_')?;
    Some((what, format!("_Z{target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(linker_name: &str) -> (String, String) {
        let name = demangle(linker_name);
        let short = name.short.clone().unwrap_or_else(|| name.full.clone());
        (name.full, short)
    }

    #[test]
    fn a_name_that_stands_for_gigabytes_stays_as_it_is() {
        // A pair of two of the pair before it, and so on.
        let mut name = "_Z1fSt4pairIiiE".to_owned();
        let number = |at: u32| match at {
            0 => "S_".to_owned(),
            at => format!(
                "S{}_",
                char::from_digit(at - 1, 36)
                    .expect("a digit")
                    .to_ascii_uppercase()
            ),
        };
        for at in 0..30 {
            // Each adds itself to what can be referred to; the template's own name is the first.
            let before = number(at + 1);
            name += &format!("S_I{before}{before}E");
        }
        assert_eq!(demangle(&name).full.len(), name.len());
        assert_eq!(
            demangle("_Z1fSt4pairIiiES0_").full,
            "f(std::pair<int, int>, std::pair<int, int>)"
        );
    }

    #[test]
    fn a_return_type_beyond_the_parser_costs_the_types_only() {
        let make_shared = "_ZSt11make_sharedISt6vectorIiSaIiEEJiEESt10shared_ptrINSt9enable_ifIX\
                           ntsrSt8is_arrayIT_E5valueES5_E4typeEEDpOT0_";
        let name = "std::make_shared<std::vector<int, std::allocator<int> >, int>";
        assert_eq!(both(make_shared), (name.to_owned(), name.to_owned()));
        let nested = "_ZN2v84base17PrintCheckOperandIPKaEENSt9enable_ifIXntsrSt7is_enumIT_E5\
                      valueEvE4typeEv";
        assert_eq!(
            both(nested).0,
            "v8::base::PrintCheckOperand<signed char const*>"
        );
        assert_eq!(both("_Z3fsrStE").0, "_Z3fsrStE");
    }

    #[test]
    fn cpp_loses_only_its_parameters() {
        let (full, short) = both("_ZN2os6mallocEm8MEMFLAGSRK15NativeCallStack");
        assert_eq!(
            full,
            "os::malloc(unsigned long, MEMFLAGS, NativeCallStack const&)"
        );
        assert_eq!(short, "os::malloc");
        let (_, short) = both("_ZNSt6vectorIiSaIiEE9push_backERKi");
        assert_eq!(short, "std::vector<int, std::allocator<int> >::push_back");
        assert_eq!(both("_Znwm").1, "operator new");
        assert_eq!(both("_Znam").1, "operator new[]");
        assert_eq!(both("_ZNK3foo3barEv").1, "foo::bar");
    }

    #[test]
    fn clones_stay_recognizable() {
        let (full, short) = both("_ZN3foo3barEi.part.0");
        assert_eq!(full, "foo::bar(int) [clone .part.0]");
        assert_eq!(short, "foo::bar [clone .part.0]");
    }

    #[test]
    fn thunks_name_their_target() {
        let (full, short) = both("_ZThn8_N12LIRGenerator8block_doEP10BlockBegin");
        assert_eq!(
            full,
            "non-virtual thunk to LIRGenerator::block_do(BlockBegin*)"
        );
        assert_eq!(short, "non-virtual thunk to LIRGenerator::block_do");
        assert_eq!(both("_ZTv0_n24_N3foo3barEv").1, "virtual thunk to foo::bar");
    }

    #[test]
    fn rust_keeps_its_whole_path() {
        let legacy = "_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Write$GT$9write_str17h0123456789abcdefE";
        assert_eq!(
            both(legacy).0,
            "<alloc::string::String as core::fmt::Write>::write_str"
        );
        let v0 = "_RNvNtCs1234_7mycrate3foo3bar";
        assert_eq!(both(v0).0, "mycrate::foo::bar");
    }

    #[test]
    fn plain_names_are_left_alone() {
        for name in [
            "Java_java_util_zip_Deflater_init",
            "deflateInit2_",
            "_Zfoo",
            "",
            "_R",
        ] {
            assert_eq!(
                demangle(name),
                Name {
                    full: name.to_owned(),
                    short: None
                }
            );
        }
    }
}

//! The part of a class's name that differs in every process: what the JVM appends to the name of a
//! class that it made itself.
//!
//! `method` and `java_heap` both cut it off here, so that both name a class the same way. Pure.
//! Seen in JDK 11 to 25: a hidden class is `NAME.0xADDRESS`, `NAME+0xADDRESS` or `NAME/0xADDRESS`.
//! Before JDK 22 the class of a lambda has a count as well (`Main$$Lambda$14`).

/// `class` without the address of a hidden class and without the count of a lambda.
pub fn without_numbers(class: &[u8]) -> &[u8] {
    without_count(without_address(class))
}

fn without_address(class: &[u8]) -> &[u8] {
    match split_end(class, u8::is_ascii_hexdigit) {
        Some([name @ .., b'.' | b'+' | b'/', b'0', b'x']) if !name.is_empty() => name,
        _ => class,
    }
}

fn without_count(class: &[u8]) -> &[u8] {
    let name = split_end(class, u8::is_ascii_digit).and_then(|name| name.strip_suffix(b"$"));
    name.filter(|name| name.ends_with(b"$$Lambda"))
        .unwrap_or(class)
}

/// The text before the digits at the end; `None` where there are no digits.
fn split_end(class: &[u8], is_digit: fn(&u8) -> bool) -> Option<&[u8]> {
    let digits = class.iter().rev().take_while(|byte| is_digit(byte)).count();
    (digits > 0)
        .then(|| class.get(..class.len() - digits))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_counts_go_and_nothing_else() {
        for (class, name) in [
            ("Main$$Lambda$14/0x0000000800c03000", "Main$$Lambda"),
            ("Main$$Lambda$244", "Main$$Lambda"),
            ("Main$$Lambda+0x00007f2a00066840", "Main$$Lambda"),
            ("p/LambdaForm$MH.0x12ab", "p/LambdaForm$MH"),
            ("Main$14", "Main$14"),
            ("Main$Lambda$14", "Main$Lambda$14"),
            ("a/x0x", "a/x0x"),
            ("a+0x", "a+0x"),
            ("beef", "beef"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(class.as_bytes()), name.as_bytes());
        }
    }
}

//! From the signature of a class to the name that Java programmers read.
//!
//! Pure. Source: JVM Specification 4.3.2 for the signatures.

use crate::runtime::jvm::class_name::without_numbers;

/// Longest name that is made; a longer one is cut off.
pub const LONGEST: usize = 512;

/// Text of bounded length.
pub struct Name {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Name {
    /// `[Ljava/lang/String;` as `java.lang.String[]`. The address in the name of a hidden class
    /// (`Main$$Lambda.0x00007f01c8;`) is removed, because it differs in each process.
    pub fn of_class(signature: &[u8]) -> Name {
        let dimensions = signature.iter().take_while(|byte| **byte == b'[').count();
        let element = signature.get(dimensions..).unwrap_or_default();
        let mut name = Name {
            bytes: [0; LONGEST],
            length: 0,
        };
        match element {
            [b'L', class @ .., b';'] => name.put_class(without_numbers(class)),
            [primitive] => name.put(primitive_name(*primitive)),
            other => name.put(other),
        }
        (0..dimensions).for_each(|_| name.put(b"[]"));
        name
    }

    /// The text.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn put_class(&mut self, class: &[u8]) {
        for byte in class {
            self.put(&[if *byte == b'/' { b'.' } else { *byte }]);
        }
    }

    fn put(&mut self, text: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (slot, byte) in room.iter_mut().zip(text) {
            *slot = *byte;
        }
        self.length = (self.length + text.len()).min(LONGEST);
    }
}

fn primitive_name(letter: u8) -> &'static [u8] {
    match letter {
        b'B' => b"byte",
        b'C' => b"char",
        b'D' => b"double",
        b'F' => b"float",
        b'I' => b"int",
        b'J' => b"long",
        b'S' => b"short",
        b'Z' => b"boolean",
        _ => b"?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(signature: &str) -> String {
        let name = Name::of_class(signature.as_bytes());
        String::from_utf8_lossy(name.bytes()).into_owned()
    }

    #[test]
    fn signatures_read_as_in_java() {
        assert_eq!(name("Ljava/lang/String;"), "java.lang.String");
        assert_eq!(name("[B"), "byte[]");
        assert_eq!(name("[[Ljava/util/Map$Entry;"), "java.util.Map$Entry[][]");
        assert_eq!(name("J"), "long");
        assert_eq!(name(""), "");
        assert_eq!(name("LMain;").len(), 4);
        assert_eq!(name(&format!("L{};", "a".repeat(900))).len(), LONGEST);
    }

    #[test]
    fn hidden_classes_lose_their_address() {
        assert_eq!(name("LMain$$Lambda.0x00007f01c8000a00;"), "Main$$Lambda");
        assert_eq!(name("LMain$$Lambda$14/0x0000000800c03000;"), "Main$$Lambda");
        assert_eq!(name("[Lp/LambdaForm$MH+0x12ab;"), "p.LambdaForm$MH[]");
        assert_eq!(name("La/x0x;"), "a.x0x");
        assert_eq!(name("Lbeef;"), "beef");
    }
}

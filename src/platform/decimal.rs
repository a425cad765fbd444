//! Numbers as decimal digits, made on the stack: for messages and files that may not allocate.

/// A number in decimal, on the stack.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    /// Formats `value`.
    pub fn new(mut value: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            start = at;
            if value == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        self.digits
            .get(self.start..)
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_everywhere() {
        for value in [0, 7, 10, 99, 1_000_000, u64::MAX - 1, u64::MAX] {
            assert_eq!(Decimal::new(value).as_str(), value.to_string());
        }
    }
}

//! How the value of an option is read: one rule per kind.
//!
//! Booleans are exactly `true` and `false`; numbers are decimal, 0x hexadecimal or 0 octal, and
//! nothing may follow them. Source: `CONF_HANDLE_*` and `malloc_strtoumax` of jemalloc 5.3.0.

use core::alloc::Layout;
use core::ffi::c_char;

use crate::table::arena;

/// The longest text, as Linux's PATH_MAX with its terminator.
const MOST: usize = 4096;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be read.
    Invalid,
    /// It can be read, but it is too large or too small.
    OutOfRange,
    /// It asks for what we do not have; the text says what to use instead.
    Refused(&'static str),
}

/// A kind of value.
pub(crate) trait Rule {
    /// Its type when it is read.
    type Value;
    /// Reads it.
    fn read(&self, text: &[u8]) -> Result<Self::Value, Fault>;
}

/// `true` or `false`.
pub(crate) struct Flag;

/// A number that is silently brought into its range when it is too large or too small; a negative
/// number is refused nevertheless.
pub(crate) struct Clip<T>(pub(crate) T, pub(crate) T);

/// A number that must lie in its range.
pub(crate) struct Within<T>(pub(crate) T, pub(crate) T);

/// -1 or a count.
pub(crate) struct Count;

/// Text, cut to what a path can be.
pub(crate) struct Path;

/// The mode of a file, in octal as for chmod(1).
pub(crate) struct Mode;

/// How much of the command line is shown.
pub(crate) struct Shown;

/// How dense the samples are.
pub(crate) struct Density;

/// How a JVM is found.
pub(crate) struct Detected;

/// Yes, no, or as it seems best.
pub(crate) struct Switched;

/// Whether a runtime tells what it runs.
pub(crate) struct Told;

/// jemalloc's two clocks.
pub(crate) struct Resolution;

impl Rule for Flag {
    type Value = bool;

    fn read(&self, text: &[u8]) -> Result<bool, Fault> {
        match text {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(Fault::Invalid),
        }
    }
}

impl Rule for Density {
    type Value = Rate;

    fn read(&self, text: &[u8]) -> Result<Rate, Fault> {
        match text {
            b"auto" => Ok(Rate::Auto),
            _ => Clip(0, 63).read(text).map(Rate::Fixed),
        }
    }
}

impl Rule for Detected {
    type Value = Detection;

    fn read(&self, text: &[u8]) -> Result<Detection, Fault> {
        match text {
            b"auto" => Ok(Detection::Auto),
            b"poll" => Ok(Detection::Poll),
            b"off" => Ok(Detection::Off),
            _ => Err(Fault::Invalid),
        }
    }
}

impl Rule for Switched {
    type Value = Switch;

    fn read(&self, text: &[u8]) -> Result<Switch, Fault> {
        match text {
            b"auto" => Ok(Switch::Auto),
            b"true" => Ok(Switch::On),
            b"false" => Ok(Switch::Off),
            _ => Err(Fault::Invalid),
        }
    }
}

impl Rule for Told {
    type Value = bool;

    fn read(&self, text: &[u8]) -> Result<bool, Fault> {
        match text {
            b"auto" => Ok(true),
            b"off" => Ok(false),
            _ => Err(Fault::Invalid),
        }
    }
}

impl<T: Copy + Into<i128> + TryFrom<i128>> Rule for Clip<T> {
    type Value = T;

    fn read(&self, text: &[u8]) -> Result<T, Fault> {
        let n = number(text).ok_or(Fault::Invalid)?;
        if n < 0 {
            return Err(Fault::OutOfRange);
        }
        T::try_from(n.max(self.0.into()).min(self.1.into())).map_err(|_| Fault::OutOfRange)
    }
}

impl<T: Copy + Into<i128> + TryFrom<i128>> Rule for Within<T> {
    type Value = T;

    fn read(&self, text: &[u8]) -> Result<T, Fault> {
        let n = number(text).ok_or(Fault::Invalid)?;
        if n < self.0.into() || n > self.1.into() {
            return Err(Fault::OutOfRange);
        }
        T::try_from(n).map_err(|_| Fault::OutOfRange)
    }
}

impl Rule for Count {
    type Value = i64;

    fn read(&self, text: &[u8]) -> Result<i64, Fault> {
        Within(-1, i64::MAX).read(text)
    }
}

impl Rule for Path {
    type Value = Text;

    fn read(&self, text: &[u8]) -> Result<Text, Fault> {
        Text::cut(text).ok_or(Fault::Invalid)
    }
}

impl Rule for Mode {
    type Value = FileMode;

    fn read(&self, text: &[u8]) -> Result<FileMode, Fault> {
        let bits = text.iter().try_fold(0_u32, |sum, &digit| {
            let digit = char::from(digit).to_digit(8)?;
            sum.checked_mul(8)?.checked_add(digit)
        });
        match bits {
            Some(bits) if !text.is_empty() && bits <= FileMode::MOST => Ok(FileMode(bits)),
            Some(_) if !text.is_empty() => Err(Fault::OutOfRange),
            _ => Err(Fault::Invalid),
        }
    }
}

impl Rule for Shown {
    type Value = CommandLine;

    fn read(&self, text: &[u8]) -> Result<CommandLine, Fault> {
        match text {
            b"true" => Ok(CommandLine::Whole),
            b"masked" => Ok(CommandLine::Masked),
            b"false" => Ok(CommandLine::Hidden),
            _ => Err(Fault::Invalid),
        }
    }
}

impl Rule for Resolution {
    type Value = &'static str;

    fn read(&self, text: &[u8]) -> Result<&'static str, Fault> {
        match text {
            b"default" => Ok("default"),
            b"high" => Ok("high"),
            _ => Err(Fault::Invalid),
        }
    }
}

/// A number as strtoumax with base 0 reads it, if it is all of `text` and its magnitude fits in 64
/// bits.
fn number(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0_u64, |sum, &digit| {
        let digit = char::from(digit).to_digit(base)?;
        sum.checked_mul(base.into())?.checked_add(digit.into())
    })?;
    Some(if negative {
        -i128::from(magnitude)
    } else {
        magnitude.into()
    })
}

/// Permission bits of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FileMode {
    /// Reading, writing, executing: not the bits that change with whose rights a program runs.
    const MOST: u32 = 0o777;
    /// The owner reads and writes.
    pub const OWNER: FileMode = FileMode(0o600);
}

/// How dense the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As the budget allows.
    Auto,
    /// Always so: log2 of the mean bytes between samples.
    Fixed(u8),
}

impl Rate {
    /// Where `auto` begins. A process's first sample costs more than a hundred later ones, by the pages that
    /// it touches first, and of most processes there would be no more than a few.
    const FIRST: u8 = 19;

    /// log2 of the mean bytes between the first samples.
    pub fn lg_first(self) -> u8 {
        match self {
            Rate::Auto => Rate::FIRST,
            Rate::Fixed(lg_period) => lg_period,
        }
    }
}

/// How JVMs are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// By the hook of `dlsym`, and by samples.
    Auto,
    /// By samples alone.
    Poll,
    /// Not at all.
    Off,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Where it seems best.
    Auto,
    /// Yes.
    On,
    /// No.
    Off,
}

impl Switch {
    /// The value that a default in the table stands for.
    pub(crate) const fn of(text: &str) -> Switch {
        match text.as_bytes() {
            b"auto" => Switch::Auto,
            b"true" => Switch::On,
            _ => Switch::Off,
        }
    }
}

/// How much of the command line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandLine {
    /// The whole command line.
    Whole,
    /// The program and the names of its options.
    Masked,
    /// Nothing.
    Hidden,
}

/// Text of an option: a literal, or a copy in the arena, because the program may overwrite its
/// environment. A NUL is its last byte, so that C can read it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text(&'static [u8]);

impl Text {
    /// A literal that ends with NUL and is not longer than the longest path.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text.as_bytes())
    }

    /// As much of `text` as a path can hold. `None` when there is no memory for it.
    fn cut(text: &[u8]) -> Option<Self> {
        Self::joined(&[text.get(..MOST - 1).unwrap_or(text)])
    }

    /// Puts `directory` and a slash in front, if all of it fits.
    pub(crate) fn put_below(&mut self, directory: &[u8]) {
        if directory.len() + 1 + self.0.len() <= MOST
            && let Some(text) = Self::joined(&[directory, b"/", self.as_bytes()])
        {
            *self = text;
        }
    }

    fn joined(parts: &[&[u8]]) -> Option<Self> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + 1;
        let place = arena::alloc(Layout::array::<u8>(length).ok()?)?;
        // SAFETY: a fresh zeroed piece of that length, which belongs to nothing else and is never
        // freed.
        #[allow(unsafe_code)]
        let text = unsafe { core::slice::from_raw_parts_mut(place.as_ptr(), length) };
        for (place, byte) in text.iter_mut().zip(parts.iter().copied().flatten()) {
            *place = *byte;
        }
        Some(Self(text))
    }

    /// The text; it need not be UTF-8.
    pub fn as_bytes(&self) -> &'static [u8] {
        self.0.strip_suffix(b"\0").unwrap_or_default()
    }

    /// The text as C reads it.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

impl core::fmt::Debug for Text {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_three_bases() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("19", 19),
            ("+19", 19),
            ("-1", -1),
            ("0x1F", 31),
            ("0X1f", 31),
            ("017", 15),
            ("-0x10", -16),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(number(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("600", 0o600), ("0640", 0o640), ("0", 0), ("777", 0o777)] {
            assert_eq!(Mode.read(text.as_bytes()), Ok(FileMode(bits)), "{text}");
        }
        for text in ["4755", "1000", "77777777777"] {
            let fault = Mode.read(text.as_bytes());
            assert!(fault.is_err(), "{text}: {fault:?}");
        }
        for text in ["", "-1", "0x1", "8", "u=rw", "0o600"] {
            assert_eq!(Mode.read(text.as_bytes()), Err(Fault::Invalid), "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        let none = [
            "", "-", "0x", "08", "1k", "1 ", " 1", "--1", "1_000", "1.5", "a", "0b1",
        ];
        for text in none.into_iter().chain(["18446744073709551616"]) {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn text_is_cut_like_a_path() {
        assert_eq!(Text::new("abc\0").as_bytes(), b"abc");
        let long = Text::cut(&[b'x'; 5000]).expect("memory");
        assert_eq!(long.as_bytes(), [b'x'; MOST - 1]);
        assert_eq!(
            format!("{:?}", Text::cut(b"a\xff").expect("memory")),
            "\"a\\xff\""
        );
    }
}

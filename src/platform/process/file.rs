//! Small files of `/proc`, read with raw calls into buffers that the caller brings.
//!
//! Nothing is allocated. A file that cannot be read is an answer, not a failure.
//!
//! Source: proc(5), open(2), read(2).

use core::ffi::CStr;

use crate::platform::sys;

/// A file open for reading, closed when dropped.
pub(super) struct File(pub(super) i32);

impl File {
    pub(super) fn open(path: &CStr) -> Option<File> {
        let fd = sys::open(path, libc::O_RDONLY, 0);
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(File)
    }

    /// Reads until `buffer` is full or the file ends.
    fn read_to_end<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match usize::try_from(sys::read(self.0, rest)) {
                Ok(read) if read > 0 => length += read,
                _ => break,
            }
        }
        buffer.get(..length).unwrap_or_default()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

/// The beginning of a small file of `/proc`, as much as `buffer` holds.
pub fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    Some(File::open(path)?.read_to_end(buffer))
}

/// Passes a file to `piece` in pieces, for copying it. False when it cannot be read.
pub fn copy(path: &CStr, buffer: &mut [u8], piece: &mut dyn FnMut(&[u8])) -> bool {
    let Some(file) = File::open(path) else {
        return false;
    };
    loop {
        match usize::try_from(sys::read(file.0, buffer)) {
            Ok(0) => return true,
            Ok(length) => piece(buffer.get(..length).unwrap_or_default()),
            Err(_) => return false,
        }
    }
}

/// Passes the whole lines of a file to `line`, without their ends. A line longer than `buffer` is
/// skipped.
pub fn lines(path: &CStr, buffer: &mut [u8], line: &mut dyn FnMut(&[u8])) -> bool {
    let Some(file) = File::open(path) else {
        return false;
    };
    let mut kept = 0;
    let mut overlong = false;
    loop {
        let Some(room) = buffer.get_mut(kept..) else {
            return false;
        };
        let read = match usize::try_from(sys::read(file.0, room)) {
            Ok(0) => return true,
            Ok(read) => read,
            Err(_) => return false,
        };
        let end = kept + read;
        let mut start = 0;
        while let Some(rest) = buffer.get(start..end)
            && let Some(length) = rest.iter().position(|byte| *byte == b'\n')
        {
            if !core::mem::take(&mut overlong) {
                line(rest.get(..length).unwrap_or_default());
            }
            start += length + 1;
        }
        if start == 0 && end == buffer.len() {
            overlong = true;
            kept = 0;
            continue;
        }
        buffer.copy_within(start..end, 0);
        kept = end - start;
    }
}

/// A decimal number at the beginning of `text`, after blanks.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..digits)
        .filter(|digits| !digits.is_empty())?
        .iter()
        .try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_buffer() {
        let file = std::env::temp_dir().join(format!("malloscope-lines-{}", std::process::id()));
        let text = (0..300)
            .map(|n| "x".repeat(n % 90) + "\n")
            .collect::<String>();
        let overlong = "y".repeat(500) + "\n";
        std::fs::write(&file, text.clone() + &overlong + &text).expect("a file");
        let path = std::ffi::CString::new(file.to_str().expect("UTF-8")).expect("a path");
        for size in [91, 100, 128, 400] {
            let mut seen = String::new();
            assert!(lines(&path, &mut vec![0; size], &mut |line| {
                seen += std::str::from_utf8(line).expect("UTF-8");
                seen += "\n";
            }));
            assert_eq!(
                seen,
                text.clone() + &text,
                "buffer of {size}; the long line is passed over"
            );
        }
        std::fs::remove_file(file).expect("removal");
    }
}

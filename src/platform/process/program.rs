//! By which names this program is known: those of the file that the kernel was asked to execute,
//! which may be a script, and of the file that it executes.
//!
//! Source: getauxval(3), `AT_EXECFN`; proc(5), `/proc/PID/exe`.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};

use crate::platform::sys;

/// What the kernel puts behind the name of a file that is gone.
const GONE: &[u8] = b" (deleted)";

/// Is one of the names in `list`, which has a `|` between two names?
pub fn is_in(list: &[u8]) -> bool {
    let mut buffer = [0; 1024];
    holds(list, executed()) || holds(list, image(&mut buffer))
}

fn executed() -> &'static [u8] {
    // SAFETY: getauxval has no precondition.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    match name.is_null() {
        true => &[],
        // SAFETY: the kernel's own string, above the program's stack.
        false => unsafe { CStr::from_ptr(name) }.to_bytes(),
    }
}

/// Empty where there is no `/proc`, and where the path is longer than `buffer`.
fn image(buffer: &mut [u8]) -> &[u8] {
    let length = usize::try_from(sys::readlink(c"/proc/self/exe", buffer)).unwrap_or(0);
    let path = buffer
        .get(..length)
        .filter(|path| path.len() < buffer.len())
        .unwrap_or_default();
    path.strip_suffix(GONE).unwrap_or(path)
}

fn holds(list: &[u8], path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    !name.is_empty() && list.split(|byte| *byte == b'|').any(|one| one == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_a_path() {
        for (list, path, answer) in [
            ("java", "/usr/bin/java", true),
            ("nginx|java", "java", true),
            ("java", "/usr/bin/javac", false),
            ("jav", "/usr/bin/java", false),
            ("/usr/bin/java", "/usr/bin/java", false),
            ("", "/usr/bin/java", false),
            ("|", "", false),
            ("java", "", false),
        ] {
            assert_eq!(holds(list.as_bytes(), path.as_bytes()), answer, "{list}");
        }
    }

    #[test]
    fn this_test_knows_its_own_name() {
        let path = std::env::current_exe().expect("a path");
        let name = path.file_name().expect("a name").as_encoded_bytes();
        assert!(is_in(name) && is_in(&[b"x|", name].concat()));
        assert!(!is_in(b"no-such-program"));
        assert_eq!(image(&mut [0; 4]), b"");
    }
}

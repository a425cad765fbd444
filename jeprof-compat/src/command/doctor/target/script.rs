//! Scripts: which program the kernel starts for them, and to whom a shell wrapper hands over. Pure,
//! over the first bytes of a file.
//!
//! Source: Linux `fs/binfmt_script.c` (the line is cut at 256 bytes, and everything behind the
//! interpreter is one argument) and env(1).

use std::path::{Path, PathBuf};

/// Bytes of a file that the kernel looks at.
pub(crate) const HEAD: usize = 256;

/// The line that begins with `#!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shebang {
    pub(crate) interpreter: PathBuf,
    argument: String,
}

impl Shebang {
    pub(crate) fn parse(head: &[u8]) -> Option<Shebang> {
        let head = &head[..head.len().min(HEAD)];
        let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_matches([' ', '\t', '\r', '\0']);
        let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if interpreter.is_empty() {
            return None;
        }
        Some(Shebang {
            interpreter: PathBuf::from(interpreter),
            argument: argument.trim().to_owned(),
        })
    }

    /// The name that `env` looks up, when `env` is the interpreter.
    pub(crate) fn through_env(&self) -> Option<&str> {
        if self.interpreter.file_name()? != "env" {
            return None;
        }
        let mut words = self.argument.split_whitespace();
        words.find(|word| !word.starts_with('-') && !word.contains('='))
    }
}

/// True for the interpreters whose scripts are mostly there to start something else.
pub(crate) fn is_shell(interpreter: &Path) -> bool {
    const SHELLS: [&str; 9] = [
        "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "busybox",
    ];
    let name = interpreter.file_name().unwrap_or_default();
    SHELLS.iter().any(|shell| name == *shell)
}

/// The last command that a shell script becomes by `exec`, as it stands there.
pub(crate) fn hand_over(script: &[u8]) -> Option<String> {
    let script = String::from_utf8_lossy(script);
    let mut commands = script.lines().filter_map(|line| {
        let command = line.trim().strip_prefix("exec")?;
        let command = command.strip_prefix([' ', '\t'])?.trim();
        // `exec 3>&1` only moves descriptors.
        let redirection = command.starts_with(|c: char| c.is_ascii_digit() || "<>&{".contains(c));
        (!command.is_empty() && !redirection).then(|| command.to_owned())
    });
    commands.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shebang(text: &str) -> Option<Shebang> {
        Shebang::parse(text.as_bytes())
    }

    #[test]
    fn the_kernels_reading_of_the_first_line() {
        let made = shebang("#! /usr/bin/perl -w -T\nprint").expect("a script");
        assert_eq!(made.interpreter, Path::new("/usr/bin/perl"));
        assert_eq!(made.argument, "-w -T");
        assert_eq!(made.through_env(), None);
        assert_eq!(
            shebang("#!/bin/sh").map(|s| s.interpreter),
            Some("/bin/sh".into())
        );
        assert_eq!(shebang("#!\n"), None);
        assert_eq!(shebang("#!  \t\n/bin/sh"), None);
        assert_eq!(shebang("\x7fELF"), None);
        assert_eq!(shebang(""), None);
    }

    #[test]
    fn env_names_the_program_behind_its_options() {
        let through = |text: &str| {
            shebang(text)
                .expect("a script")
                .through_env()
                .map(str::to_owned)
        };
        assert_eq!(
            through("#!/usr/bin/env python3\n").as_deref(),
            Some("python3")
        );
        assert_eq!(
            through("#!/usr/bin/env -S A=b node --inspect\n").as_deref(),
            Some("node")
        );
        assert_eq!(through("#!/usr/bin/env\n"), None);
    }

    #[test]
    fn a_line_longer_than_the_kernel_reads_is_cut() {
        let long = format!("#!/{}\n", "x".repeat(400));
        let made = shebang(&long).expect("a script");
        assert_eq!(made.interpreter.as_os_str().len(), HEAD - 2);
    }

    #[test]
    fn the_wrappers_last_word_is_found() {
        let script = b"#!/bin/sh\nexec 2>&1\nif x; then\n  exec java -jar a.jar \"$@\"\nfi\n";
        assert_eq!(hand_over(script).as_deref(), Some("java -jar a.jar \"$@\""));
        assert_eq!(hand_over(b"#!/bin/sh\nexec >log\nexecute it\n"), None);
        assert!(is_shell(Path::new("/bin/bash")));
        assert!(!is_shell(Path::new("/usr/bin/python3")));
    }
}

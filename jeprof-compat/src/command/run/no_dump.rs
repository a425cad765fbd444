//! Why a run left no dump: one reason, and what to do. Writes a file for a moment beside where the dumps
//! would be, to know whether the disk takes one.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// A dump is larger than what a file system keeps without a block of data.
const PROBE: [u8; 4096] = [0; 4096];

/// The reason. `was_told`: a problem of the program was told before it started.
pub(super) fn reason(prefix: &Path, was_told: bool) -> String {
    if was_told {
        return "no dump was written, as was said before the start".to_owned();
    }
    if let Err(error) = probe(prefix) {
        let directory = prefix.parent().unwrap_or(Path::new("."));
        return format!(
            "no dump was written: {} takes no file ({error}); -o names another directory",
            directory.display()
        );
    }
    "no dump was written: nothing was sampled. The program asked malloc for little (about one sample \
     comes of 512 KB; --rate 4k looks closer), or it was started without the variables that load the \
     library"
        .to_owned()
}

fn probe(prefix: &Path) -> io::Result<()> {
    let mut path = prefix.as_os_str().to_owned();
    path.push(format!(".{}.probe", std::process::id()));
    let mut file = fs::File::create_new(&path)?;
    let written = file.write_all(&PROBE);
    fs::remove_file(&path)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_words() {
        let directory =
            std::env::temp_dir().join(format!("malloscope-no-dump-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let prefix = directory.join("malloscope");
        assert!(reason(&prefix, true).ends_with("before the start"));
        assert!(reason(&prefix, false).contains("nothing was sampled"));
        fs::remove_dir(&directory).expect("it is empty");
        let nowhere = Path::new("/dev/null/malloscope");
        let said = reason(nowhere, false);
        assert!(
            said.contains("/dev/null takes no file (Not a directory"),
            "{said}"
        );
    }
}

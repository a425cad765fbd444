//! What the profiler remarked when it ran before: the `# remark` lines of the dumps that lie where the
//! next ones would go. Reads the heads of dumps.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::command::doctor::finding::Finding;

/// Dumps looked into; a person with more of them has seen it in a report.
const DUMPS: usize = 64;
/// The facts stand at the beginning of a dump.
const HEAD: u64 = 16 << 10;
/// How many remarks are shown.
const MOST: usize = 4;

/// A note for each different remark of the dumps in `directory`.
pub(crate) fn of_dumps_in(directory: &Path) -> Vec<Finding> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let dumps = entries.map(|entry| entry.path()).filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "heap")
    });
    let remarks: BTreeSet<String> = dumps
        .take(DUMPS)
        .flat_map(|dump| of_head(&head(&dump)))
        .collect();
    let note = |text| Finding::note("remarks", format!("an earlier run remarked: {text}"));
    remarks.into_iter().take(MOST).map(note).collect()
}

fn head(dump: &Path) -> String {
    let mut bytes = Vec::new();
    // What cannot be read has nothing to say.
    if let Ok(file) = File::open(dump) {
        let _ = file.take(HEAD).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_head(head: &str) -> Vec<String> {
    let facts = head.lines().take_while(|line| !line.starts_with('@'));
    let remarks = facts.filter_map(|line| line.strip_prefix("# remark "));
    remarks.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::of_head;

    #[test]
    fn only_remarks_of_the_head_are_read() {
        let dump = "heap_v2/1\n# malloscope 1\n# remark one\n# pid 3\n# remark two\n\
                    t*: 0: 0 [0: 0]\n@ 0x1\n# remark of no head\n";
        assert_eq!(of_head(dump), ["one", "two"]);
        assert!(of_head("").is_empty());
    }
}

//! The arithmetic of `benches/ratio.sh`, whose tables `docs/costs.md` quotes: intervals, verdicts, who is divided by whom.

use std::path::Path;
use std::process::Command;

#[test]
fn the_tables_of_the_benchmark_are_computed_right() {
    let ratio = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ratio");
    let run = Command::new("python3")
        .args(["-B", "test_ratio.py"])
        .current_dir(ratio)
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
}

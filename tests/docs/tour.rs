//! The reading tour of `ARCHITECTURE.md` can be read in an afternoon: it says of itself how many files and
//! lines it has at most, and it has no more.

use crate::{read, root};

/// Most files and lines, as the page says.
const MOST: (usize, usize) = (9, 2000);

/// The files of the tour, in order.
fn tour(page: &str) -> Vec<&str> {
    let text = page.split("\n## A reading tour\n").nth(1).expect("a tour");
    let section = text.split("\n## ").next().unwrap_or_default();
    let steps = section
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    steps
        .map(|step| step.split('`').nth(1).expect("a file"))
        .collect()
}

#[test]
fn the_tour_is_short() {
    let page = read(&root().join("ARCHITECTURE.md"));
    let files = tour(&page);
    let lines = |file: &&str| read(&root().join(file)).lines().count();
    let lines: Vec<usize> = files.iter().map(lines).collect();
    for (file, lines) in files.iter().zip(&lines) {
        println!("{lines:5} {file}");
    }
    let sum: usize = lines.iter().sum();
    println!("{sum:5} in {} files", files.len());
    assert!(
        files.len() >= 2 && files.len() <= MOST.0,
        "{} files",
        files.len()
    );
    assert!(sum <= MOST.1, "{sum} lines");
    assert!(page.contains("Nine files at most, 2,000 lines at most"));
}

#[test]
fn the_steps_of_a_tour_are_found() {
    let page = "a\n\n## A reading tour\n\nSome `words`:\n\n1. `a.rs`: b `c`\n2. `d.rs`\n\n## More\n\n3. `e.rs`\n";
    assert_eq!(tour(page), ["a.rs", "d.rs"]);
}

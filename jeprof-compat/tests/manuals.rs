//! The man pages and the completions of shells in `manuals`: made of the definitions of the command lines, and
//! current. `BLESS=1` writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use jeprof_compat::command::cli::Cli as Malloscope;
use jeprof_compat::command::jeprof::options::Cli as Jeprof;

const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manuals")
}

/// The page of a command, then those of its own commands.
fn pages(command: &Command, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    // clap wants names that live for ever.
    let title: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let named = command
        .clone()
        .name(title)
        .version(env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    // Without a date: the same definitions give the same bytes.
    Man::new(named).date("").render(&mut page).expect("a page");
    files.insert(format!("{name}.1"), page);
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        pages(sub, &format!("{name}-{}", sub.get_name()), files);
    }
}

fn expected() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (mut command, name) in [
        (Malloscope::command(), "malloscope"),
        (Jeprof::command(), "jeprof-compat"),
    ] {
        command.build();
        pages(&command, name, &mut files);
        for (shell, end) in SHELLS {
            let mut script = Vec::new();
            generate(shell, &mut command, name, &mut script);
            files.insert(format!("{name}.{end}"), script);
        }
    }
    files
}

#[test]
fn manuals_and_completions_are_current() {
    let expected = expected();
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(folder()).expect("the folder");
        for (name, bytes) in &expected {
            fs::write(folder().join(name), bytes).expect("a file");
        }
    }
    let entries = fs::read_dir(folder()).expect("manuals");
    let found = entries.map(|entry| {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, fs::read(path).expect("a file"))
    });
    let found: BTreeMap<String, Vec<u8>> = found.collect();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&found),
        names(&expected),
        "BLESS=1 cargo test --test manuals"
    );
    for (name, bytes) in &expected {
        assert!(
            found[name] == *bytes,
            "{name} is old: BLESS=1 cargo test --test manuals"
        );
    }
}

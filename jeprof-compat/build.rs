//! Builds the library that `malloscope` carries, and lays it where the program includes it.
//!
//! With the feature `embed`, in an optimised build, cargo is run once more for `preload`, with a target
//! directory of its own: the library must share no features with the companion's dependencies, and the
//! outer cargo holds the lock of its own directory. `MALLOSCOPE_EMBED=FILE` names a library instead. In
//! every other case the program carries nothing, and looks for the library beside itself.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAME: &str = "libmalloscope.so";
/// What the library is made of, from the workspace.
const SOURCES: [&str; 5] = [
    "src",
    "preload",
    "profile-format/src",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MALLOSCOPE_EMBED");
    let out = PathBuf::from(variable("OUT_DIR"));
    let carried = out.join(NAME);
    let wanted = env::var_os("CARGO_FEATURE_EMBED").is_some();
    let library = match env::var_os("MALLOSCOPE_EMBED") {
        Some(given) if wanted => {
            println!("cargo::rerun-if-changed={}", given.display());
            Some(PathBuf::from(given))
        }
        None if wanted && variable("OPT_LEVEL") != "0" => built(&out),
        _ => None,
    };
    let written = match library {
        Some(library) => fs::copy(&library, &carried).map(|_| ()),
        None => fs::write(&carried, []),
    };
    if let Err(error) = written {
        panic!("{}: {error}", carried.display());
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// The library, built by a second cargo. `None` where the workspace is not there.
fn built(out: &Path) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let manifest = workspace.join("preload/Cargo.toml");
    if !manifest.is_file() {
        println!("cargo::warning=no library is carried: its sources are not here");
        return None;
    }
    for source in SOURCES {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    let (target, directory) = (variable("TARGET"), out.join("preload"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "dist",
            "--target",
            &target,
        ])
        .arg("--target-dir")
        .arg(&directory)
        .arg("--manifest-path")
        .arg(&manifest);
    // Flags for the companion, above all a static libc, are not for a shared library.
    let ours = |name: &str| name.starts_with("CARGO_FEATURE_") || name.starts_with("CARGO_CFG_");
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ours(&text) || text == "RUSTFLAGS" || text == "CARGO_ENCODED_RUSTFLAGS" {
            cargo.env_remove(&name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => Some(directory.join(target).join("dist").join(NAME)),
        Ok(status) => panic!("the library was not built: {status}"),
        Err(error) => panic!("cargo does not start: {error}"),
    }
}

//! A file for a person to look at: shown by a program of the desktop, or named where there is none.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::console::say;

/// Programs that show pictures and pages, the desktop's own choice first.
pub(super) const BROWSERS: [&str; 6] = [
    "/etc/alternatives/gnome-www-browser",
    "/etc/alternatives/x-www-browser",
    "xdg-open",
    "google-chrome",
    "chromium",
    "firefox",
];

/// Writes a file beside the other temporary ones and shows it with the first program that is there.
pub(super) fn show(bytes: &[u8], end: &str, viewers: &[&str]) -> Result<()> {
    let folder = env::temp_dir();
    let number = |n: u32| folder.join(format!("jeprof{}.{n}.{end}", std::process::id()));
    let file = (0..).map(number).find(|file| !file.exists());
    let file = file.context("no name is free")?;
    fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    // Without a screen a viewer would only say so.
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    let viewer = viewers
        .iter()
        .find_map(|name| find(name))
        .filter(|_| has_screen);
    let Some(viewer) = viewer else {
        say(&format!(
            "Wrote {}: no viewer is here ({})",
            file.display(),
            viewers.join(", ")
        ));
        return Ok(());
    };
    say(&format!("Starting {} {}", viewer.display(), file.display()));
    let mut command = Command::new(&viewer);
    let started = command
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.with_context(|| viewer.display().to_string())?;
    Ok(())
}

fn find(name: &str) -> Option<PathBuf> {
    if name.starts_with('/') {
        return Path::new(name).exists().then(|| name.into());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

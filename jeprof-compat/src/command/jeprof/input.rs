//! What the arguments of `jeprof-compat` are: a program and its profiles, profiles that need none, or hosts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::options::Cli;
use super::remote::Host;
use crate::command::console::say;
use crate::command::load::Loaded;
use crate::command::places;
use crate::profile::read;
use crate::symbolize::Locator;

/// Sorted arguments.
#[derive(Debug, Default)]
pub struct Input {
    /// The program that ran.
    pub program: Option<PathBuf>,
    /// Its profiles.
    pub profiles: Vec<PathBuf>,
    /// Servers that are asked for a profile, and have the names of its addresses.
    pub hosts: Vec<Host>,
}

impl Input {
    /// As `jeprof` has it, the first argument is the program unless it is a profile or a host; `None` where
    /// the profiles are missing.
    pub fn of(files: &[PathBuf]) -> Option<Input> {
        let mut input = Input::default();
        let mut rest = files.iter();
        let first = files.first()?;
        let is_profile = first.as_os_str() == "-" || read::is_profile(first) == Some(true);
        let is_host = Host::machines(first).iter().any(|m| Host::of(m).is_some());
        if !is_profile && !is_host {
            input.program = rest.next().cloned();
        } else if files.len() > 1 && is_profile {
            say("no program is given: names come from the files that the profiles name");
        }
        for file in rest.flat_map(|file| Host::machines(file)) {
            match Host::of(&file) {
                Some(host) => input.hosts.push(host),
                None => input.profiles.push(file),
            }
        }
        (!input.profiles.is_empty() || !input.hosts.is_empty()).then_some(input)
    }

    /// Where names are to be found.
    pub fn locator(&self, cli: &Cli) -> Locator {
        let is_program = |program: &&PathBuf| fs::metadata(program).is_ok();
        Locator {
            program: self.program.as_ref().filter(is_program).cloned(),
            libraries: cli.add_lib.iter().cloned().collect(),
            roots: cli.lib_prefix.clone(),
            watch: match cli.debug {
                true => Some(|path, _, _| say(path)),
                false => places::watch(),
            },
            ..Locator::default()
        }
    }

    /// Fetches, reads and names all of it.
    pub fn load(mut self, cli: &Cli) -> Result<(Loaded, String)> {
        if let Some(program) = &self.program {
            fs::metadata(program).with_context(|| program.display().to_string())?;
        }
        for host in &self.hosts {
            self.profiles.push(host.fetch(cli.seconds)?);
        }
        let locator = self.locator(cli);
        // Who names a program has its names.
        let first = self.hosts.first().filter(|_| self.program.is_none());
        let name = |profile: &mut _| match first {
            Some(host) => host.name(profile),
            None => Ok(()),
        };
        let loaded = Loaded::load_named(&self.profiles, cli.base.as_deref(), &locator, &name)?;
        let program = match (&self.program, first) {
            (Some(program), _) => program.display().to_string(),
            (None, Some(host)) => host.program().unwrap_or_default(),
            (None, None) => loaded.program().to_owned(),
        };
        Ok((loaded, program))
    }

    /// The one profile of `--raw`.
    pub fn one(&self) -> Result<&Path> {
        match (&self.profiles[..], &self.hosts[..]) {
            ([file], []) => Ok(file),
            _ => bail!("--raw takes one profile"),
        }
    }
}

//! `malloscope env`: what to write where a program is started by something else than a person: into a
//! shell, a Dockerfile, a systemd unit, a Kubernetes manifest.
//!
//! It only prints. The variables go to one program, and their values are quoted for the language
//! that they are written in.

mod form;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::command::launch::environment::Wishes;
use form::Start;

/// Print what switches the profiler on in a Dockerfile, a systemd unit, a Kubernetes manifest
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What it is for
    #[arg(value_enum, default_value_t = Form::Shell)]
    form: Form,
    /// Where the library will be on the machine, or in the container
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/local/lib/libmalloscope.so"
    )]
    library: PathBuf,
    /// Where the dumps go
    #[arg(short, long, value_name = "DIR", default_value = "/var/lib/malloscope")]
    output: PathBuf,
    #[command(flatten)]
    wishes: Wishes,
    /// Profile only processes of these names, as in "java|worker": shells, probes and sidecars sleep
    #[arg(long, value_name = "NAMES")]
    only: Option<String>,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

/// The languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Docker,
    Systemd,
    K8s,
    Shell,
}

/// Prints; the answer is the exit code.
pub fn env(args: &Args) -> u8 {
    match text(args) {
        Ok(text) => {
            // A reader that went away has seen enough.
            let _ = io::stdout().write_all(text.as_bytes());
            0
        }
        Err(error) => {
            let _ = io::stderr().write_all(format!("malloscope: {error}\n").as_bytes());
            1
        }
    }
}

fn text(args: &Args) -> Result<String, String> {
    let library = plain(&args.library, &[' ', ':'])?;
    let directory = plain(&args.output, &[','])?;
    let mut configuration = args.wishes.service(&directory);
    if let Some(names) = &args.only {
        if names.contains([',', '/']) || names.is_empty() {
            return Err(format!(
                "{names:?}: names without directories, with | between them"
            ));
        }
        configuration += &format!(",prof_program:{names}");
    }
    // systemd starts nothing by a path from where it happens to be.
    let first = args
        .command
        .first()
        .filter(|_| matches!(args.form, Form::Systemd));
    if let Some(program) = first.filter(|word| word.contains('/') && !word.starts_with('/')) {
        return Err(format!("{program:?} is no absolute path"));
    }
    let start = Start {
        configuration,
        library,
        directory,
        command: args.command.clone(),
    };
    Ok(match args.form {
        Form::Docker => form::docker(&start),
        Form::Systemd => form::systemd(&start),
        Form::K8s => form::kubernetes(&start),
        Form::Shell => form::shell(&start),
    })
}

/// An absolute path without the characters that end it in the variable it goes into.
fn plain(path: &std::path::Path, forbidden: &[char]) -> Result<String, String> {
    let shown = path.display().to_string();
    let text = path.to_str().filter(|text| text.starts_with('/'));
    let bad = |c: char| c.is_control() || forbidden.contains(&c);
    match text {
        Some(text) if !text.contains(bad) => Ok(text.to_owned()),
        Some(_) => Err(format!("there may be none of {forbidden:?} in {shown:?}")),
        None => Err(format!("{shown:?} is no absolute path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn printed(arguments: &[&str]) -> Result<String, String> {
        let all = ["env"].iter().chain(arguments);
        text(&Cli::try_parse_from(all).expect("arguments").args)
    }

    #[test]
    fn wishes_and_places_are_in_the_variables() {
        let shell = printed(&[
            "--every=30s",
            "-o",
            "/d",
            "--library=/l.so",
            "--",
            "a",
            "b c",
        ]);
        assert_eq!(
            shell.unwrap(),
            "mkdir -p /d\n\
             LD_PRELOAD=/l.so${LD_PRELOAD:+:$LD_PRELOAD} \\\n\
             MALLOSCOPE_CONF=prof:true,prof_final:true,lg_prof_sample:auto,prof_gdump:true,prof_keep:64,\
             prof_timer:600,prof_memory_limit:90,prof_control:true,prof_sys_thread_name:true,prof_prefix:/d/malloscope,\
             prof_timer:30 \\\n\
             exec a 'b c'\n"
        );
    }

    #[test]
    fn what_the_loader_or_the_grammar_would_split_is_refused() {
        assert!(printed(&["--library=/a b.so"]).is_err());
        assert!(printed(&["-o", "/a,b"]).is_err());
        assert!(printed(&["-o", "a"]).unwrap_err().contains("absolute"));
        assert!(printed(&["-o", "/a\nb"]).is_err());
        assert!(printed(&["--only", "/usr/bin/java"]).is_err());
        assert!(
            printed(&["systemd", "--", "./a", "3"])
                .unwrap_err()
                .contains("absolute")
        );
        assert!(printed(&["systemd", "--", "a", "./b"]).is_ok() && printed(&["--", "./a"]).is_ok());
    }

    #[test]
    fn only_processes_of_a_name_are_profiled_on_request() {
        for form in ["shell", "docker", "systemd", "k8s"] {
            let text = printed(&[form, "--only=java|worker"]).expect("a text");
            assert!(text.contains(",prof_program:java|worker"), "{text}");
        }
    }
}

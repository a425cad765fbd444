//! Whose dumps they are, beyond what they say themselves: what a user adds for engines that hold those of many
//! processes.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::view::format::rows::{COLUMNS, Origin};

/// What stands in every line beyond what the dump says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Labels {
    /// The name of the service [default: OTEL_SERVICE_NAME, else the program's]
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// What else tells whose it is, as in pod=web-1; may be given often
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
}

/// `pod=web-1`.
fn pair(text: &str) -> Result<(String, String), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && name.chars().all(is_word) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("NAME=VALUE, with letters, digits and _ in NAME".to_owned()),
    }
}

impl Labels {
    /// Whether the command line has any of it.
    pub(crate) fn is_given(&self) -> bool {
        self.service.is_some() || !self.labels.is_empty()
    }

    /// The name of the service, where one was given.
    pub(crate) fn service(&self) -> Option<String> {
        let inherited = || std::env::var("OTEL_SERVICE_NAME").ok();
        let given = self.service.clone().or_else(inherited);
        given.filter(|name| !name.is_empty())
    }

    /// As columns.
    pub(crate) fn origin(&self) -> Result<Origin> {
        let labels: BTreeMap<String, String> = self.labels.iter().cloned().collect();
        if let Some(taken) = COLUMNS.iter().find(|name| labels.contains_key(**name)) {
            bail!("every line has a {taken} already: give the label another name");
        }
        Ok(Origin {
            service: self.service().unwrap_or_default(),
            labels,
        })
    }
}

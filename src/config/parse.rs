//! The grammar of a conf string, and what options imply for each other.
//!
//! Source: jemalloc 5.3.0, `malloc_conf_next` and `malloc_conf_init_helper` in `jemalloc.c`.

use super::Source;
use super::message::{self, Message};
use super::table::{Config, set_option};
use super::value::{Fault, Rate, Text};

/// One step of reading a conf string.
enum Next<'a> {
    Pair {
        key: &'a [u8],
        value: &'a [u8],
        comma_at_end: bool,
    },
    Stop(Option<Message<'a>>),
}

/// Takes the first pair off `text`.
fn next_pair<'a>(text: &mut &'a [u8]) -> Next<'a> {
    let whole = *text;
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = whole
        .iter()
        .position(|byte| !is_key(byte))
        .unwrap_or(whole.len());
    let (key, rest) = whole.split_at_checked(end).unwrap_or((whole, &[]));
    let value = match rest.split_first() {
        Some((b':', value)) => value,
        Some(_) => return Next::Stop(Some(Message::Malformed)),
        None if key.is_empty() => return Next::Stop(None),
        None => return Next::Stop(Some(Message::EndsWithKey)),
    };
    let mut parts = value.splitn(2, |&byte| byte == b',');
    let value = parts.next().unwrap_or_default();
    let rest = parts.next();
    *text = rest.unwrap_or_default();
    Next::Pair {
        key,
        value,
        comma_at_end: rest.is_some_and(<[u8]>::is_empty),
    }
}

/// Is `key` an option of ours?
fn is_ours(source: Source, key: &[u8]) -> bool {
    source == Source::MalloscopeConf
        || key.starts_with(b"prof")
        || key.starts_with(b"lg_prof")
        || [&b"confirm_conf"[..], b"abort_conf", b"abort"].contains(&key)
}

fn set<'a>(config: &mut Config, key: &'a [u8], value: &'a [u8]) -> Message<'a> {
    match set_option(config, key, value) {
        None => Message::InvalidPair { key, value },
        Some(Ok(())) => Message::Set { key, value },
        Some(Err(Fault::Invalid)) => Message::InvalidValue { key, value },
        Some(Err(Fault::OutOfRange)) => Message::OutOfRange { key, value },
        Some(Err(Fault::Refused(instead))) => Message::Refused { key, instead },
    }
}

/// Reads `text` on top of what `config` holds. All messages go to `report`, in the order of the
/// string.
pub fn parse(
    source: Source,
    text: &[u8],
    config: &mut Config,
    report: &mut dyn FnMut(Message<'_>),
) {
    if source == Source::MallocConf && config.is_default_prefix() {
        config.prof_prefix = Text::new("jeprof\0");
    }
    if source == Source::MallocConf {
        config.lg_prof_sample = Rate::Fixed(19);
    }
    // As with jemalloc, confirm_conf holds for the whole string, wherever in the string it is.
    each_pair(source, text, &mut |key, value| {
        if key == b"confirm_conf" {
            set(config, key, value);
        }
    });
    let confirm = config.confirm_conf;
    if confirm {
        report(Message::Source { source, text });
    }
    let stop = each_pair(source, text, &mut |key, value| {
        let message = set(config, key, value);
        if confirm || !matches!(message, Message::Set { .. }) {
            report(message);
        }
    });
    if let Some(message) = stop {
        report(message);
    }
}

/// Calls `f` for each pair that is ours; returns what is wrong with the form of the string.
fn each_pair<'a>(
    source: Source,
    text: &'a [u8],
    f: &mut dyn FnMut(&'a [u8], &'a [u8]),
) -> Option<Message<'a>> {
    let mut rest = text;
    loop {
        match next_pair(&mut rest) {
            Next::Stop(message) => return message,
            Next::Pair {
                key,
                value,
                comma_at_end,
            } => {
                if is_ours(source, key) {
                    f(key, value);
                }
                if comma_at_end {
                    return Some(Message::EndsWithComma);
                }
            }
        }
    }
}

/// What options imply for each other, once all are read.
pub fn settle(config: &mut Config, report: &mut dyn FnMut(Message<'_>)) {
    config.prof_leak |= config.prof_leak_error;
    config.prof_final_all |= config.prof_leak;
    if config.prof_leak && !config.prof {
        // As with jemalloc: only the leak report, without the dumps on the way.
        config.prof = true;
        config.prof_gdump = false;
        config.lg_prof_interval = -1;
    }
    if config.prof_leak_error && !config.prof_final {
        report(Message::LeakErrorWithoutFinal);
    }
}

/// Reads the configuration from the two variables, on top of what `config` holds. `malloc_conf`
/// counts only where ours is unset. Errors are printed; with `abort_conf` they end the program.
pub fn load(config: &mut Config, malloscope_conf: Option<&[u8]>, malloc_conf: Option<&[u8]>) {
    let mut wrong = false;
    let mut report = |message: Message<'_>| {
        wrong |= message.is_error();
        message.print();
    };
    let ours = malloscope_conf.map(|text| (Source::MalloscopeConf, text));
    let theirs = malloc_conf.map(|text| (Source::MallocConf, text));
    if let Some((source, text)) = ours.or(theirs) {
        parse(source, text, config, &mut report);
    }
    settle(config, &mut report);
    if wrong && config.abort_conf {
        message::abort();
    }
}

//! Why a verdict is what it is, as the half of a sentence behind "because". Pure.

use crate::analysis::suspects::{Born, Case, Judged, Judgement, Reason};
use crate::figures::words;

/// The reason of a judgement.
pub fn reason(judgement: &Judgement) -> String {
    let text = of(&judgement.reason);
    match judgement.chance_among {
        Some(tested) => format!("{text}; among {tested} paths tested this may be chance"),
        None => text,
    }
}

/// `of what is older than 8 min nothing was freed in the 10 min watched`.
pub fn horizon(case: &Case<'_>, judged: &Judged) -> String {
    let j = &judged.judgement;
    if matches!(j.reason, Reason::Climbs { .. }) {
        return of(&j.reason);
    }
    watched(j.window.age, j.survival.deaths, case.horizon.watched)
}

fn watched(age: f64, deaths: u64, run: f64) -> String {
    let freed = match deaths {
        0 => "nothing was freed".to_owned(),
        1 => "only one sample was freed".to_owned(),
        n => format!("only {n} samples were freed"),
    };
    format!(
        "of what is older than {} {freed} in the {} watched",
        words::duration(age),
        words::duration(run)
    )
}

/// With a capital.
pub fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn of(reason: &Reason) -> String {
    match *reason {
        Reason::FewLive { all, worth } => format!(
            "only {} live{}",
            words::count(all, "sample"),
            of_worth(all, worth)
        ),
        Reason::Old { old, all, warm_up } => format!(
            "{old} of {} come from the first {}, and few were added later",
            words::count(all, "live sample"),
            words::duration(warm_up)
        ),
        Reason::Young {
            young,
            all,
            deaths,
            age,
        } => format!(
            "{} were freed, and {young} of {} are younger than {}",
            words::count(deaths, "sample"),
            words::count(all, "live one"),
            words::duration(age)
        ),
        Reason::FewMature { mature, worth, age } => format!(
            "only {} from after the warm-up older than {}{}",
            words::count(mature, "sample"),
            words::duration(age),
            of_worth(mature, worth)
        ),
        Reason::Bursts {
            mature,
            events,
            is_kept: true,
        } => format!(
            "nothing of it was ever freed; it grows with the traffic: its {} came in bursts, worth {events:.0} \
             independent events",
            words::count(mature, "mature sample")
        ),
        Reason::Bursts { mature, events, .. } => format!(
            "its {} came in bursts, worth {events:.0} independent events: too few to say that it goes on",
            words::count(mature, "mature sample")
        ),
        Reason::Dying {
            age,
            life,
            deaths,
            collapses,
        } => dying(age, life, deaths, collapses),
        Reason::Falling { plateau, has_ended } => falling(plateau, has_ended),
        Reason::Staying {
            born,
            is_rising,
            age,
            deaths,
        } => staying(&born, is_rising, age, deaths),
        Reason::Climbs {
            from,
            to,
            rises,
            last,
            is_inside,
            is_kept,
        } => climbs((from, to), (rises, last), is_inside, is_kept),
        Reason::Near {
            age,
            deaths,
            watched,
            cycle,
            needed,
        } => near((age, deaths, watched), cycle, needed),
        Reason::Uncollected { seconds } => format!(
            "what JavaScript held is freed only after a collection of its whole heap, and there was none in the \
             last {}",
            words::duration(seconds)
        ),
        Reason::WarmsUp => {
            "the JVM compiles what runs often, and what its compilers hold ends with that"
                .to_owned()
        }
        Reason::Unseen { seconds } => format!(
            "it may be garbage: there was no collection in the last {}",
            words::duration(seconds)
        ),
        Reason::Open { born, deaths } => open(&born, deaths),
    }
}

/// What so many samples are worth, where that is clearly less.
fn of_worth(samples: u64, worth: f64) -> String {
    match samples as f64 > 1.2 * worth.max(1.0) {
        true => format!(", so unequal that they are worth {worth:.0}"),
        false => String::new(),
    }
}

fn dying(age: f64, life: f64, deaths: u64, collapses: usize) -> String {
    let how = match collapses {
        0 => String::new(),
        1 => ", once most of it at one time".to_owned(),
        n => format!(", {n} times most of it at one time"),
    };
    format!(
        "what is older than {} is freed too, after another {} on average ({}){how}",
        words::duration(age),
        words::duration(life),
        words::count(deaths, "death"),
    )
}

fn falling(plateau: f64, has_ended: bool) -> String {
    let how = match has_ended {
        true => "has all but stopped",
        false => "is slowing down",
    };
    format!(
        "growth {how}: fewer and fewer of the live blocks are recent; would level off at about {}",
        words::bytes(plateau)
    )
}

fn born(born: &Born) -> String {
    format!(
        "{} born between {} and {}",
        words::count(born.samples, "sample"),
        words::duration(born.from),
        words::duration(born.to)
    )
}

fn staying(of: &Born, is_rising: bool, age: f64, deaths: u64) -> String {
    let spread = match is_rising {
        true => "they come faster and faster",
        false => "they came evenly",
    };
    let age = words::duration(age);
    let deaths = match deaths {
        0 => format!("none that grew older than {age} was ever freed"),
        1 => format!("only one that grew older than {age} was freed"),
        n => format!("only {n} that grew older than {age} were freed"),
    };
    format!("{} are live, {spread}, and {deaths}", born(of))
}

fn climbs(
    (from, to): (f64, f64),
    (rises, last): (usize, f64),
    is_inside: bool,
    is_kept: bool,
) -> String {
    let how = match (is_inside, is_kept) {
        (true, _) => "the blocks become bigger and bigger, as those of a container do".to_owned(),
        (false, true) => "nothing of it was ever freed; it grows with the traffic".to_owned(),
        (false, false) => "what comes is more than what is freed".to_owned(),
    };
    format!(
        "what is live rose from {} to {} in the last two thirds of the run, the last time at {} ({} in all), and \
         never came back: {how}",
        words::bytes(from),
        words::bytes(to),
        words::duration(last),
        words::count(rises as u64, "rise")
    )
}

fn near((age, deaths, run): (f64, u64, f64), cycle: f64, needed: f64) -> String {
    let why = match needed > 3.0 * cycle {
        true => "asked for is an age".to_owned(),
        false => format!(
            "the slowest cycle of the program takes {}, and a leak must outlive three: it must be watched to an age",
            words::duration(cycle)
        ),
    };
    format!(
        "{}, but {why} of {}",
        watched(age, deaths, run),
        words::duration(needed)
    )
}

fn open(of: &Born, deaths: Option<u64>) -> String {
    match deaths {
        Some(deaths) => format!(
            "{} are live, but {deaths} older ones were freed: it may level off",
            born(of)
        ),
        None => format!("{} are live, too few yet to know that they stay", born(of)),
    }
}

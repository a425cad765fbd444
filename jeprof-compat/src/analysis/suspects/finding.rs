//! What can be said of a call path: a verdict, and the reason for it in figures. `verdict` decides, and
//! `view::sentences` puts it into words. Pure.

use serde::Serialize;

/// What is said of a call path, or of the whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Old memory grows steadily and none of it dies.
    Leak,
    /// It grows, and may be a cache that still fills.
    Growing,
    /// It has stopped to grow.
    Bounded,
    /// What is born dies.
    Churn,
    /// Nothing can be said yet.
    TooFew,
    /// No leak above the floor of detection: of a process alone.
    #[default]
    NoLeak,
}

impl Verdict {
    /// The word on the card.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Leak => "LEAK",
            Verdict::Growing => "GROWING",
            Verdict::Bounded => "BOUNDED",
            Verdict::Churn => "CHURN",
            Verdict::TooFew => "TOO FEW SAMPLES",
            Verdict::NoLeak => "NO LEAK VISIBLE",
        }
    }

    /// The name in JSON and in CSS classes.
    pub fn class(self) -> &'static str {
        match self {
            Verdict::Leak => "leak",
            Verdict::Growing => "growing",
            Verdict::Bounded => "bounded",
            Verdict::Churn => "churn",
            Verdict::TooFew => "too-few",
            Verdict::NoLeak => "no-leak",
        }
    }

    /// It grows, for certain a leak or not.
    pub fn is_growth(self) -> bool {
        matches!(self, Verdict::Leak | Verdict::Growing)
    }
}

/// Mature samples, and the seconds between which they were born.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Born {
    /// How many.
    pub samples: u64,
    /// Beginning of the window.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

/// Why a verdict is what it is, in figures. Ages and times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Hardly any sample is live.
    FewLive {
        /// Live samples.
        all: u64,
        /// How many equal ones they are worth.
        worth: f64,
    },
    /// Most samples are from the warm-up, and few were added later.
    Old {
        /// Samples from the warm-up.
        old: u64,
        /// Live samples.
        all: u64,
        /// When the warm-up ended.
        warm_up: f64,
    },
    /// Many samples were freed, and most of the live ones are young.
    Young {
        /// Samples that are not mature.
        young: u64,
        /// Live samples.
        all: u64,
        /// Samples that were freed.
        deaths: u64,
        /// The age from which on a sample is mature.
        age: f64,
    },
    /// Too few samples are mature.
    FewMature {
        /// Mature samples.
        mature: u64,
        /// How many equal ones they are worth.
        worth: f64,
        /// The age from which on a sample is mature.
        age: f64,
    },
    /// Births came in bursts.
    Bursts {
        /// Mature samples.
        mature: u64,
        /// The number of independent events that they are worth.
        events: f64,
        /// Nothing of the place was ever freed.
        is_kept: bool,
    },
    /// Mature samples are freed too.
    Dying {
        /// The age from which on a sample is mature.
        age: f64,
        /// The mean life from then on.
        life: f64,
        /// Mature samples that were freed.
        deaths: u64,
        /// How often most were freed at one time.
        collapses: usize,
    },
    /// Births become fewer.
    Falling {
        /// Live bytes at which growth would end.
        plateau: f64,
        /// It has all but ended; else it slows down.
        has_ended: bool,
    },
    /// Samples come and stay.
    Staying {
        /// The mature ones.
        born: Born,
        /// They come faster and faster; else evenly.
        is_rising: bool,
        /// The age from which on a sample is mature.
        age: f64,
        /// Mature samples that were freed.
        deaths: u64,
    },
    /// Its live bytes climb over the dumps.
    Climbs {
        /// Bytes live when the first third of the run was over.
        from: f64,
        /// Bytes live now.
        to: f64,
        /// How often they rose above all before.
        rises: usize,
        /// When they did so last.
        last: f64,
        /// The blocks become bigger; else there are more of them.
        is_inside: bool,
        /// Nothing of the place was ever freed, but for containers.
        is_kept: bool,
    },
    /// It would be a leak, had it been watched for longer.
    Near {
        /// The age from which on a sample is mature.
        age: f64,
        /// Mature samples that were freed.
        deaths: u64,
        /// How long was watched.
        watched: f64,
        /// The slowest cycle that was seen at any place.
        cycle: f64,
        /// The age that a leak must have reached.
        needed: f64,
    },
    /// It would be a leak, but the collector has not looked since.
    Uncollected {
        /// Seconds since the last collection, or the whole run.
        seconds: f64,
    },
    /// Compilers of a runtime hold it while a program warms up.
    WarmsUp,
    /// It grows, but no collection has looked for most of the run.
    Unseen {
        /// For so many seconds.
        seconds: f64,
    },
    /// Samples are live, and whether they stay is open.
    Open {
        /// The mature ones.
        born: Born,
        /// Mature samples that were freed, where they are many.
        deaths: Option<u64>,
    },
}

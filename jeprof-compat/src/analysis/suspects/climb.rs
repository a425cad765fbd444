//! Growth that the ages of blocks do not show: the live bytes of a place over the dumps. Pure.
//!
//! # Derivation
//! A container that is full frees its block for a bigger one, and realloc makes one block bigger: what is
//! live is young or few, and no cohort of it stays. But its live bytes climb. A heap that only breathes
//! comes back to the same low points: whatever its cycle, as long as that ends within a third of the run,
//! the lowest point of the second third and that of the last are the same, but for the sampling. So a place
//! climbs when the low point rises, by more than three standard errors of the sampling ([`CERTAIN`]) and by
//! no less than [`LEAST`] of what is live, when no peak falls, and when what it falls by on the way is less
//! than a third of the rise; what never falls has no cycle, and is taken from its first point to its last.
//! The errors of both points are added, though samples that are live at both bring
//! none: it is the error of blocks that were all freed and allocated anew.
//!
//! What rose for the last time in the first half of the run has stopped: a container that doubles when it is
//! full does so once more in the second, if what comes does not end.
//!
//! That a place climbs does not say that it goes on. It *goes on* when it rose at least [`RISES`] times, and
//! when it rose in the last third at least half as fast as in the second. A container that did not rise there at
//! all is no slower: its next step is larger than all that it has.
//!
//! Whether it *has ended* is told by the same two thirds: a cache that fills does so at a rate that falls
//! exponentially. It has when the rate is certainly less than half, and all that is to come is less than a tenth
//! ([`ENDED`]) of what is live. Nothing was freed on the way, so both are Poisson counts of what a sample stands for.
//! It is asked where births tell no trend: on a machine that stops the program again and again they come in bursts.
//!
//! How much of it is growth inside of blocks is what the mean size of the blocks grew by, times their number:
//! churn that is older than the run climbs too, by ever more blocks of the same size.

use super::cohort::Rate;

/// A process that was watched for so many seconds has only started.
const LEAST_RUN: f64 = 1.0;

/// Standard errors of a rise that is no chance.
const CERTAIN: f64 = 3.0;

/// Share of what is live that a rise from one third of the run to the next must be.
const LEAST: f64 = 0.05;

/// Bytes that it must be in any case.
const LEAST_BYTES: f64 = 16_384.0;

/// Rises without which nothing is said of whether it goes on.
const RISES: usize = 4;

/// Share of a growth that must be blocks becoming bigger, to be that of containers.
pub const INSIDE: f64 = 0.5;

/// Standard errors of one rise of several.
const RISE: f64 = 2.0;

/// What would still come is less than this share of what is live: it has ended.
pub const ENDED: f64 = 0.1;

/// What was live at one place at one dump.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Seconds since the start.
    pub at: f64,
    /// Live bytes.
    pub bytes: f64,
    /// Their variance.
    pub variance: f64,
    /// Live blocks.
    pub blocks: f64,
}

/// How it climbed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Climb {
    /// Bytes a second.
    pub rate: Rate,
    /// Bytes live at the begin of the second third of the run.
    pub from: f64,
    /// At the last dump.
    pub to: f64,
    /// How often it rose above all that was before.
    pub rises: usize,
    /// When it did so last.
    pub last: f64,
    /// The part of the growth that is blocks becoming bigger, 0 to 1.
    pub in_blocks: f64,
    /// Whether it goes on, as far as the run can tell.
    pub goes_on: bool,
    /// Where it would level off, when it has all but ended.
    pub plateau: Option<f64>,
    /// Whether it rose in the last third less than half as much as in the second.
    pub slows: bool,
}

/// Share of the run that is a moment: so long a container may hold its old block beside the new one.
const MOMENT: f64 = 0.04;

/// What was held for more than a moment: each point no higher than the next ones.
fn settled(points: &[Point], run: f64) -> Vec<Point> {
    let lowest = |(at, point): (usize, &Point)| {
        let soon = points[at..].iter();
        let soon = soon.take_while(|next| next.at <= point.at + MOMENT * run);
        let least = soon.min_by(|a, b| a.bytes.total_cmp(&b.bytes));
        Point {
            at: point.at,
            ..*least.unwrap_or(point)
        }
    };
    points.iter().enumerate().map(lowest).collect()
}

impl Climb {
    /// Of points by time, in a run of so many seconds; `None` when it does not climb.
    pub fn of(points: &[Point], run: f64) -> Option<Climb> {
        if run < LEAST_RUN {
            return None;
        }
        let points = &settled(points, run)[..];
        let last = points.last()?;
        let part = |from: f64, to: f64| -> Vec<Point> {
            let inside = |p: &&Point| p.at >= from * run && p.at <= to * run;
            points.iter().filter(inside).copied().collect()
        };
        // The dump at two thirds ends the second, and so the third begins behind it.
        let (second, third) = (part(1.0 / 3.0, 2.0 / 3.0), part(0.6667, f64::INFINITY));
        let (low, high) = (lowest(&second)?, lowest(&third)?);
        let late = part(1.0 / 3.0, f64::INFINITY);
        let falls = falls(&late);
        // What never falls has no cycle, and its last step may be behind the lowest point of the third.
        let (low, high) = match falls > 0.0 {
            true => (low, high),
            false => (*late.first()?, *last),
        };
        let rise = high.bytes - low.bytes;
        let error = (low.variance + high.variance).sqrt();
        let least = (LEAST * high.bytes).max(LEAST_BYTES).max(CERTAIN * error);
        let peak_falls = highest(&third)? < highest(&second)? - RISE * error;
        if rise < least || falls > rise / 3.0 || peak_falls {
            return None;
        }
        let (rises, at) = rises(points);
        if at < run / 2.0 {
            return None;
        }
        let early = Step::between(second.first()?, second.last()?);
        let later = Step::between(second.last()?, last);
        let in_blocks = in_blocks(late.first()?, last);
        let is_waiting = in_blocks >= INSIDE && !has_rise(&third);
        let slows = later.rate() < early.rate() / 2.0 && !is_waiting;
        Some(Climb {
            rate: rate(&late, (rise - 1.96 * error) / (high.at - low.at), rises),
            from: late.first()?.bytes,
            to: last.bytes,
            rises,
            last: at,
            in_blocks,
            goes_on: rises >= RISES && !slows,
            plateau: early
                .plateau(&later, last)
                .filter(|_| falls == 0.0 && !is_waiting),
            slows,
        })
    }
}

/// The growth from one point to a later one.
struct Step {
    bytes: f64,
    seconds: f64,
}

impl Step {
    fn between(from: &Point, to: &Point) -> Step {
        Step {
            bytes: (to.bytes - from.bytes).max(0.0),
            seconds: (to.at - from.at).max(0.001),
        }
    }

    fn rate(&self) -> f64 {
        self.bytes / self.seconds
    }

    /// Where what grew by this and then by `later` levels off, if that has all but ended.
    fn plateau(&self, later: &Step, last: &Point) -> Option<f64> {
        let weight = last.variance / last.bytes;
        let error = |step: &Step| RISE * (step.bytes * weight).sqrt();
        // Of no samples at all there may have been three.
        let most = (later.bytes + error(later) + 3.0 * weight) / later.seconds;
        let least = (self.bytes - error(self)) / self.seconds;
        let falls = (self.rate() / later.rate().max(1.0)).ln();
        let tau = (self.seconds + later.seconds) / 2.0 / falls;
        let rest = later.rate() * (-later.seconds / 2.0 / tau).exp() * tau;
        (2.0 * most < least && rest < ENDED * last.bytes).then_some(last.bytes + rest)
    }
}

/// Whether the low points of the second and the last third are the same, and known well enough to say so.
pub fn is_flat(points: &[Point], run: f64) -> bool {
    let points = &settled(points, run)[..];
    let part = |from: f64, to: f64| -> Vec<Point> {
        let inside = |p: &&Point| p.at >= from * run && p.at <= to * run;
        points.iter().filter(inside).copied().collect()
    };
    let (second, third) = (part(1.0 / 3.0, 2.0 / 3.0), part(0.6667, f64::INFINITY));
    let (Some(low), Some(high)) = (lowest(&second), lowest(&third)) else {
        return false;
    };
    // Nearly all samples of a flat heap are live at both, so the error of the difference is far less.
    let rise = high.bytes - low.bytes;
    second.len() > 1 && high.variance.sqrt() < 0.25 * high.bytes && rise.abs() < 0.02 * high.bytes
}

fn lowest(points: &[Point]) -> Option<Point> {
    let low = |a: &&Point, b: &&Point| a.bytes.total_cmp(&b.bytes);
    points.iter().min_by(low).copied()
}

fn highest(points: &[Point]) -> Option<f64> {
    points.iter().map(|p| p.bytes).reduce(f64::max)
}

/// Bytes that it fell by in all, beyond what the sampling may make of it.
fn falls(points: &[Point]) -> f64 {
    let fall = |pair: &[Point]| {
        let error = (pair[0].variance + pair[1].variance).sqrt();
        (pair[0].bytes - pair[1].bytes - RISE * error).max(0.0)
    };
    points.windows(2).map(fall).sum()
}

/// How often it rose above all before, and when it did last.
fn rises(points: &[Point]) -> (usize, f64) {
    let (mut most, mut count, mut at) = (Point::default(), 0, 0.0);
    for point in points {
        let error = (point.variance + most.variance).sqrt();
        if point.bytes > most.bytes * 1.02 + RISE * error {
            (most, count, at) = (*point, count + 1, point.at);
        }
    }
    (count, at)
}

/// Whether it rises within these.
fn has_rise(points: &[Point]) -> bool {
    let first = points.first().map_or(0.0, |p| p.bytes);
    highest(points).is_some_and(|most| most > 1.02 * first)
}

/// The mean rate over these points. The lower bound is what it `surely` rose by, no more than half of the
/// rate where it rose in so few steps that the next may be far.
fn rate(late: &[Point], surely: f64, rises: usize) -> Rate {
    let (Some(first), Some(last)) = (late.first(), late.last()) else {
        return Rate::default();
    };
    let seconds = (last.at - first.at).max(0.001);
    let value = ((last.bytes - first.bytes) / seconds).max(0.0);
    let most = match rises < late.len() / 2 {
        true => value / 2.0,
        false => value,
    };
    let lower = surely.max(0.0).min(most);
    let upper = value + (value - lower);
    Rate {
        value,
        lower,
        upper,
    }
}

/// The part of the growth from one to the other that is blocks becoming bigger.
fn in_blocks(from: &Point, to: &Point) -> f64 {
    if from.blocks < 0.5 || to.blocks < 0.5 || to.bytes <= from.bytes {
        return 0.0;
    }
    let bigger = to.bytes / to.blocks - from.bytes / from.blocks;
    let blocks = (from.blocks + to.blocks) / 2.0;
    (bigger * blocks / (to.bytes - from.bytes)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: f64 = 1_048_576.0;

    /// A dump each second of a hundred, of blocks that are `blocks(t)` in number.
    fn climb(bytes: impl Fn(f64) -> f64, blocks: impl Fn(f64) -> f64) -> Option<Climb> {
        let point = |at: i32| Point {
            at: at.into(),
            bytes: bytes(at.into()) * MB,
            blocks: blocks(at.into()),
            variance: (MB / 10.0).powi(2),
        };
        let points: Vec<Point> = (1..=100).map(point).collect();
        Climb::of(&points, 100.0)
    }

    #[test]
    fn buffers_that_realloc_makes_bigger() {
        let climb = climb(|t| 2.0 * t, |_| 200.0).expect("it climbs");
        assert!(climb.goes_on && climb.in_blocks > 0.99, "{climb:?}");
        assert!((climb.rate.value - 2.0 * MB).abs() < 1.0, "{climb:?}");
        assert!(climb.rate.lower > 1.8 * MB && climb.rate.lower <= climb.rate.value);
    }

    #[test]
    fn a_container_that_doubles() {
        let capacity = |t: f64| 2f64.powf(t.log2().ceil());
        let climb = climb(capacity, |_| 1.0).expect("it climbs");
        assert_eq!((climb.rises, climb.last), (8, 65.0));
        assert!(climb.goes_on && climb.in_blocks > 0.99, "{climb:?}");
        assert!(climb.rate.lower < MB, "a megabyte a second goes in");
    }

    /// Both blocks are there while one is copied into the other.
    #[test]
    fn a_moment_with_two_blocks_is_no_fall() {
        let capacity = |t: f64| match (t.log2().ceil(), t.log2().fract()) {
            (lg, 0.0) => 3.0 * 2f64.powf(lg),
            (lg, _) => 2f64.powf(lg + 1.0),
        };
        let climb = climb(capacity, |_| 1.0).expect("it climbs");
        assert!(climb.goes_on && climb.in_blocks > 0.99, "{climb:?}");
    }

    #[test]
    fn what_ends_within_a_third_does_not_climb() {
        assert_eq!(climb(|t| t.min(30.0), |_| 9.0), None, "filled");
        assert_eq!(
            climb(|t| 2f64.powf(t.min(32.0).log2().ceil()), |_| 1.0),
            None
        );
        assert_eq!(climb(|t| t % 33.0, |_| 9.0), None, "a sawtooth");
        let day = |t: f64| 20.0 * (1.1 + (t / 33.0 * std::f64::consts::TAU).sin());
        assert_eq!(climb(day, |t| day(t) * 9.0), None, "a day");
        assert_eq!(climb(|t| 40.0 - t / 4.0, |_| 9.0), None, "it falls");
        let filled = |t: f64| 40.0 + t.min(42.0);
        assert_eq!(climb(filled, |_| 9.0), None, "in the first half");
    }

    #[test]
    fn what_slows_down_or_rose_twice_need_not_go_on() {
        let filling = climb(|t| 100.0 * (1.0 - (-t / 30.0).exp()), |_| 9.0).expect("it climbs");
        assert!(!filling.goes_on, "{filling:?}");
        let twice = |t: f64| f64::from(t > 34.0) * 50.0 + f64::from(t > 68.0) * 50.0;
        assert!(!climb(twice, |_| 9.0).expect("it climbs").goes_on);
    }

    /// A cache that has filled to 86 % after a third and to 98 % after two, on a machine that stops the program
    /// again and again: its births are bursts.
    #[test]
    fn a_cache_that_fills_in_bursts_has_ended() {
        for stopped in [1.0, 5.0, 10.0] {
            let filled = |t: f64| 20.0 * (1.0 - (-(t / stopped).floor() * stopped / 16.7).exp());
            let climb = climb(filled, |t| filled(t) * 1024.0).expect("it climbs");
            assert!(!climb.goes_on, "{stopped}: {climb:?}");
            let plateau = climb.plateau.expect("it levels off") / MB;
            assert!((plateau - 20.0).abs() < 0.5, "{stopped}: {plateau}");
        }
        let leaking = |t: f64| (t / 10.0).floor();
        let climb = climb(leaking, |t| leaking(t) * 1024.0).expect("it climbs");
        assert!(climb.goes_on && climb.plateau.is_none(), "{climb:?}");
    }

    #[test]
    fn more_blocks_are_no_bigger_ones() {
        let more = climb(|t| t, |t| t * 1024.0).expect("it climbs");
        assert_eq!(more.in_blocks, 0.0);
        let noisy = |t: f64| 50.0 + 0.3 * ((t * 7.0) % 5.0 - 2.0);
        assert_eq!(climb(noisy, |_| 50.0), None);
        assert_eq!(Climb::of(&[], 1.0), None);
    }
}

//! What became of one stack between two dumps, and how certain that is. Pure.
//!
//! # Derivation
//! A block of s bytes is a sample with probability p = 1 - exp(-s/N), each for itself, and stands for
//! s/p bytes then. The change of the live bytes is the sum of s/p over the samples of the second dump
//! less that over the first. A block that lives in both is in both sums or in none, with the same
//! weight, so it cancels and brings no error; one that was born and freed in between is in neither.
//! What is left are the *births* that the second dump still has and the *deaths* of what the first
//! one had, which are different blocks, so
//!
//! ```text
//! Var(change) = Var(births) + Var(deaths),   each the sum of s^2 (1-p)/p^2 over its samples.
//! ```
//! Two runs share no block: all of the first died, all of the second was born.
//!
//! # Telling them apart
//! Bounds of epochs nest, so each epoch of the second dump is a union of whole ones of the first.
//! Samples born in an epoch that had ended by the first dump can only have died, in one that began
//! behind it only have been born, or have come from another place: a block that realloc moved keeps
//! its birth. Of the one epoch that the first dump lies in, deaths and births
//! are not told apart by sums; as much survives as the frees of this stack leave no other choice for. That errs to the side of a wider band, by what was born and freed within one
//! epoch; a stack that frees nothing is exact.
//!
//! An epoch's share of the stack's variance is taken as that of its squares, which is exact for blocks
//! of one size.
//!
//! # What is not the same in both dumps
//! Where samples were thinned out between the dumps, each that is left stands for more. A sample of
//! weight w that stays with probability q weighs w/q then, which adds w^2 (1/q - 1) to the variance;
//! its square grows by as much on average. So the squares of an epoch less those that its survivors
//! had, which were as much less as their bytes are, are that variance. Whether there was thinning is
//! told by all stacks together: deaths make the squares of what was born long ago fewer, never more.
//!
//! A block that grew is in both sums with another size. Growth is what the live bytes of a stack
//! gained over what its samples stood for at birth; as a part f of the bytes it has f^2 of their
//! variance.
//!
//! # The band
//! A weighted sum of y bytes with variance v is worth y^2/v events of v/y bytes each. The score
//! interval of a Poisson mean, n + z^2/2 +- z sqrt(n + z^2/4), covers what it says for few events,
//! where y +- z sqrt(v) does not. The interval of the difference of two such sums follows from theirs
//! (MOVER, Zou and Donner 2008): each end adds the squares of the two distances that lead there.
//! Whether there is a change at all is the score test, change^2 against births and deaths.

use statrs::function::erf::erfc;

use super::holding::{Flow, Holding};
use crate::profile::model::Weighed;

/// Two sided 95 % of a normal distribution.
const Z95: f64 = 1.959_964;

/// The squares of old samples grow by more than rounding where samples were thinned out.
const THINNED: f64 = 1.01;

/// What became of a stack, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Live bytes in the first dump.
    pub before: f64,
    /// Live bytes in the second.
    pub after: f64,
    /// What only the second has.
    pub born: Flow,
    /// What only the first has.
    pub died: Flow,
}

/// When the first dump was written, and the epochs of both, in milliseconds of one clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Time of the first dump.
    pub at: u64,
    /// Widths of the epochs of the first and of the second dump.
    pub widths: (u64, u64),
    /// Samples were thinned out in between.
    pub is_thinned: bool,
}

impl Flow {
    /// Distances from the value to the ends of its interval.
    fn reach(&self) -> (f64, f64) {
        if self.variance <= 0.0 || self.bytes <= 0.0 {
            return (0.0, 0.0);
        }
        let event = self.variance / self.bytes;
        let shift = event * Z95 * Z95 / 2.0;
        let half = (Z95 * Z95 * self.variance + shift * shift).sqrt();
        (half - shift, half + shift)
    }
}

impl Change {
    /// Between dumps of different runs: nothing is in both.
    pub fn of_runs(before: &Holding, after: &Holding) -> Change {
        Change {
            before: before.bytes,
            after: after.bytes,
            born: Flow::all(after),
            died: Flow::all(before),
        }
    }

    /// Between two dumps of one process; as of two runs where the dumps do not say enough.
    pub fn of_process(before: &Holding, after: &Holding, cut: Option<Cut>) -> Change {
        let flows = cut.and_then(|cut| flows(before, after, cut));
        let (died, born) = flows.unwrap_or((Flow::all(before), Flow::all(after)));
        Change {
            before: before.bytes,
            after: after.bytes,
            born,
            died,
        }
    }

    /// Were samples thinned out between two dumps of one process? Of its stacks in both.
    pub fn is_thinned<'a>(
        stacks: impl Iterator<Item = (&'a Holding, &'a Holding)>,
        cut: Cut,
    ) -> bool {
        let (then, now) = cut.widths;
        let last = (cut.at / now) as usize;
        let (mut was, mut is) = (0.0, 0.0);
        for (before, after) in stacks {
            let squares = |epochs: Vec<Weighed>| -> f64 {
                epochs.iter().take(last).map(|born| born.squares).sum()
            };
            was += squares(before.by_epoch(then, now));
            is += squares(after.by_epoch(now, now));
        }
        is > THINNED * was
    }

    /// The same, the other way round in time.
    pub fn reversed(self) -> Change {
        Change {
            before: self.after,
            after: self.before,
            born: self.died,
            died: self.born,
        }
    }

    /// Adds what became of another stack.
    pub fn add(&mut self, more: &Change) {
        self.before += more.before;
        self.after += more.after;
        self.born.add(&more.born);
        self.died.add(&more.died);
    }

    /// Growth in bytes.
    pub fn value(&self) -> f64 {
        self.after - self.before
    }

    /// The ends of the 95 % band around the growth.
    pub fn band(&self) -> (f64, f64) {
        let (born, died) = (self.born.reach(), self.died.reach());
        let value = self.value();
        (value - born.0.hypot(died.1), value + born.1.hypot(died.0))
    }

    /// Is no growth within the band?
    pub fn may_be_nothing(&self) -> bool {
        let (low, high) = self.band();
        low <= 0.0 && high >= 0.0
    }

    /// Real samples that the growth rests on.
    pub fn samples(&self) -> f64 {
        self.born.samples + self.died.samples
    }

    /// Bytes that came or went.
    pub fn gross(&self) -> f64 {
        self.born.bytes + self.died.bytes
    }

    /// How many equal samples what came and went is worth; without end where nothing is uncertain.
    pub fn worth(&self) -> f64 {
        match self.variance() {
            v if v <= 0.0 => f64::INFINITY,
            v => self.gross() * self.gross() / v,
        }
    }

    fn variance(&self) -> f64 {
        self.born.variance + self.died.variance
    }

    /// Probability of such a growth or shrinkage by the sampling alone.
    pub fn p(&self) -> f64 {
        let (value, variance) = (self.value(), self.variance());
        match variance {
            // A byte is rounding.
            _ if value.abs() <= 1.0 => 1.0,
            v if v <= 0.0 => 0.0,
            v => erfc(value.abs() / (2.0 * v).sqrt()),
        }
    }
}

/// Deaths and births; nothing where the dumps contradict each other, as after a reset.
fn flows(before: &Holding, after: &Holding, cut: Cut) -> Option<(Flow, Flow)> {
    let (then, now) = cut.widths;
    let last = (cut.at / now) as usize;
    let old = before.by_epoch(then, now);
    let new = after.by_epoch(now, now);
    if !(before.is_whole() && after.is_whole()) {
        return None;
    }
    let (mut died, mut born) = (Flow::default(), Flow::default());
    for epoch in 0..old.len().max(new.len()) {
        let was = old.get(epoch).copied().unwrap_or_default();
        let is = new.get(epoch).copied().unwrap_or_default();
        if epoch < last {
            died.add(&before.share(&less(&was, is.bytes)));
            born.add(&after.share(&less(&is, was.bytes)));
            died.variance += match cut.is_thinned {
                true => thinning(&was, &is),
                false => 0.0,
            };
        } else if epoch > last {
            died.add(&before.share(&was));
            born.add(&after.share(&is));
        }
    }
    let was = old.get(last).copied().unwrap_or_default();
    let is = new.get(last).copied().unwrap_or_default();
    let freed = match after.samples {
        // It may have left the second dump with all that is known of it.
        0.0 => f64::INFINITY,
        _ if after.freed.samples < before.freed.samples => return None,
        _ => after.freed.bytes - before.freed.bytes,
    };
    let others = (freed - died.bytes).max(0.0);
    let stay = (was.bytes - others).clamp(0.0, is.bytes);
    died.add(&before.share(&less(&was, stay)));
    born.add(&after.share(&less(&is, stay)));
    // No part is more uncertain than the whole.
    died.variance = died.variance.min(before.variance.max(after.variance));
    born.variance = born.variance.min(after.variance);
    let grown = after.grown() - before.grown();
    match grown > 0.0 {
        true => born.add(&after.growth(grown)),
        false => died.add(&before.growth(-grown)),
    }
    Some((died, born))
}

/// Samples of an epoch but for so many bytes of them.
fn less(samples: &Weighed, stay: f64) -> Weighed {
    match samples.bytes > stay {
        true => samples.part(1.0 - stay / samples.bytes),
        false => Weighed::default(),
    }
}

/// What thinning added to the variance of an epoch's survivors.
fn thinning(was: &Weighed, is: &Weighed) -> f64 {
    match was.bytes > 0.0 {
        true => (is.squares - was.squares * (is.bytes / was.bytes).min(1.0)).max(0.0),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests;

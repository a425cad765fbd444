//! Samples together, and how many equal ones they are worth. Pure.

/// Some samples together. Each stands for so many bytes, by the period it was drawn with and by its
/// size; sums of squares say how many equal ones they are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weighed {
    /// How many.
    pub samples: u64,
    /// The bytes they stand for.
    pub bytes: f64,
    /// The sum of the squares of what each stands for.
    pub squares: f64,
}

impl Weighed {
    /// So many that stand for the same each.
    pub fn alike(samples: u64, bytes: f64) -> Weighed {
        let squares = match samples {
            0 => 0.0,
            n => bytes * bytes / n as f64,
        };
        Weighed {
            samples,
            bytes,
            squares,
        }
    }

    /// Adds others.
    pub fn add(&mut self, more: &Weighed) {
        self.samples += more.samples;
        self.bytes += more.bytes;
        self.squares += more.squares;
    }

    /// How many equal samples have the same bytes and the same relative error: their number where all
    /// are equal, else fewer.
    pub fn worth(&self) -> f64 {
        if self.squares > 0.0 {
            self.bytes * self.bytes / self.squares
        } else {
            0.0
        }
    }

    /// What each of those stands for; `None` without any.
    pub fn weight(&self) -> Option<f64> {
        (self.bytes > 0.0).then(|| self.squares / self.bytes)
    }

    /// A part of them, by bytes.
    pub fn part(&self, share: f64) -> Weighed {
        Weighed {
            samples: (self.samples as f64 * share).round() as u64,
            bytes: self.bytes * share,
            squares: self.squares * share,
        }
    }
}

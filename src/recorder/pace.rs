//! From what sampling costs to how dense it may be. Pure arithmetic.
//!
//! With a period of N bytes a program that allocates B bytes in a second of processor time has B/N events
//! in it, each of which takes c. So the share is s = cB/N, and a budget b is used up by N' = N s/b.
//! Both c and s are measured, the first as a mean over many windows, for few events of a window are timed.
//! A denser period is taken a step at a time, and only when half of the budget would still be left of what
//! it allows; a sparser one at once. So the period does not swing between two.

/// What was seen between two looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// Samples, and frees of samples.
    pub events: u64,
    /// Processor time of the process.
    pub cpu_ns: u64,
    /// Events that were timed, and what they took.
    pub timed: u64,
    /// See `timed`.
    pub timed_ns: u64,
}

/// What is known from window to window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// What an event takes, in nanoseconds; 0: not known yet.
    pub cost_ns: u64,
}

/// Millionths in a per mille.
const MILLIONTHS: u64 = 1_000;

impl Pace {
    /// log2 of the densest period.
    pub const DENSEST: u8 = 13;
    /// And of the sparsest.
    pub const SPARSEST: u8 = 19;

    /// What an event is believed to take before one was timed.
    const FIRST_NS: u64 = 2_000;

    /// Processor time of a window, at least and at most.
    const SHORTEST_NS: u64 = 1_000_000;
    const LONGEST_NS: u64 = 100_000_000;

    /// Steps to a sparser period at a time.
    const MOST_STEPS: u8 = 3;

    /// More than this is not believed of one event, whose thread may have lost the processor meanwhile.
    pub fn most_ns(cost_ns: u64) -> u64 {
        (8 * cost_ns).max(50_000)
    }

    /// Is a window long enough to judge by? A process that has had `cpu_ns` so far is judged by a sixteenth of
    /// that, so that what it does by turns is one; by a tenth of a second at most, and at once when the events
    /// have used up what four such windows may cost.
    pub fn is_ripe(&self, window: &Window, cpu_ns: u64, per_mille: u32) -> bool {
        let least = (cpu_ns / 16).clamp(Self::SHORTEST_NS, Self::LONGEST_NS);
        let spent = self.known_ns().saturating_mul(window.events);
        let allowed = least.saturating_mul(u64::from(per_mille)) / 1_000;
        window.cpu_ns >= least || spent > 4 * allowed
    }

    fn known_ns(&self) -> u64 {
        match self.cost_ns {
            0 => Self::FIRST_NS,
            known => known,
        }
    }

    /// The share of the processor time that the events of `window` took, in millionths.
    pub fn share(&mut self, window: &Window) -> u32 {
        let known = self.known_ns();
        self.cost_ns = match window.timed_ns.checked_div(window.timed) {
            // As many as a look has count for a quarter.
            Some(mean) => (known * 12 + mean * window.timed.min(4)) / (12 + window.timed.min(4)),
            None => known,
        };
        let spent = u128::from(self.cost_ns) * u128::from(window.events) * 1_000_000;
        let share = spent.checked_div(u128::from(window.cpu_ns)).unwrap_or(0);
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// The period to take, as a logarithm, after one of `2^lg_period` took `share` millionths where
    /// `per_mille` is the budget.
    pub fn next(lg_period: u8, share: u32, per_mille: u32) -> u8 {
        let budget = u64::from(per_mille) * MILLIONTHS;
        let share = u64::from(share);
        if share > budget {
            // The logarithm of the quotient, rounded up.
            let times = share.div_ceil(budget.max(1));
            let steps = times.next_power_of_two().trailing_zeros() as u8;
            let sparser = lg_period.saturating_add(steps.min(Self::MOST_STEPS));
            return sparser.min(Self::SPARSEST.max(lg_period));
        }
        if share * 3 <= budget && lg_period > Self::DENSEST {
            return lg_period - 1;
        }
        lg_period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The periods that a program of `bytes_per_s`, whose events take `cost_ns`, gets by the window.
    fn periods(bytes_per_s: f64, cost_ns: u64, budget: u32) -> Vec<u8> {
        let mut pace = Pace::default();
        let mut lg_period = 16;
        let mut seen = Vec::new();
        for _ in 0..40 {
            let cpu_ns = 100_000_000;
            let events = (bytes_per_s * 0.1 / f64::from(1_u32 << lg_period)) as u64;
            let timed = events / 16;
            let share = pace.share(&Window {
                events,
                cpu_ns,
                timed,
                timed_ns: timed * cost_ns,
            });
            lg_period = Pace::next(lg_period, share, budget);
            seen.push(lg_period);
        }
        seen
    }

    #[test]
    fn a_quiet_program_is_sampled_densely_and_a_loud_one_sparsely() {
        assert_eq!(periods(1e6, 2_000, 10).last(), Some(&Pace::DENSEST));
        // 2 us * 50 MB/s / 8 KiB are 12 per mille.
        assert_eq!(periods(50e6, 2_000, 10).last(), Some(&14));
        assert_eq!(periods(4e9, 3_000, 10).last(), Some(&Pace::SPARSEST));
        assert_eq!(periods(50e6, 2_000, 1).last(), Some(&17));
    }

    #[test]
    fn the_period_comes_to_rest() {
        for bytes_per_s in [1e6, 1e7, 5e7, 1e8, 3e8, 1e9] {
            let seen = periods(bytes_per_s, 1_500, 10);
            let (_, rest) = seen.split_at(20);
            assert!(
                rest.iter().all(|lg| Some(lg) == rest.first()),
                "{bytes_per_s}: {seen:?}"
            );
        }
    }

    #[test]
    fn what_one_window_says_of_the_cost_is_not_believed_at_once() {
        let mut pace = Pace { cost_ns: 1_000 };
        let window = Window {
            events: 64,
            cpu_ns: 1_000_000,
            timed: 4,
            timed_ns: 4 * 9_000,
        };
        pace.share(&window);
        assert_eq!(pace.cost_ns, 3_000);
        assert_eq!(pace.share(&Window::default()), 0, "no time passed");
    }

    #[test]
    fn an_old_process_is_judged_by_longer_windows_but_for_a_burst() {
        let pace = Pace { cost_ns: 2_000 };
        let window = |events, cpu_ns| Window {
            events,
            cpu_ns,
            ..Window::default()
        };
        assert!(pace.is_ripe(&window(64, 1_000_000), 2_000_000, 10));
        assert!(!pace.is_ripe(&window(64, 20_000_000), 60_000_000_000, 10));
        assert!(pace.is_ripe(&window(64, 100_000_000), 60_000_000_000, 10));
        assert!(pace.is_ripe(&window(2_500, 2_000_000), 60_000_000_000, 10));
    }

    #[test]
    fn a_period_by_number_may_be_sparser_than_any_of_ours() {
        assert_eq!(Pace::next(25, 900_000, 10), 25);
    }
}

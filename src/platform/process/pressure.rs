//! How much of the memory that it may use this process uses.
//!
//! It runs on the watcher's thread. Three limits count, and the nearest one wins: the cgroup's,
//! RLIMIT_AS, and, where no cgroup has a limit, the machine's memory.
//!
//! Sources: proc(5), getrlimit(2).

use super::{cgroup, lines, number, read};
use crate::platform::sys;

/// Bytes in use, and how many may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// In use now.
    pub used: u64,
    /// Beyond this the kernel refuses, or kills.
    pub limit: u64,
}

impl Pressure {
    /// Used, in thousandths of the limit.
    pub fn per_mille(&self) -> u64 {
        let share = u128::from(self.used) * 1000 / u128::from(self.limit.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// Bytes left until `percent` of the limit.
    pub fn distance(&self, percent: u8) -> u64 {
        let threshold = u128::from(self.limit) * u128::from(percent) / 100;
        let distance = threshold.saturating_sub(u128::from(self.used));
        u64::try_from(distance).unwrap_or(u64::MAX)
    }
}

/// The nearest limit; `None` when no limit is known. `buffer` as in [`cgroup::limit`].
pub fn highest(buffer: &mut [u8]) -> Option<Pressure> {
    let of_group = cgroup::usage(buffer).map(|(used, limit)| Pressure { used, limit });
    let of_memory = of_group.or_else(|| of_machine(buffer));
    [of_memory, of_address_space()]
        .into_iter()
        .flatten()
        .max_by_key(Pressure::per_mille)
}

fn of_machine(buffer: &mut [u8]) -> Option<Pressure> {
    let (mut limit, mut available) = (None, None);
    lines(c"/proc/meminfo", buffer, &mut |line| {
        let kilobytes = |key| line.strip_prefix::<[u8]>(key).and_then(number);
        limit = limit.or_else(|| kilobytes(b"MemTotal:"));
        available = available.or_else(|| kilobytes(b"MemAvailable:"));
    });
    let limit = limit?;
    Some(Pressure {
        used: limit.saturating_sub(available?).saturating_mul(1024),
        limit: limit.saturating_mul(1024),
    })
}

fn of_address_space() -> Option<Pressure> {
    let limit = sys::address_space_limit()?;
    let mut buffer = [0; 128];
    let pages = read(c"/proc/self/statm", &mut buffer).and_then(number)?;
    Some(Pressure {
        used: pages.saturating_mul(sys::PAGE as u64),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_distances() {
        let pressure = Pressure {
            used: 850,
            limit: 1000,
        };
        assert_eq!((pressure.per_mille(), pressure.distance(90)), (850, 50));
        assert_eq!(pressure.distance(80), 0);
        let all = Pressure {
            used: u64::MAX,
            limit: 0,
        };
        assert!(all.per_mille() > 1000 && all.distance(100) == 0);
    }

    #[test]
    fn this_machine_has_a_limit() {
        let highest = highest(&mut [0; 16 << 10]).expect("a limit");
        assert!(highest.used > 1 << 20 && highest.limit > 1 << 24);
        let machine = of_machine(&mut [0; 4096]).expect("/proc/meminfo");
        assert!(machine.used < machine.limit);
    }
}

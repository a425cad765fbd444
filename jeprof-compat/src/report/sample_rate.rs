//! How densely a process was sampled, and what that cost.

use crate::figures::words;
use crate::profile::model::Profile;

/// The periods of a dump in words.
pub fn sample_rate(profile: &Profile) -> String {
    let fact = |key: &str| profile.process.get(key);
    let number = |key: &str| fact(key).and_then(|text| text.parse::<f64>().ok());
    let present = number("period_bytes").unwrap_or(profile.period as f64);
    let mut text = format!("one sample every {}", words::period(present as u64));
    let (Some(budget), Some(history)) = (number("prof_budget_per_mille"), fact("period_history"))
    else {
        return text;
    };
    let lgs = history
        .split(' ')
        .filter_map(|change| change.split_once(':')?.1.parse::<u32>().ok());
    let periods: Vec<u64> = lgs.filter_map(|lg| 1_u64.checked_shl(lg)).collect();
    if let (Some(least), Some(most)) = (periods.iter().min(), periods.iter().max())
        && least < most
    {
        text += &format!(
            " now, {} to {} so far",
            words::period(*least),
            words::period(*most)
        );
    }
    if let (Some(spent), Some(cpu)) = (number("budget_spent_us"), number("cpu_us"))
        && cpu > 0.0
    {
        text += &format!("; {}", budget_words(spent / cpu, budget / 1000.0));
    }
    text
}

/// What sampling took of the processor time, and what it may take, as shares.
pub fn budget_words(spent: f64, budget: f64) -> String {
    format!(
        "sampling took {:.1} % of the processor time; it may take {:.1} %",
        spent * 100.0,
        budget * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(period: u64, facts: &[(&str, &str)]) -> String {
        let own = facts
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut profile = Profile {
            period,
            ..Profile::default()
        };
        profile.process.entries = own.collect();
        sample_rate(&profile)
    }

    #[test]
    fn a_fixed_rate_is_said_alone_and_a_budget_with_its_history() {
        assert_eq!(said(1 << 19, &[]), "one sample every 512 KB");
        let facts = [
            ("period_bytes", "16384"),
            ("prof_budget_per_mille", "10"),
            ("budget_spent_us", "4000"),
            ("cpu_us", "1000000"),
            ("period_history", "0:16 250:15 500:14"),
        ];
        assert_eq!(
            said(1 << 14, &facts),
            "one sample every 16 KB now, 16 KB to 64 KB so far; \
             sampling took 0.4 % of the processor time; it may take 1.0 %"
        );
    }
}

//! What a dump of ours says it could not record, in words, and what the profiler remarked. The counters
//! are those of the profiler's `diag`.

use crate::profile::model::ProcessFacts;

/// Counters that mean that amounts in the dump are wrong, and what to tell the user. `{}` is the
/// count.
const LOSSES: [(&str, &str); 5] = [
    (
        "arena_exhausted",
        "sampling stopped when the profiler's own memory was used up: what was allocated after \
         that is missing (raise prof_mem_max or lg_prof_sample)",
    ),
    (
        "stack_not_stored",
        "{} samples are missing: there was no memory for their stacks",
    ),
    (
        "sample_not_stored",
        "{} samples are missing: there was no memory for them",
    ),
    (
        "thread_not_tracked",
        "{} threads were not sampled: there was no memory for them",
    ),
    (
        "free_lost",
        "{} samples are shown as live although their blocks were freed",
    ),
];

/// One line for each kind of loss, and for each remark.
pub fn losses(facts: &ProcessFacts) -> Vec<String> {
    let counter = |name: &str| facts.get(&format!("counter_{name}"))?.parse().ok();
    let remarks = facts.remarks().map(str::to_owned);
    of_counters(counter).into_iter().chain(remarks).collect()
}

/// One line for each kind of loss that a counter tells. `counter` is asked by name.
pub fn of_counters(counter: impl Fn(&str) -> Option<u64>) -> Vec<String> {
    let line = |(name, words): &(&str, &str)| {
        let count = counter(name).filter(|count| *count > 0)?;
        Some(words.replace("{}", &count.to_string()))
    };
    LOSSES.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::profile::read::parse;

    fn warnings(counters: &str) -> Vec<String> {
        let dump = format!("heap_v2/1\n# malloscope 1\n{counters}\nMAPPED_LIBRARIES:\n# end\n");
        parse(dump.as_bytes(), "x").unwrap().1
    }

    #[test]
    fn every_loss_is_named_once() {
        let said = warnings(
            "# counter_arena_exhausted 3\n# counter_stack_not_stored 0\n\
             # counter_sample_not_stored 12\n# counter_reentered 9",
        );
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("x: sampling stopped"));
        assert!(said[1].starts_with("x: 12 samples are missing"));
    }

    #[test]
    fn remarks_are_passed_on_as_they_are() {
        let said = warnings("# remark no thread can be started\n# remark another one");
        assert_eq!(said, ["x: no thread can be started", "x: another one"]);
    }

    #[test]
    fn without_a_loss_there_is_no_warning() {
        let quiet = "# counter_arena_exhausted 0\n# counter_unwind_no_info 15305";
        assert_eq!(warnings(quiet), [""; 0]);
    }
}

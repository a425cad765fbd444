//! What a dump cannot show: stacks that are not whole, and memory that passes the hooks. A line for each,
//! which says what to do.

use std::collections::HashMap;

use crate::profile::model::{Mapping, Profile};

/// Of the live bytes, so many must be in stacks that are not whole before a word is said.
const WORTH_SAYING: f64 = 0.01;

/// Reasons for a cut, by the beginning of the mark, and what to do.
const CUTS: [(&str, &str); 3] = [
    (
        "[truncated: prof_bt_max]",
        "is in stacks deeper than prof_bt_max: the mark [truncated] stands for the frames that were \
         left out (a larger prof_bt_max keeps them)",
    ),
    (
        "[no unwind information",
        "is in stacks that end at code without unwind information, as the mark says: who called it is \
         not known (build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer)",
    ),
    (
        "[stack memory cannot be read]",
        "is in stacks of which a part could not be read",
    ),
];

/// A line for each reason for which stacks are not whole.
pub fn stacks(profile: &Profile) -> Vec<String> {
    let cut_by = |mark: &str| {
        let is_mark = |id| {
            let lines = &profile.location(id).lines;
            lines
                .iter()
                .any(|line| line.is_cut && line.function.starts_with(mark))
        };
        let cut = profile.samples.iter();
        let cut = cut.filter(|sample| sample.stack.iter().any(|id| is_mark(*id)));
        cut.map(|sample| sample.values.inuse_space).sum::<f64>()
    };
    let total: f64 = profile.samples.iter().map(|s| s.values.inuse_space).sum();
    let said = CUTS.iter().filter_map(|(mark, words)| {
        let bytes = cut_by(mark);
        let share = 100.0 * bytes / total;
        (bytes > WORTH_SAYING * total).then(|| format!("{share:.0} % of what is live {words}"))
    });
    said.collect()
}

/// A line for each allocator in the process that the hooks do not reach.
pub fn memory(profile: &Profile) -> Vec<String> {
    let mut said = Vec::new();
    if has_two_libcs(&profile.mappings) {
        said.push(
            "two copies of libc are mapped (dlmopen): what the code around the second one allocates is \
             not seen"
                .to_owned(),
        );
    }
    if is_mapped(&profile.mappings, "libtbbmalloc.so") {
        said.push(
            "libtbbmalloc is loaded: blocks of its scalable_malloc are not seen, and blocks of malloc \
             that scalable_free gives back are shown as live"
                .to_owned(),
        );
    }
    said
}

fn is_mapped(mappings: &[Mapping], name: &str) -> bool {
    mappings
        .iter()
        .any(|mapping| mapping.file_name().starts_with(name) && !mapping.unloaded)
}

/// The same code of a libc at two places.
fn has_two_libcs(mappings: &[Mapping]) -> bool {
    let is_libc = |m: &&Mapping| {
        let name = m.file_name();
        let is_named = name == "libc.so.6" || (name.starts_with("libc-") && name.ends_with(".so"));
        is_named && m.executable && !m.unloaded
    };
    let mut places: HashMap<(&str, u64), u32> = HashMap::new();
    for mapping in mappings.iter().filter(is_libc) {
        *places.entry((&mapping.path, mapping.offset)).or_default() += 1;
    }
    places.values().any(|&count| count > 1)
}

#[cfg(test)]
mod tests {
    use crate::profile::read::parse;

    fn warnings(stacks: &str, maps: &str) -> Vec<String> {
        let dump = format!("heap_v2/1\n# malloscope 2\n{stacks}\nMAPPED_LIBRARIES:\n{maps}# end\n");
        parse(dump.as_bytes(), "x").unwrap().1
    }

    #[test]
    fn a_cut_stack_is_said_with_its_share() {
        let mark = |name: &str| format!("# frame 0x4d00000000000000\tcut\t\t{name}\t\t0\n");
        let stacks =
            "@ 0x1 0x2 0x4d00000000000000\n  t*: 1: 300 [0: 0]\n@ 0x1 0x2\n  t*: 1: 100 [0: 0]\n";
        let said = warnings(&(stacks.to_owned() + &mark("[truncated: prof_bt_max]")), "");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("x: 75 % of what is live is in stacks deeper than prof_bt_max")
        );
        let said = warnings(
            &(stacks.to_owned() + &mark("[no unwind information in libm.so]")),
            "",
        );
        assert!(said[0].contains("without unwind information"), "{said:?}");
    }

    #[test]
    fn what_passes_the_hooks_is_said() {
        let libc = "r-xp 00026000 fe:00 1 /usr/lib/libc.so.6\n";
        let data = "rw-p 001d0000 fe:00 1 /usr/lib/libc.so.6\n";
        let one = format!("1000-2000 {libc}2000-3000 {data}");
        assert_eq!(warnings("", &one), [""; 0]);
        let said = warnings("", &format!("{one}5000-6000 {libc}"));
        assert!(said[0].contains("two copies of libc"), "{said:?}");
        let said = warnings(
            "",
            "1000-2000 r-xp 0 fe:00 1 /usr/lib/libtbbmalloc.so.2.8\n",
        );
        assert!(said[0].contains("scalable_malloc"), "{said:?}");
    }
}

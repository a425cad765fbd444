//! Programs that start the one that is meant: some hand our variables on, some start it where they do
//! not reach. Pure.

use std::path::Path;

use crate::command::doctor::finding::Finding;

/// What becomes of the variables.
enum Reach {
    /// The program inherits them.
    Inherited,
    /// It is started by another process or on another machine.
    Elsewhere(&'static str),
}

const LAUNCHERS: [(&[&str], Reach); 6] = [
    (
        &[
            "env", "nice", "ionice", "chrt", "nohup", "timeout", "stdbuf", "setsid", "taskset",
            "numactl", "xargs", "time", "strace", "ltrace", "gdb", "perf", "valgrind", "npm",
            "npx", "make", "cargo",
        ],
        Reach::Inherited,
    ),
    (
        &["docker", "podman", "nerdctl", "kubectl", "lxc", "incus"],
        Reach::Elsewhere(
            "put library and variables into the container: mount the directory of \
             libmalloscope.so, and set LD_PRELOAD and MALLOSCOPE_CONF there (-v and -e)",
        ),
    ),
    (
        &["ssh", "mosh", "rsh"],
        Reach::Elsewhere("run malloscope on the other machine"),
    ),
    (
        &["systemctl", "systemd-run", "service", "machinectl"],
        Reach::Elsewhere(
            "set LD_PRELOAD and MALLOSCOPE_CONF in the unit: systemctl edit, Environment=",
        ),
    ),
    (
        &["sudo", "su", "doas", "pkexec", "runuser"],
        Reach::Elsewhere("turn it round: sudo malloscope run -- COMMAND"),
    ),
    (
        &["snap", "flatpak", "bwrap", "chroot", "nsenter"],
        Reach::Elsewhere(
            "the library must lie where the program sees it: copy it inside, and set LD_PRELOAD \
             and MALLOSCOPE_CONF there",
        ),
    ),
];

/// What there is to say when `program` is one of them: a problem ends the search.
pub(crate) fn finding(program: &Path) -> Option<Finding> {
    let name = program.file_name()?.to_str()?;
    let (_, reach) = LAUNCHERS.iter().find(|(names, _)| names.contains(&name))?;
    Some(match reach {
        Reach::Inherited => Finding::note(
            "launcher",
            format!("{name} starts another program, which inherits the preload"),
        )
        .instead("ask doctor about that program too"),
        Reach::Elsewhere(advice) => Finding::problem(
            "launcher",
            format!("{name} starts the program where our variables do not reach"),
        )
        .instead(*advice),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;

    #[test]
    fn launchers_are_known_by_name() {
        let verdict = |path: &str| finding(Path::new(path)).map(|f| f.verdict);
        assert_eq!(verdict("/usr/bin/nice"), Some(Severity::Note));
        assert_eq!(verdict("/usr/local/bin/docker"), Some(Severity::Problem));
        assert_eq!(verdict("/usr/bin/java"), None);
        assert_eq!(verdict("/"), None);
    }
}

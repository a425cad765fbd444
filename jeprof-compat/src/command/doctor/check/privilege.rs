//! Programs that start with more rights than their user has: the loader ignores the environment there.
//! Pure but for `Rights::of` and `startable`.
//!
//! Source: Linux `security/commoncap.c`, `cap_bprm_creds_from_file` (when AT_SECURE is set), and
//! ld.so(8), "secure-execution mode".

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, getxattr, statvfs};
use rustix::process::{getgid, getuid};

use crate::command::doctor::finding::Finding;

const ABOUT: &str = "rights";

/// The facts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rights {
    mode: u32,
    owner: u32,
    group: u32,
    /// Ours.
    user: u32,
    own_group: u32,
    /// The file has capabilities.
    capabilities: bool,
    /// Mounted nosuid, or we gave up new privileges: neither bits nor capabilities count.
    ignored: bool,
}

impl Rights {
    pub(crate) fn of(path: &Path) -> Option<Rights> {
        let metadata = fs::metadata(path).ok()?;
        let nosuid = statvfs(path).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::NOSUID));
        let mut value = [0_u8; 64];
        Some(Rights {
            mode: metadata.mode(),
            owner: metadata.uid(),
            group: metadata.gid(),
            user: getuid().as_raw(),
            own_group: getgid().as_raw(),
            capabilities: getxattr(path, "security.capability", &mut value).is_ok(),
            ignored: nosuid || no_new_privileges(),
        })
    }
}

fn no_new_privileges() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status
        .lines()
        .filter_map(|line| line.strip_prefix("NoNewPrivs:"));
    lines.next().is_some_and(|value| value.trim() == "1")
}

/// Where this user cannot start it: a file system without programs, a list of others.
pub(crate) fn startable(path: &Path) -> Option<Finding> {
    access(path, Access::EXEC_OK).err()?;
    let text = format!(
        "{} cannot be started: not by you, or not on this file system (noexec)",
        path.display()
    );
    Some(Finding::problem(ABOUT, text))
}

/// What the rights of the file at `path` mean for a preload.
pub(crate) fn finding(path: &Path, rights: &Rights) -> Option<Finding> {
    let shown = path.display();
    let set_user = rights.mode & 0o4000 != 0;
    // Without the right to execute for the group the bit meant mandatory locking.
    let set_group = rights.mode & 0o2010 == 0o2010;
    let kind = match (set_user, set_group, rights.capabilities) {
        (true, _, _) => "set-user-ID",
        (_, true, _) => "set-group-ID",
        (_, _, true) => "privileged by file capabilities",
        _ => return None,
    };
    let new_user = set_user && rights.owner != rights.user;
    let new_group = set_group && rights.group != rights.own_group;
    let new_capabilities = rights.capabilities && rights.user != 0;
    if rights.ignored || !(new_user || new_group || new_capabilities) {
        let text = format!("{shown} is {kind}, which changes nothing for you");
        let advice = "for other users the loader ignores LD_PRELOAD there";
        return Some(Finding::note(ABOUT, text).instead(advice));
    }
    let text = format!("{shown} is {kind}: the loader ignores LD_PRELOAD there, nothing is seen");
    let advice = if new_user || new_group {
        "run a copy without the bit (cp drops it) as the user it would become"
    } else {
        "run a copy (cp drops them) with the same capabilities as ambient ones: setpriv \
         --ambient-caps, or AmbientCapabilities= in the unit"
    };
    Some(Finding::problem(ABOUT, text).instead(advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Severity;

    fn verdict(rights: Rights) -> Option<Severity> {
        finding(Path::new("/x"), &rights).map(|finding| finding.verdict)
    }

    const USER: Rights = Rights {
        mode: 0o755,
        owner: 0,
        group: 0,
        user: 1000,
        own_group: 1000,
        capabilities: false,
        ignored: false,
    };

    #[test]
    fn bits_count_when_they_change_who_we_are() {
        assert_eq!(verdict(USER), None);
        let set_user = Rights {
            mode: 0o4755,
            ..USER
        };
        assert_eq!(verdict(set_user), Some(Severity::Problem));
        let root = Rights {
            user: 0,
            ..set_user
        };
        assert_eq!(verdict(root), Some(Severity::Note));
        let nosuid = Rights {
            ignored: true,
            ..set_user
        };
        assert_eq!(verdict(nosuid), Some(Severity::Note));
    }

    #[test]
    fn the_group_bit_needs_the_right_to_execute() {
        let set_group = Rights {
            mode: 0o2755,
            ..USER
        };
        assert_eq!(verdict(set_group), Some(Severity::Problem));
        let locking = Rights {
            mode: 0o2745,
            ..USER
        };
        assert_eq!(verdict(locking), None);
    }

    #[test]
    fn capabilities_are_nothing_new_to_root() {
        let capable = Rights {
            capabilities: true,
            ..USER
        };
        assert_eq!(verdict(capable), Some(Severity::Problem));
        let root = Rights { user: 0, ..capable };
        assert_eq!(verdict(root), Some(Severity::Note));
    }
}

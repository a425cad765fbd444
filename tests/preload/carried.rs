//! The library that `malloscope` carries: into which directory it is unpacked, and what it makes of files that
//! others left there. Each case has a mount namespace of its own with empty caches; without root there is none.

use std::process::Command;

use crate::harness::{installed, malloscope};

/// Root makes the stage, and `$user` plays: what it preloads into a grandchild is printed, whether that is whole,
/// and whether it wrote a dump.
const STAGE: &str = r#"
set -eu
mount -t tmpfs -o mode=755 none /mnt
mkdir -m 755 /mnt/bin /mnt/home
mkdir -m 1777 /mnt/work
touch /mnt/bin/malloscope
mount --bind "$program" /mnt/bin/malloscope
for cache in /var/cache /var/tmp /tmp; do mount -t tmpfs -o mode=1777 none $cache; done
chmod 755 /var/cache
chown $user /mnt/home
/mnt/bin/malloscope unpack /mnt/whole >/dev/null
export HOME=/mnt/home
export MALLOSCOPE_CONF=prof_final_all:true
unset XDG_CACHE_HOME MALLOSCOPE_LIB LD_PRELOAD
cd /mnt/work
cache=/mnt/home/.cache/malloscope
play() {
    rm -rf d
    setpriv --reuid=$user --regid=$user --clear-groups /mnt/bin/malloscope run -o d --no-report --rate 1k -- \
        sh -c 'sh -c "sort /etc/services >/dev/null; cmp \"\$LD_PRELOAD\" /mnt/whole/libmalloscope.so; printenv LD_PRELOAD"' \
        2>said || { cat said; exit 1; }
    ls d/*.heap >/dev/null
}
refuse() { mount -o remount,noexec "$1"; }
"#;

/// Runs `scene` behind the stage as that user; the last line that it printed. `None` where no stage can be made.
fn played(user: u32, scene: &str) -> Option<String> {
    let may = Command::new("unshare").args(["-m", "true"]).output();
    if !may.is_ok_and(|made| made.status.success()) || installed("setpriv").is_none() {
        println!("no mount namespace can be made here");
        return None;
    }
    let played = Command::new("unshare")
        .args(["-m", "sh", "-c", &format!("{STAGE}\n{scene}\nplay")])
        .env("user", user.to_string())
        .env("program", malloscope().get_program())
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&played.stdout).into_owned();
    let why = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{scene}: {said}{why}");
    Some(said.lines().last().unwrap_or_default().to_owned())
}

const NOBODY: u32 = 65534;

#[test]
fn the_carried_library_goes_into_the_first_directory_that_fits() {
    let home_is_closed = "chown 0 /mnt/home";
    for (user, scene, place) in [
        (0, "", "/var/cache/malloscope/libmalloscope-"),
        (0, "refuse /var/cache", "/mnt/home/.cache/malloscope/"),
        (NOBODY, "", "/mnt/home/.cache/malloscope/libmalloscope-"),
        (NOBODY, home_is_closed, "/var/tmp/malloscope-65534/"),
        (NOBODY, "refuse /mnt", "/var/tmp/malloscope-65534/"),
        (
            NOBODY,
            "chown 0 /mnt/home; refuse /var/tmp",
            "/tmp/malloscope-65534/",
        ),
        // Another user was there first, or the group may write.
        (
            NOBODY,
            "mkdir -p $cache; chown 1 $cache",
            "/var/tmp/malloscope-65534/",
        ),
        (
            NOBODY,
            "mkdir -p $cache; chown $user $cache; chmod 775 $cache",
            "/var/tmp/malloscope-65534/",
        ),
        (
            NOBODY,
            "chown 0 /mnt/home; mkdir /mnt/evil; ln -s /mnt/evil /var/tmp/malloscope-65534",
            "/tmp/malloscope-65534/",
        ),
    ] {
        let Some(loaded) = played(user, scene) else {
            return;
        };
        assert!(loaded.starts_with(place), "{user} {scene}: {loaded}");
    }
}

#[test]
fn where_no_directory_fits_the_carried_library_is_loaded_from_memory() {
    let scene = "chown 0 /mnt/home; refuse /var/tmp; refuse /tmp";
    if let Some(loaded) = played(NOBODY, scene) {
        assert!(
            loaded.starts_with("/proc/") && loaded.contains("/fd/"),
            "{loaded}"
        );
    }
}

#[test]
fn a_planted_library_is_replaced_by_the_carried_one() {
    let first = "play >/dev/null; file=$(echo $cache/libmalloscope-*.so)";
    for planted in [
        "printf evil | dd of=$file conv=notrunc status=none",
        "cp --remove-destination /etc/services $file; chown $user $file",
        "cp --remove-destination /mnt/whole/libmalloscope.so $file; chown 1 $file",
        "chmod 777 $file",
        "cp $file /mnt/evil.so; ln -sf /mnt/evil.so $file",
        "rm $file; mkfifo $file",
    ] {
        let whole = "find $file -type f -user $user -perm 555 | grep -q .";
        let scene = format!("{first}; {planted}; play >/dev/null; {whole}");
        let Some(loaded) = played(NOBODY, &scene) else {
            return;
        };
        let place = "/mnt/home/.cache/malloscope/libmalloscope-";
        assert!(loaded.starts_with(place), "{planted}: {loaded}");
    }
}

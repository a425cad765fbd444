//! Each call against the kernel that runs the tests.
use core::sync::atomic::AtomicU32;

use super::*;

#[test]
fn anonymous_memory_is_zero_and_can_be_given_back() {
    let p = mmap_anon(3 * PAGE).expect("memory");
    // SAFETY: three fresh pages of ours.
    unsafe {
        assert!(
            core::slice::from_raw_parts(p.as_ptr(), 3 * PAGE)
                .iter()
                .all(|&byte| byte == 0)
        );
        p.as_ptr().write(7);
        assert!(readable(p.as_ptr() as usize));
        munmap(p, 3 * PAGE);
    }
    assert!(mmap_anon(0).is_none());
    assert!(mmap_anon(usize::MAX).is_none());
}

#[test]
fn readable_says_no_instead_of_dying() {
    let on_stack = 5_u64;
    let bad = [8, usize::MAX - 4, 0xdead_0000_0000_0000];
    for probe in [readable, copyable] {
        assert!(probe(core::ptr::from_ref(&on_stack) as usize));
        assert!(bad.iter().all(|&addr| !probe(addr)));
    }
    assert!(!readable(0));
}

#[test]
fn errno_is_left_alone() {
    // SAFETY: errno belongs to this thread.
    unsafe { *libc::__errno_location() = 12345 };
    assert_eq!(
        open(c"/nonexistent/file", libc::O_RDONLY, 0),
        -(libc::ENOENT as isize)
    );
    assert!(!readable(8));
    assert!(monotonic_ms() > 0 && realtime_ms() > 1_500_000_000_000);
    // SAFETY: as above.
    assert_eq!(unsafe { *libc::__errno_location() }, 12345);
}

#[test]
fn a_directory_names_all_its_entries() {
    let dir = std::env::temp_dir().join(format!("malloscope-sys-{}-entries", getpid()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let mut made: Vec<_> = (0..200).map(|n| format!("entry-{n:03}")).collect();
    for name in &made {
        std::fs::write(dir.join(name), "").expect("a file");
    }
    let path = std::ffi::CString::new(dir.as_os_str().as_encoded_bytes()).expect("no NUL");
    let fd = open(&path, libc::O_RDONLY | libc::O_DIRECTORY, 0) as i32;
    let mut seen = Vec::new();
    entries(fd, &mut |name| {
        seen.push(name.to_string_lossy().into_owned())
    });
    close(fd);
    std::fs::remove_dir_all(&dir).expect("the directory");
    made.extend([".".to_owned(), "..".to_owned()]);
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
    entries(-1, &mut |name| panic!("{name:?} of nothing"));
}

#[test]
fn files_are_written_read_and_never_replaced() {
    let dir = std::env::temp_dir();
    let name = |tail: &str| {
        let path = dir.join(format!("malloscope-sys-{}-{tail}", getpid()));
        std::ffi::CString::new(path.into_os_string().into_encoded_bytes())
            .expect("no NUL in a path")
    };
    let (first, second) = (name("a"), name("b"));
    for (path, text) in [(&first, b"first"), (&second, b"other")] {
        let fd = open(path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, 0o600) as i32;
        assert!(fd >= 0);
        assert_eq!((write_all(fd, text), fsync(fd), close(fd)), (0, 0, 0));
    }
    assert_eq!(rename_noreplace(&first, &second), -(libc::EEXIST as isize));
    assert_eq!(unlink(&second), 0);
    assert_eq!(rename_noreplace(&first, &second), 0);
    let fd = open(&second, libc::O_RDONLY, 0) as i32;
    let mut text = [0; 8];
    assert_eq!((read(fd, &mut text), &text[..5]), (5, &b"first"[..]));
    assert_eq!((pread(fd, &mut text, 3), &text[..2]), (2, &b"st"[..]));
    assert_eq!((close(fd), unlink(&second)), (0, 0));
    assert!(write_all(-1, b"x") < 0);
}

#[test]
fn a_broken_pipe_costs_nobody_his_life() {
    let mut ends = [0; 2];
    // SAFETY: pipe(2) writes two descriptors; SIG_DFL undoes the SIG_IGN that std's runtime
    // sets.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    assert_eq!(write_quietly(ends[1], &[b"two ", b"parts"]), 9);
    close(ends[0]);
    assert_eq!(
        write_quietly(ends[1], &[b"nobody"]),
        -(libc::EPIPE as isize)
    );
    close(ends[1]);
}

#[test]
fn names_and_ids() {
    let mut name = [1; 16];
    let len = thread_name(&mut name);
    assert!(len < 16 && name[len..].iter().all(|&byte| byte == 0));
    assert!(getpid() > 0 && gettid() > 0);
    let mut target = [0; 64];
    assert!(readlink(c"/proc/self/ns/pid", &mut target) > 5);
    assert!(target.starts_with(b"pid:["));
}

#[test]
fn futex_gives_up_in_time_and_at_once_when_changed() {
    let word = AtomicU32::new(3);
    futex_wait(&word, 4);
    assert!(!futex_wait_for(&word, 3, 2));
    assert!(futex_wait_for(&word, 4, 1000));
    futex_wake(&word, 1);
}

#[test]
fn both_ways_to_the_clock_agree() {
    let before = monotonic_ms();
    let once = monotonic_ms_once();
    assert!((before..=monotonic_ms()).contains(&once), "{before} {once}");
}

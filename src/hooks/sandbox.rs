//! prctl(2) and syscall(2): passed on, and watched for the seccomp filter by which a program puts
//! itself into a sandbox.
//!
//! A call that installs no filter is a jump to libc's function. All its arguments stay where they
//! were, also those on the stack, and the stack is not changed. A call that installs a filter is
//! answered by libc's function too, which is called between our own steps. errno is what that
//! function left, because nothing of ours sets it. libseccomp calls us by `syscall`. A program that
//! enters the kernel by an instruction of its own does not call us. If there is a watcher,
//! `watcher` finds that filter within a second.
//!
//! Sources: prctl(2), syscall(2), seccomp(2).
//!
//! # Safety
//! The arguments are the program's own, under the contracts of those calls, and are passed on
//! unchanged.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::{c_int, c_long, c_void};
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use super::early;
use crate::next::{self, Entry};
use crate::platform::sys::{self, Filter};
use crate::{recorder, trigger};

/// libc's functions; null before [`install`], which writes them. A call that comes earlier runs
/// [`install`] too, and it writes the same values. Relaxed is enough: each pointer is complete in
/// itself, and libc was loaded before us.
static PRCTL: Entry = Entry::new(null_mut());
/// As [`PRCTL`].
static SYSCALL: Entry = Entry::new(null_mut());

const SET_MODE_STRICT: usize = 0;
const SET_MODE_FILTER: usize = 1;
const FLAG_TSYNC: usize = 1;
const FLAG_NEW_LISTENER: usize = 8;

/// Looks the functions up, at the start.
pub fn install() {
    let next = next::allocator();
    for (entry, function) in [(&PRCTL, &next.prctl), (&SYSCALL, &next.syscall)] {
        entry.store(function.load(Relaxed), Relaxed);
    }
}

/// prctl(2). r11 carries no argument. rax carries information for a variadic function, so it stays
/// unchanged.
///
/// # Safety
/// Jumped to from the hook.
#[unsafe(naked)]
pub unsafe extern "C" fn prctl() {
    naked_asm!(
        ".cfi_startproc",
        "cmp edi, {set_seccomp}",
        "je {event}",
        "mov r11, qword ptr [rip + {real}]",
        "test r11, r11",
        "jz {event}",
        "jmp r11",
        ".cfi_endproc",
        set_seccomp = const libc::PR_SET_SECCOMP,
        event = sym prctl_event,
        real = sym PRCTL,
    )
}

/// syscall(2).
///
/// # Safety
/// Jumped to from the hook.
#[unsafe(naked)]
pub unsafe extern "C" fn syscall() {
    naked_asm!(
        ".cfi_startproc",
        "cmp rdi, {seccomp}",
        "je {event}",
        "cmp rdi, {prctl}",
        "je {event}",
        "mov r11, qword ptr [rip + {real}]",
        "test r11, r11",
        "jz {event}",
        "jmp r11",
        ".cfi_endproc",
        seccomp = const libc::SYS_seccomp,
        prctl = const libc::SYS_prctl,
        event = sym syscall_event,
        real = sym SYSCALL,
    )
}

/// Handles a call that may install a filter, or that comes before [`install`].
extern "C" fn prctl_event(option: c_int, b: usize, c: usize, d: usize, e: usize) -> c_int {
    let make = || {
        let real = real(&PRCTL);
        let arguments = [option as isize as usize, b, c, d, e, 0];
        if real.is_null() {
            return by_kernel(libc::SYS_prctl, arguments) as c_long;
        }
        // SAFETY: prctl(2), with the program's own arguments.
        c_long::from(unsafe {
            let real: unsafe extern "C" fn(c_int, ...) -> c_int = transmute(real);
            real(option, b, c, d, e)
        })
    };
    let wish = (option == libc::PR_SET_SECCOMP).then(|| Wish::by_prctl(b, c));
    grant(wish, make) as c_int
}

/// As [`prctl_event`]; the seventh argument is on the stack.
extern "C" fn syscall_event(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let make = || {
        let real = real(&SYSCALL);
        if real.is_null() {
            return by_kernel(number, [a, b, c, d, e, f]) as c_long;
        }
        // SAFETY: syscall(2), with the program's own arguments.
        unsafe {
            let real: unsafe extern "C" fn(c_long, ...) -> c_long = transmute(real);
            real(number, a, b, c, d, e, f)
        }
    };
    let wish = match number {
        libc::SYS_seccomp => Some(Wish::by_seccomp(a, b, c)),
        libc::SYS_prctl if a as c_int == libc::PR_SET_SECCOMP => Some(Wish::by_prctl(b, c)),
        _ => None,
    };
    grant(wish, make)
}

/// libc's function, which is looked up now if necessary; null before this library is relocated.
fn real(entry: &Entry) -> *mut c_void {
    if entry.load(Relaxed).is_null() && !early::is_now() {
        install();
    }
    entry.load(Relaxed)
}

/// Makes the call when there is no libc function to call yet. errno cannot be set then.
fn by_kernel(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: the program's own call.
    let result = unsafe { sys::pass_on(number, arguments) };
    result.max(-1)
}

/// A sandbox that the program asks for.
struct Wish {
    /// The `struct sock_fprog`; `None` for the strict mode, which has no filter.
    filter: Option<usize>,
    flags: usize,
}

impl Wish {
    fn by_prctl(mode: usize, filter: usize) -> Option<Wish> {
        let filter = match mode as u32 {
            libc::SECCOMP_MODE_STRICT => None,
            libc::SECCOMP_MODE_FILTER => Some(filter),
            _ => return None,
        };
        Some(Wish { filter, flags: 0 })
    }

    fn by_seccomp(operation: usize, flags: usize, filter: usize) -> Option<Wish> {
        let filter = match operation as u32 as usize {
            SET_MODE_STRICT => None,
            SET_MODE_FILTER => Some(filter),
            _ => return None,
        };
        Some(Wish { filter, flags })
    }

    /// What the sandbox will mean for us.
    fn meaning(&self) -> Meaning {
        let Some(address) = self.filter else {
            return Meaning::Harm { lets_end: true };
        };
        // SAFETY: the program gives its filter to the kernel now.
        match unsafe { Filter::at(address) } {
            None => Meaning::Nothing,
            Some(filter) if filter.admits_us() => Meaning::Admitted,
            Some(filter) => Meaning::Harm {
                lets_end: filter.admits_an_end(),
            },
        }
    }

    /// Does the sandbox exist, after the kernel gave `result`?
    fn is_fulfilled(&self, result: c_long) -> bool {
        // With TSYNC a positive result is the number of the thread that prevented the sandbox. With
        // NEW_LISTENER it is a descriptor, and the sandbox exists.
        result == 0 || result > 0 && self.flags & FLAG_NEW_LISTENER != 0
    }
}

enum Meaning {
    /// There will be no sandbox: the kernel will refuse it.
    Nothing,
    /// Our calls can go on.
    Admitted,
    /// Our calls will do harm.
    Harm { lets_end: bool },
}

/// Makes the call. Does, before and after it, what the sandbox requires of us.
#[inline(never)]
fn grant(wish: Option<Option<Wish>>, make: impl FnOnce() -> c_long) -> c_long {
    let wish = wish.flatten().filter(|_| concerns_us());
    let Some(wish) = wish else {
        return make();
    };
    match wish.meaning() {
        Meaning::Nothing => make(),
        Meaning::Admitted => {
            let result = make();
            if wish.is_fulfilled(result) {
                trigger::sandbox::admitted();
            }
            result
        }
        Meaning::Harm { lets_end } => {
            trigger::sandbox::before(wish.flags & FLAG_TSYNC != 0, lets_end);
            let result = make();
            if !wish.is_fulfilled(result) {
                sys::lower_sandbox();
            }
            result
        }
    }
}

/// Must we react to a sandbox? No, if nothing has begun, or if we are in a sandbox already. No, for
/// a child in borrowed memory: its filter does not apply to our process.
fn concerns_us() -> bool {
    !early::is_now() && recorder::has_started() && !sys::is_sandboxed() && !recorder::is_borrowed()
}

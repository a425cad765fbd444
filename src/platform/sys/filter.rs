//! What a seccomp filter does to our calls, told before it is in force.
//!
//! Called by `hooks::sandbox`. A filter is a program of the kernel's classic BPF: at most 4096
//! instructions without loops, from the number of a call and its arguments to what becomes of it.
//! Here it is run once for each call of ours. What is not known of one (arguments, mostly) takes
//! both ways of every branch, and the worst of all ends is the answer; what takes too long, or is
//! not understood, kills. So filters that only forbid what we never do (execve, ptrace, modules)
//! leave us alone, and we them.
//!
//! Sources: seccomp(2), linux/filter.h, linux/bpf_common.h.
#![allow(unsafe_code)]

use super::readable;

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    code: u16,
    on_true: u8,
    on_false: u8,
    k: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// What becomes of a call, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It is made.
    Admitted,
    /// An errno comes back.
    Refused,
    /// The thread or its process dies, a handler runs, or another process decides.
    Harmful,
}

/// Calls without which there is no sample and no dump.
const NEEDED: [i64; 34] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fchmod,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_futex,
    libc::SYS_getcwd,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_kill,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_prctl,
    libc::SYS_pread64,
    libc::SYS_prlimit64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_renameat2,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_restart_syscall,
    libc::SYS_tgkill,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that may fail: a thread of ours, the control socket, and what is tried first for its speed.
const WISHED: [i64; 17] = [
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_clone,
    libc::SYS_close_range,
    libc::SYS_fcntl,
    libc::SYS_getdents64,
    libc::SYS_geteuid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getsockopt,
    libc::SYS_linkat,
    libc::SYS_listen,
    libc::SYS_mprotect,
    libc::SYS_ppoll,
    libc::SYS_process_vm_readv,
    libc::SYS_sendto,
    libc::SYS_socket,
];

/// A program's filter.
pub struct Filter<'a>(&'a [Instruction]);

impl<'a> Filter<'a> {
    /// The filter that `program`, a pointer to a `struct sock_fprog`, leads to. `None` where the
    /// kernel will refuse it: programs pass null to learn whether there are filters at all.
    ///
    /// # Safety
    /// Nobody changes the filter while it is read: the program is about to hand it to the kernel.
    pub unsafe fn at(program: usize) -> Option<Filter<'a>> {
        const MOST: usize = 4096;
        let last = program.checked_add(size_of::<Program>() - 1)?;
        if !program.is_multiple_of(align_of::<Program>()) || !readable(program) || !readable(last) {
            return None;
        }
        // SAFETY: aligned, found readable just now, and every bit pattern is one.
        let program = unsafe { &*(program as *const Program) };
        let length = usize::from(program.length);
        let first = program.instructions as usize;
        let end = first.checked_add(length * size_of::<Instruction>())?;
        let mut pages = (first..end)
            .step_by(super::PAGE)
            .chain([end.checked_sub(1)?]);
        let is_one = (1..=MOST).contains(&length)
            && program.instructions.is_aligned()
            && pages.all(readable);
        // SAFETY: aligned, all its pages were found readable, and every bit pattern is one.
        is_one.then(|| Filter(unsafe { core::slice::from_raw_parts(program.instructions, length) }))
    }

    /// Can we go on as before under this filter?
    pub fn admits_us(&self) -> bool {
        NEEDED.iter().all(|call| self.fate(*call) == Fate::Admitted)
            && WISHED.iter().all(|call| self.fate(*call) != Fate::Harmful)
    }

    /// May a thread end under it?
    pub fn admits_an_end(&self) -> bool {
        self.fate(libc::SYS_exit) == Fate::Admitted
    }

    /// The worst that can become of a call.
    fn fate(&self, call: i64) -> Fate {
        const LONGEST: usize = 1 << 14;
        let mut ways = Ways::new();
        let mut worst = Fate::Admitted;
        for _ in 0..LONGEST {
            let Some(mut at) = ways.pop() else {
                return worst;
            };
            let step = self
                .0
                .get(at.next)
                .map_or(Step::End(Fate::Harmful), |instruction| {
                    at.run(*instruction, call)
                });
            let is_kept = match step {
                Step::End(fate) => {
                    worst = worst.max(fate);
                    true
                }
                Step::On => ways.push(at),
                Step::Fork(other) => ways.push(at) && ways.push(State { next: other, ..at }),
            };
            if !is_kept || worst == Fate::Harmful {
                break;
            }
        }
        Fate::Harmful
    }
}

/// Where a run stands: the next instruction, the accumulator and the index, where they are known.
#[derive(Clone, Copy)]
struct State {
    next: usize,
    a: Option<u32>,
    x: Option<u32>,
}

enum Step {
    On,
    /// It goes on at both places.
    Fork(usize),
    End(Fate),
}

impl State {
    /// Runs one instruction of the filter for `call`.
    fn run(&mut self, instruction: Instruction, call: i64) -> Step {
        const CLASS: u16 = 0x07;
        const MODE: u16 = 0xe0;
        const BY_X: u16 = 0x08;
        let Instruction { code, k, .. } = instruction;
        let operand = if code & BY_X == 0 { Some(k) } else { self.x };
        self.next += 1;
        match code & CLASS {
            // Loads: a constant, a part of the call, its length; what lies in scratch is not known.
            class @ (0 | 1) => {
                let loaded = match code & MODE {
                    0x00 => Some(k),
                    0x20 => part_of(call, k),
                    0x80 => Some(64),
                    _ => None,
                };
                *(if class == 0 { &mut self.a } else { &mut self.x }) = loaded;
            }
            // Stores to scratch.
            2 | 3 => {}
            4 => self.a = compute(code, self.a, operand),
            5 => return self.jump(instruction, operand),
            6 => {
                let value = if code & 0x18 == 0x10 { self.a } else { Some(k) };
                return Step::End(value.map_or(Fate::Harmful, fate_of));
            }
            _ if code & 0xf8 == 0x80 => self.a = self.x,
            _ => self.x = self.a,
        }
        Step::On
    }

    fn jump(&mut self, instruction: Instruction, operand: Option<u32>) -> Step {
        let Instruction { code, k, .. } = instruction;
        let away = |distance: u8| self.next + usize::from(distance);
        let (yes, no) = (away(instruction.on_true), away(instruction.on_false));
        if code & 0xf0 == 0 {
            self.next += k as usize;
            return Step::On;
        }
        let (Some(a), Some(operand)) = (self.a, operand) else {
            self.next = yes;
            return Step::Fork(no);
        };
        let is_so = match code & 0xf0 {
            0x10 => a == operand,
            0x20 => a > operand,
            0x30 => a >= operand,
            _ => a & operand != 0,
        };
        self.next = if is_so { yes } else { no };
        Step::On
    }
}

fn compute(code: u16, a: Option<u32>, operand: Option<u32>) -> Option<u32> {
    let (a, operand) = (a?, operand?);
    match code & 0xf0 {
        0x00 => Some(a.wrapping_add(operand)),
        0x10 => Some(a.wrapping_sub(operand)),
        0x40 => Some(a | operand),
        0x50 => Some(a & operand),
        _ => None,
    }
}

/// What a filter reads of a call: `struct seccomp_data`.
fn part_of(call: i64, offset: u32) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    const MACHINE: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    const MACHINE: u32 = 0xc000_00b7;
    const ARGUMENT: u32 = 16;
    const ACCESS: u32 = ARGUMENT + 2 * 8;
    const FLAGS: u32 = ARGUMENT + 3 * 8;
    match offset {
        0 => u32::try_from(call).ok(),
        4 => Some(MACHINE),
        // As `mmap_anon` calls it.
        ACCESS if call == libc::SYS_mmap => Some((libc::PROT_READ | libc::PROT_WRITE) as u32),
        FLAGS if call == libc::SYS_mmap => Some((libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u32),
        _ => None,
    }
}

/// What a filter's answer means. An errno of 0 is a call that was not made and says it was.
fn fate_of(answer: u32) -> Fate {
    const ALLOW: u32 = 0x7fff_0000;
    const LOG: u32 = 0x7ffc_0000;
    const ERRNO: u32 = 0x0005_0000;
    match (answer & 0xffff_0000, answer & 0xffff) {
        (ALLOW | LOG, _) => Fate::Admitted,
        (ERRNO, 1..) => Fate::Refused,
        _ => Fate::Harmful,
    }
}

/// Ways not gone yet.
struct Ways {
    states: [State; Ways::MOST],
    count: usize,
}

impl Ways {
    const MOST: usize = 64;

    /// The one from the first instruction.
    fn new() -> Ways {
        let first = State {
            next: 0,
            a: None,
            x: None,
        };
        Ways {
            states: [first; Ways::MOST],
            count: 1,
        }
    }

    fn pop(&mut self) -> Option<State> {
        self.count = self.count.checked_sub(1)?;
        self.states.get(self.count).copied()
    }

    /// False when there is no room.
    fn push(&mut self, state: State) -> bool {
        let Some(place) = self.states.get_mut(self.count) else {
            return false;
        };
        *place = state;
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: u32 = 0;
    const ALLOW: u32 = 0x7fff_0000;
    const KILL: u32 = 0x8000_0000;
    const EACCES: u32 = 0x0005_000d;

    fn op(code: u16, k: u32) -> Instruction {
        jump(code, k, 0, 0)
    }

    fn jump(code: u16, k: u32, on_true: u8, on_false: u8) -> Instruction {
        Instruction {
            code,
            on_true,
            on_false,
            k,
        }
    }

    /// Does `answer` to these calls, and lets all others be made.
    fn all_but(calls: &[i64], answer: u32) -> Vec<Instruction> {
        let mut filter = vec![op(0x20, NUMBER)];
        for call in calls {
            filter.extend([jump(0x15, *call as u32, 0, 1), op(0x06, answer)]);
        }
        filter.push(op(0x06, ALLOW));
        filter
    }

    #[test]
    fn what_forbids_others_admits_us() {
        let others = [libc::SYS_execve, libc::SYS_fork, libc::SYS_ptrace];
        assert!(Filter(&all_but(&others, KILL)).admits_us());
        assert!(Filter(&all_but(&[libc::SYS_clone], EACCES)).admits_us());
        assert!(!Filter(&all_but(&[libc::SYS_clone], KILL)).admits_us());
        for call in NEEDED {
            assert!(!Filter(&all_but(&[call], EACCES)).admits_us(), "{call}");
        }
    }

    #[test]
    fn only_an_errno_is_a_refusal() {
        let answers = [0x0003_0000, 0x0005_0000, 0x7ff0_0000, 0x7fc0_0000, 0, KILL];
        for answer in answers {
            assert!(!Filter(&all_but(&[libc::SYS_clone], answer)).admits_us());
        }
        assert!(Filter(&[op(0x06, 0x7ffc_0000)]).admits_us(), "logged");
    }

    #[test]
    fn both_ways_of_what_is_not_known_are_gone() {
        // openat only with certain flags, for which a filter asks the third argument.
        let filter = |answer| {
            [
                op(0x20, NUMBER),
                jump(0x15, libc::SYS_openat as u32, 0, 2),
                op(0x20, 32),
                jump(0x45, 1, 1, 0),
                op(0x06, ALLOW),
                op(0x06, answer),
            ]
        };
        assert!(!Filter(&filter(KILL)).admits_us());
        assert!(Filter(&filter(ALLOW)).admits_us());
    }

    #[test]
    fn the_flags_of_our_mappings_are_known() {
        let filter = |flags| {
            [
                op(0x20, NUMBER),
                jump(0x15, libc::SYS_mmap as u32, 0, 3),
                op(0x20, 40),
                jump(0x15, flags, 1, 0),
                op(0x06, KILL),
                op(0x06, ALLOW),
            ]
        };
        assert!(Filter(&filter(0x22)).admits_us());
        assert!(!Filter(&filter(0x4022)).admits_us());
    }

    #[test]
    fn what_never_ends_or_leads_nowhere_kills() {
        assert!(!Filter(&[op(0x05, u32::MAX), op(0x06, ALLOW)]).admits_us());
        assert!(!Filter(&[op(0x20, NUMBER)]).admits_us());
        assert!(!Filter(&[op(0x16, 0)]).admits_us(), "an unknown answer");
        let mut many = vec![op(0x20, 16)];
        many.extend([jump(0x15, 0, 0, 1); 100]);
        many.extend([op(0x06, ALLOW), op(0x06, ALLOW)]);
        assert!(!Filter(&many).admits_us(), "more ways than are gone");
    }

    #[test]
    fn programs_that_only_ask_pass_no_filter() {
        let filter = all_but(&[libc::SYS_execve], KILL);
        let program = |length: usize, instructions: *const Instruction| Program {
            length: length as u16,
            instructions,
        };
        let at = |program: &Program| {
            // SAFETY: `filter` stands while it is looked at.
            unsafe { Filter::at(core::ptr::from_ref(program) as usize) }
        };
        assert!(at(&program(filter.len(), filter.as_ptr())).is_some_and(|it| it.admits_us()));
        assert!(at(&program(0, filter.as_ptr())).is_none());
        assert!(at(&program(9, core::ptr::null())).is_none());
        // SAFETY: nothing is there.
        assert!(unsafe { Filter::at(0) }.is_none() && unsafe { Filter::at(8) }.is_none());
    }

    /// The lists name every call of this room.
    #[test]
    fn every_call_of_ours_is_asked_for() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).expect("a source");
        let lists = read("sys/filter.rs");
        let lists = lists
            .split("/// A program's filter.")
            .next()
            .expect("lists");
        let files = [
            "sys.rs",
            "sys/file.rs",
            "sys/signal.rs",
            "sys/socket.rs",
            "sys/thread.rs",
        ];
        for file in files {
            let text = read(file);
            for name in text.split("libc::SYS_").skip(1) {
                let is_of_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                let name: String = name.chars().take_while(is_of_name).collect();
                assert!(
                    lists.contains(&format!("libc::SYS_{name},")),
                    "{name} of {file}"
                );
            }
        }
    }
}

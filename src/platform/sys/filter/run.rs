//! One instruction of a filter, and the state of a run.
//!
//! Sources: seccomp(2), linux/filter.h, linux/bpf_common.h.

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    pub(super) code: u16,
    pub(super) on_true: u8,
    pub(super) on_false: u8,
    pub(super) k: u32,
}

/// The fate of a call, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is made.
    Admitted,
    /// An errno comes back.
    Refused,
    /// The thread or its process dies, a handler runs, or another process decides.
    Harmful,
}

/// The state of a run: the next instruction, and the accumulator and the index where they are
/// known.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) next: usize,
    pub(super) a: Option<u32>,
    pub(super) x: Option<u32>,
}

pub(super) enum Step {
    On,
    /// The run continues at both places.
    Fork(usize),
    End(Fate),
}

impl State {
    /// Runs one instruction of the filter for `call`.
    pub(super) fn run(&mut self, instruction: Instruction, call: i64) -> Step {
        const CLASS: u16 = 0x07;
        const MODE: u16 = 0xe0;
        const BY_X: u16 = 0x08;
        let Instruction { code, k, .. } = instruction;
        let operand = if code & BY_X == 0 { Some(k) } else { self.x };
        self.next += 1;
        match code & CLASS {
            // Loads: a constant, a part of the call, its length; the contents of scratch memory are
            // not known.
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

/// The meaning of a filter's answer. An errno of 0 means that the call was not made but reports
/// success.
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

/// Ways that were not followed yet.
pub(super) struct Ways {
    states: [State; Ways::MOST],
    count: usize,
}

impl Ways {
    const MOST: usize = 64;

    /// Only the way from the first instruction.
    pub(super) fn new() -> Ways {
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

    pub(super) fn pop(&mut self) -> Option<State> {
        self.count = self.count.checked_sub(1)?;
        self.states.get(self.count).copied()
    }

    /// False when there is no room.
    pub(super) fn push(&mut self, state: State) -> bool {
        let Some(place) = self.states.get_mut(self.count) else {
            return false;
        };
        *place = state;
        self.count += 1;
        true
    }
}

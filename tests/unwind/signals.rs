//! Signal handlers that interrupt anything: the loop of `busy.c` runs through the vdso, PLT stubs, prologues, epilogues and leaves, and
//! a timer that interrupts it takes the stack both ways in the handler.

use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use malloscope::unwind::{self, End, Registers, ThreadUnwinder};

use crate::harness::{DEPTH, Program, Stack, compile, difference, init, place};
use crate::libgcc::stack_into;

/// Stacks to take in each mode.
const WANTED: usize = 8000;

/// What a handler may use: made before, as a handler cannot allocate.
struct Workspace {
    unwinder: Box<ThreadUnwinder>,
    ours: Vec<u64>,
    libgcc: Vec<u64>,
    taken: usize,
    differences: Vec<(Stack, Vec<u64>)>,
    interrupted: Vec<u64>,
    on_another_stack: usize,
}

static WORKSPACE: AtomicPtr<Workspace> = AtomicPtr::new(ptr::null_mut());
static STOP: AtomicI32 = AtomicI32::new(0);
static SERIAL: Mutex<()> = Mutex::new(());

extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: set by `interrupt_much` for its own thread, which is the only one with the signal unblocked.
    let workspace = unsafe { &mut *WORKSPACE.load(Ordering::Relaxed) };
    workspace.ours.resize(DEPTH, 0);
    let registers = Registers::here();
    let (length, end) = unwind::unwind(&mut workspace.unwinder, registers, &mut workspace.ours);
    workspace.libgcc.clear();
    stack_into(&mut workspace.libgcc);
    // SAFETY: the kernel's third argument.
    let interrupted = unsafe { &*context.cast::<libc::ucontext_t>() };
    let sp = interrupted.uc_mcontext.gregs[libc::REG_RSP as usize] as u64;
    workspace.on_another_stack += usize::from(sp.abs_diff(registers.sp) > 1 << 20);
    workspace
        .interrupted
        .push(interrupted.uc_mcontext.gregs[libc::REG_RIP as usize] as u64);
    let is_equal = end == End::Complete && agree(&workspace.ours[1..length], &workspace.libgcc);
    if !is_equal {
        let stack = Stack {
            frames: workspace.ours[..length].to_vec(),
            end,
        };
        workspace
            .differences
            .push((stack, workspace.libgcc.clone()));
    }
    workspace.taken += 1;
    if workspace.taken == WANTED {
        STOP.store(1, Ordering::Relaxed);
    }
}

fn agree(callers: &[u64], libgcc: &[u64]) -> bool {
    let skip = libgcc.iter().position(|pc| Some(pc) == callers.first());
    skip.is_some_and(|skip| &libgcc[skip..] == callers)
}

fn interrupt_much(flags: &[&str], name: &str, handler_flags: i32) -> Box<Workspace> {
    let _alone = SERIAL.lock();
    init();
    let program = Program::load(&compile("busy.c", name, flags));
    let workspace = Box::new(Workspace {
        unwinder: Box::new(ThreadUnwinder::new()),
        ours: Vec::with_capacity(DEPTH),
        libgcc: Vec::with_capacity(DEPTH),
        taken: 0,
        differences: Vec::with_capacity(WANTED),
        interrupted: Vec::with_capacity(WANTED),
        on_another_stack: 0,
    });
    STOP.store(0, Ordering::Relaxed);
    let workspace = Box::into_raw(workspace);
    WORKSPACE.store(workspace, Ordering::Relaxed);
    // SAFETY: plain use of sigaction(2), timer_create(2) for this thread, and of the loop of `busy.c`.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | handler_flags;
        assert_eq!(libc::sigaction(libc::SIGPROF, &action, ptr::null_mut()), 0);
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGPROF;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::mem::zeroed();
        assert_eq!(
            libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer),
            0
        );
        // No multiple of anything the loop does.
        let period = libc::timespec {
            tv_sec: 0,
            tv_nsec: 99_371,
        };
        let setting = libc::itimerspec {
            it_interval: period,
            it_value: period,
        };
        assert_eq!(libc::timer_settime(timer, 0, &setting, ptr::null_mut()), 0);
        program.run()(3, 4, STOP.as_ptr());
        assert_eq!(libc::timer_delete(timer), 0);
        libc::signal(libc::SIGPROF, libc::SIG_IGN);
        Box::from_raw(workspace)
    }
}

/// Where libgcc stops short in hand-written code of PLTs without unwind information we may go on; anything else is wrong.
fn assert_equal(workspace: &Workspace) {
    assert!(workspace.taken >= WANTED);
    let told: Vec<_> = workspace
        .differences
        .iter()
        .filter_map(|(ours, libgcc)| difference(ours, libgcc))
        .collect();
    assert!(
        told.is_empty(),
        "{} of {} differ, the first: {}",
        told.len(),
        workspace.taken,
        told[0]
    );
    let places: std::collections::HashSet<_> = workspace.interrupted.iter().collect();
    assert!(
        places.len() > 50,
        "only {} places interrupted",
        places.len()
    );
}

#[test]
fn handlers_on_the_interrupted_stack() {
    let workspace = interrupt_much(&[], "busy", 0);
    assert_equal(&workspace);
    assert_eq!(workspace.on_another_stack, 0);
    let has = |name: &str| {
        workspace
            .interrupted
            .iter()
            .any(|pc| place(*pc).contains(name))
    };
    assert!(
        has("vdso")
            || !malloscope::platform::elf::all()
                .any(|object| object.name().starts_with(b"linux-vdso"))
    );
}

#[test]
fn handlers_on_a_stack_of_their_own() {
    let size = 256 << 10;
    let mut space = vec![0_u8; size + (4 << 20)];
    let stack = libc::stack_t {
        ss_sp: space.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: the memory outlives its use: it is taken back below.
    assert_eq!(unsafe { libc::sigaltstack(&stack, ptr::null_mut()) }, 0);
    let workspace = interrupt_much(&["-O1"], "busy-alternate", libc::SA_ONSTACK);
    let none = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: no handler runs any more.
    assert_eq!(unsafe { libc::sigaltstack(&none, ptr::null_mut()) }, 0);
    assert_equal(&workspace);
    assert!(workspace.on_another_stack >= WANTED);
}

#[test]
fn lazily_bound_stubs_and_frame_pointers() {
    let workspace = interrupt_much(&["-Wl,-z,lazy", "-fno-omit-frame-pointer"], "busy-lazy", 0);
    assert_equal(&workspace);
}

//! Machine code without unwind information, made here byte by byte, whose frame pointer is right, or garbage of every kind.

use std::ptr;

use malloscope::unwind::{End, Registers};

use crate::harness::{ours, place};

/// Executable memory that holds `code`.
fn executable(code: &[u8]) -> usize {
    // SAFETY: a fresh mapping; the code fits a page.
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(page, libc::MAP_FAILED);
        ptr::copy_nonoverlapping(code.as_ptr(), page.cast(), code.len());
        assert_eq!(
            libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC),
            0
        );
        page as usize
    }
}

thread_local! {
    static SEEN: std::cell::RefCell<Vec<crate::harness::Stack>> = const { std::cell::RefCell::new(Vec::new()) };
}

extern "C" fn hook() {
    let stack = ours(Registers::here());
    SEEN.with(|seen| seen.borrow_mut().push(stack));
}

fn seen() -> crate::harness::Stack {
    SEEN.with(|seen| seen.borrow_mut().pop())
        .expect("the hook ran")
}

#[test]
fn frames_with_a_frame_pointer_are_followed() {
    // push rbp; mov rbp, rsp; sub rsp, 32; call rdi; leave; ret
    let code = executable(b"\x55\x48\x89\xe5\x48\x83\xec\x20\xff\xd7\xc9\xc3");
    // SAFETY: the code above.
    let call: extern "C" fn(extern "C" fn()) = unsafe { std::mem::transmute(code) };
    call(hook);
    let stack = seen();
    let at = stack
        .frames
        .iter()
        .position(|pc| *pc == code as u64 + 10)
        .expect("the frame of the code");
    assert_eq!(
        stack.end,
        End::Complete,
        "{:?}",
        stack.frames.iter().map(|pc| place(*pc)).collect::<Vec<_>>()
    );
    // What is above agrees with a stack taken here, but for the address within this function.
    let own = ours(Registers::here());
    assert_eq!(stack.frames[at + 2..], own.frames[1..]);
    assert!(
        malloscope::platform::elf::own()
            .expect("found")
            .contains(stack.frames[at + 1] as usize)
    );
}

/// Calls the hook with rbp holding `garbage`.
fn with_garbage(garbage: u64) -> crate::harness::Stack {
    // push rbp; mov rbp, rsi; call rdi; nop; pop rbp; ret
    let code = executable(b"\x55\x48\x89\xf5\xff\xd7\x90\x5d\xc3");
    // SAFETY: the code above.
    let call: extern "C" fn(extern "C" fn(), u64) = unsafe { std::mem::transmute(code) };
    call(hook, garbage);
    let stack = seen();
    assert_eq!(
        stack.frames.last(),
        Some(&(code as u64 + 6)),
        "nothing is believed behind the garbage {garbage:#x}"
    );
    stack
}

#[test]
fn where_the_function_ends_behind_the_call_no_frame_pointer_is_asked() {
    let ends: [&[u8]; 3] = [
        // push rbp; push rbx; sub rsp, 24; mov rbp, rsi; call rdi; add rsp, 24; pop rbx; pop rbp; ret
        b"\x55\x53\x48\x83\xec\x18\x48\x89\xf5\xff\xd7\x48\x83\xc4\x18\x5b\x5d\xc3",
        // push rbp; push r12; push r13; mov rbp, rsi; call rdi; pop r13; pop r12; pop rbp; ret
        b"\x55\x41\x54\x41\x55\x48\x89\xf5\xff\xd7\x41\x5d\x41\x5c\x5d\xc3",
        // push rbp; mov rbp, rsi; call rdi; pop rbp; ret
        b"\x55\x48\x89\xf5\xff\xd7\x5d\xc3",
    ];
    for end in ends {
        let code = executable(end);
        // SAFETY: the code above.
        let call: extern "C" fn(extern "C" fn(), u64) = unsafe { std::mem::transmute(code) };
        call(hook, 0x1234);
        let stack = seen();
        let inside = |pc: &u64| (code as u64..code as u64 + 4096).contains(pc);
        let at = stack.frames.iter().position(inside).expect("its frame");
        let own = ours(Registers::here());
        assert_eq!(stack.frames[at + 2..], own.frames[1..]);
        assert_eq!(stack.end, End::Complete);
    }
}

#[test]
fn garbage_in_the_frame_pointer_is_not_followed() {
    let on_stack = 0_u64;
    let here = &raw const on_stack as u64;
    let unmapped = executable(&[]);
    // SAFETY: mapped by `executable`.
    unsafe { libc::munmap(unmapped as *mut _, 4096) };
    let heap = Box::leak(Box::new([1_u64; 64])).as_ptr() as u64;
    let garbage = [
        1,
        8,
        0x1000,
        unmapped as u64,
        u64::MAX,
        u64::MAX - 7,
        1 << 63,
        0x7fff_ffff_fff8,
        0xffff_8000_0000_0000,
        0xffff_ffff_ff60_0000,
        heap,
        with_garbage as fn(u64) -> crate::harness::Stack as usize as u64,
        // Misaligned, below the frame, far above it.
        here + 1,
        here + 4,
        here - 4096,
        here - (1 << 20),
        here + (1 << 20),
        here + (1 << 30),
    ];
    for garbage in garbage {
        assert_eq!(with_garbage(garbage).end, End::NoInfo, "{garbage:#x}");
    }
    assert_eq!(
        with_garbage(0).end,
        End::Complete,
        "zero marks the outermost frame"
    );
}

#[test]
fn what_looks_like_a_frame_but_is_no_return_address_is_not_believed() {
    // On the stack, aligned, above: but the word over it is data, or code that does not follow a call.
    let function = jump_over as fn() as usize as u64;
    for pc in [
        0x10,
        function,
        function + 1,
        0x4141_4141_4141,
        1 << 46,
        u64::MAX,
    ] {
        let frame = std::hint::black_box([0_u64, pc]);
        let stack = with_garbage(&raw const frame as u64);
        assert_eq!(stack.end, End::NoInfo, "{pc:#x}");
    }
    let frame = std::hint::black_box([0_u64, 0]);
    assert_eq!(with_garbage(&raw const frame as u64).end, End::Complete);
}

fn jump_over() {}

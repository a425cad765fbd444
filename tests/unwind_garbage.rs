//! The unwinder among garbage: tables of random bytes, real ones with errors, any registers at all. No panic, no fault, whatever the
//! answer. Apart from the other tests, because it fills the process' table of rules with nonsense.

use malloscope::platform::elf;
use malloscope::unwind::eh_frame::find_rule;
use malloscope::unwind::modules::{self, Module, Tables};
use malloscope::unwind::rule::{Base, Cfa, Saved, Step};
use malloscope::unwind::{self, Registers, ThreadUnwinder};
use proptest::prelude::*;

/// An `.eh_frame_hdr` of one row and its `.eh_frame`, as linkers lay them out.
fn image(eh_frame: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0x1b, 0x03, 0x3b];
    bytes.extend(16_i32.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((-4096_i32).to_le_bytes());
    bytes.extend(20_i32.to_le_bytes());
    bytes.extend(eh_frame);
    bytes
}

fn look_up(image: &[u8], pc: u64) {
    let start = image.as_ptr() as usize;
    let section = |address: usize| image.get(address.checked_sub(start)?..);
    if let Some(tables) = Tables::parse(image, section) {
        let _ = find_rule(&tables, pc);
    }
}

/// A CIE and an FDE whose instructions are `instructions`, for the 4096 bytes before the image.
fn entry(instructions: &[u8]) -> Vec<u8> {
    // Version 1, "zR", code alignment 1, data alignment -8, return address 16; pointers pcrel and sdata4; CFA = r7 + 8, r16 at CFA - 8.
    let cie = b"\0\0\0\0\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\0\0";
    let mut bytes = (cie.len() as u32).to_le_bytes().to_vec();
    bytes.extend(cie);
    let length = (4 + 4 + 4 + 1 + instructions.len()) as u32;
    bytes.extend(length.to_le_bytes());
    bytes.extend((bytes.len() as u32).to_le_bytes());
    // The image begins 20 bytes before these, the code 4096 before the image.
    bytes.extend((-4096 - 20 - bytes.len() as i32).to_le_bytes());
    bytes.extend(4096_u32.to_le_bytes());
    bytes.push(0);
    bytes.extend(instructions);
    bytes
}

/// The same with the row pointing at the FDE.
fn image_of_entry(instructions: &[u8]) -> Vec<u8> {
    let mut bytes = image(&entry(instructions));
    bytes[16..20].copy_from_slice(&(20_i32 + 24).to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), before in 0_u64..5000) {
        look_up(&bytes, (bytes.as_ptr() as u64).saturating_sub(before));
        let image = image(&bytes);
        look_up(&image, image.as_ptr() as u64 - before);
    }

    #[test]
    fn random_instructions(bytes in proptest::collection::vec(any::<u8>(), 0..60), before in 1_u64..4096) {
        let image = image_of_entry(&bytes);
        look_up(&image, image.as_ptr() as u64 - before);
    }

    #[test]
    fn random_counts(count: u32, offset: i32, row: [i32; 2]) {
        let mut image = image_of_entry(&[0]);
        image[4..8].copy_from_slice(&offset.to_le_bytes());
        image[8..12].copy_from_slice(&count.to_le_bytes());
        image[12..16].copy_from_slice(&row[0].to_le_bytes());
        image[16..20].copy_from_slice(&row[1].to_le_bytes());
        look_up(&image, image.as_ptr() as u64 - 64);
    }

    #[test]
    fn real_tables_with_errors(errors in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200), at: prop::sample::Index) {
        unwind::init();
        let object = elf::all().find(|object| object.name().ends_with(b"libc.so.6")).expect("libc");
        let module = Module::of(&object).expect("a module");
        let real = module.tables().expect("tables");
        // The rows refer to the real place, so the damaged copy pretends to be there.
        let mut eh_frame = real.eh_frame[..(64 << 10).min(real.eh_frame.len())].to_vec();
        let mut rows = real.rows.to_vec();
        for (place, byte) in &errors {
            eh_frame[place.index(60_000)] = *byte;
            let row = place.index(rows.len());
            rows[row][usize::from(byte & 1)][usize::from(byte >> 1 & 3)] ^= byte;
        }
        let tables = Tables { rows: &rows, eh_frame: &eh_frame, ..real };
            let [start, _] = rows[at.index(rows.len())];
        let pc = real.header_address().wrapping_add_signed(i64::from(i32::from_le_bytes(start)));
        let _ = find_rule(&tables, pc.wrapping_add(at.index(64) as u64));
    }
}

/// What `instructions` come to a hundred bytes before the end of the function they describe.
fn step(instructions: &[u8]) -> Step {
    let image = image_of_entry(instructions);
    let start = image.as_ptr() as usize;
    let tables = Tables::parse(&image, |address| image.get(address - start..)).expect("tables");
    assert!(
        find_rule(&tables, start as u64).is_none(),
        "behind the function"
    );
    find_rule(&tables, start as u64 - 100)
        .expect("a rule")
        .unpack()
}

#[test]
fn instructions_that_compilers_write() {
    let frame = |cfa, bp, bx| Step::Frame { cfa, bp, bx };
    // advance 1; CFA offset 16; rbp at CFA - 16
    let pushed = frame(Cfa::Plus(Base::Sp, 16), Saved::AtCfa(-16), Saved::Same);
    assert_eq!(step(b"\x41\x0e\x10\x86\x02"), pushed);
    // ... remember; CFA = rsp + 8; restore rbp; restore the row: as if nothing had been
    assert_eq!(
        step(b"\x41\x0e\x10\x86\x02\x0a\x0c\x07\x08\xc6\x0b"),
        pushed
    );
    // ... advance 4095: what follows no longer concerns the address
    assert_eq!(
        step(b"\x41\x0e\x10\x86\x02\x03\xff\x0f\x0e\x80\x01"),
        pushed
    );
    // CFA = rbp + 16; rbp and rbx saved
    let pointer = frame(
        Cfa::Plus(Base::Bp, 16),
        Saved::AtCfa(-16),
        Saved::AtCfa(-24),
    );
    assert_eq!(step(b"\x0e\x10\x86\x02\x0d\x06\x83\x03"), pointer);
    // CFA = *(rbp - 8); rbp at rbp + 0; rbx at rbp - 16: a stack that was aligned
    let aligned = frame(Cfa::Load(Base::Bp, -8, 0), Saved::AtBp(0), Saved::AtBp(-16));
    assert_eq!(
        step(b"\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00\x10\x03\x02\x76\x70"),
        aligned
    );
    // CFA = r10: its prologue
    let prologue = frame(Cfa::Other(10, 0), Saved::Same, Saved::Same);
    assert_eq!(step(b"\x0c\x0a\x00"), prologue);
    // The return address is undefined: the outermost frame.
    assert_eq!(step(b"\x07\x10"), Step::End);
    // The return address in rdi; rbp in r8; rbp is CFA - 16; more remembered rows than anybody writes.
    for unknown in [
        &b"\x09\x10\x05"[..],
        b"\x09\x06\x08",
        b"\x14\x06\x02",
        b"\x0a\x0a\x0a\x0a",
        b"\x0b",
    ] {
        assert_eq!(step(unknown), Step::Unknown, "{unknown:x?}");
    }
    // What becomes of other registers, and of rbx in a way no walk needs, does not matter.
    assert_eq!(
        step(b"\x41\x0e\x10\x86\x02\x09\x0c\x05\x8d\x03\x14\x03\x02"),
        pushed
    );
}

#[test]
fn the_table_of_our_own_lists_what_the_loader_answers() {
    unwind::init();
    for object in elf::all() {
        let Some(ours) = Module::of(&object) else {
            continue;
        };
        let Some(loaders) = modules::find(ours.addresses().start as u64) else {
            continue;
        };
        assert_eq!(
            ours.tables().map(|tables| tables.header_address()),
            loaders.tables().map(|tables| tables.header_address())
        );
        assert_eq!(ours.addresses().start, loaders.addresses().start);
    }
}

#[test]
fn any_registers_at_all_are_survived() {
    unwind::init();
    let mut unwinder = Box::new(ThreadUnwinder::new());
    let mut out = [0; 64];
    let here = Registers::here();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..20_000 {
        let mut any = |near: u64| match next() % 4 {
            0 => near,
            1 => near.wrapping_add_signed((next() as i64 >> 50) * 8),
            2 => near.wrapping_add(next() % 4096),
            _ => next() >> (next() % 64),
        };
        let registers = Registers {
            pc: any(here.pc),
            sp: any(here.sp),
            bp: any(here.bp),
            bx: any(here.bx),
        };
        let (length, _) = unwind::unwind(&mut unwinder, registers, &mut out);
        assert!((1..=out.len()).contains(&length));
        assert_eq!(out[0], registers.pc);
    }
}

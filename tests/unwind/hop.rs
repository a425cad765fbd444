//! framehop, told the modules that are loaded. Also used by the bench.

use std::ops::Deref;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind, Unwinder};
use malloscope::platform::elf;
use malloscope::unwind::Registers;
use malloscope::unwind::modules::Module;

/// Bytes of a loaded object.
#[derive(Clone, Copy, Default)]
pub struct Loaded(&'static [u8]);

impl Deref for Loaded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// framehop with the modules loaded now.
pub struct Framehop {
    unwinder: UnwinderX86_64<Loaded, MustNotAllocateDuringUnwind>,
    cache: CacheX86_64<MustNotAllocateDuringUnwind>,
}

impl Framehop {
    pub fn new() -> Framehop {
        let mut unwinder = UnwinderX86_64::new();
        for object in elf::all() {
            let Some(module) = Module::of(&object) else {
                continue;
            };
            let Some(tables) = module.tables() else {
                continue;
            };
            let base = object.base() as u64;
            let range = module.addresses();
            let header = tables.header;
            let info = ExplicitModuleSectionInfo {
                base_svma: 0,
                eh_frame_svma: Some(tables.eh_frame_address - base..range.end as u64 - base),
                eh_frame: Some(Loaded(tables.eh_frame)),
                eh_frame_hdr_svma: Some(
                    tables.header_address() - base
                        ..tables.header_address() - base + header.len() as u64,
                ),
                eh_frame_hdr: Some(Loaded(header)),
                ..Default::default()
            };
            let name = String::from_utf8_lossy(object.name()).into_owned();
            unwinder.add_module(framehop::Module::new(
                name,
                range.start as u64..range.end as u64,
                base,
                info,
            ));
        }
        Framehop {
            unwinder,
            cache: CacheX86_64::new_in(),
        }
    }

    /// Its stack from `registers` into `out`: the number of frames.
    pub fn walk(&mut self, registers: Registers, out: &mut [u64]) -> usize {
        // SAFETY: framehop asks for words of the stack, above the stack pointer, in the tests' ordinary code.
        let mut read = |address: u64| Ok(unsafe { *(address as *const u64) });
        let start = UnwindRegsX86_64::new(registers.pc, registers.sp, registers.bp);
        let mut frames = self
            .unwinder
            .iter_frames(registers.pc, start, &mut self.cache, &mut read);
        let mut length = 0;
        while let Ok(Some(frame)) = frames.next() {
            let Some(slot) = out.get_mut(length) else {
                break;
            };
            *slot = frame.address();
            length += 1;
        }
        length
    }
}

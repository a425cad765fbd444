//! Code that is not there any more: its addresses in the stacks of a dump, and the lines that say what
//! lay there. Also the lines of what is there, where the kernel does not tell.
//!
//! Each stack passes through here on its way into the dump. In a process that never closed a library
//! whose code was on a stack, that is one question a dump.

use profile_format::maps::Mapping;

use super::writer::{Profile, Result};
use crate::platform::scratch::Scratch;
use crate::table::stack_table::MAX_FRAMES;
use crate::unwind::history::{self, Record};

/// Moves addresses of modules that are gone while a dump is written.
pub struct Gone {
    /// Room for a stack; `None`: no module is gone.
    room: Option<Scratch>,
}

impl Gone {
    /// Looks whether there is anything to move.
    pub fn begin() -> Gone {
        history::forget_wanted();
        let room = || Scratch::map(MAX_FRAMES * size_of::<u64>());
        Gone {
            room: history::is_any_gone().then(room).flatten(),
        }
    }

    /// The frames of a stack as they stand in the dump.
    pub fn moved<'a>(&'a mut self, frames: &'a [u64]) -> &'a [u64] {
        let Some(room) = &mut self.room else {
            return frames;
        };
        let places = room.words();
        for (place, frame) in places.iter_mut().zip(frames) {
            *place = history::written(*frame);
        }
        places.get(..frames.len()).unwrap_or(frames)
    }
}

/// The build ids of modules that the dump refers to and that are gone.
pub fn build_ids(out: &mut Profile<'_, '_>) -> Result {
    for (upper, module) in history::wanted() {
        build_id(upper, module, module.path(), out)?;
    }
    Ok(())
}

/// The mappings that these had.
pub fn maps(out: &mut Profile<'_, '_>) -> Result {
    for (upper, module) in history::wanted() {
        mappings(upper, module, module.path(), out)?;
    }
    Ok(())
}

/// The build ids of what walks have met: where the kernel does not tell what is mapped.
pub fn known_build_ids(program: &[u8], out: &mut Profile<'_, '_>) -> Result {
    for module in history::present() {
        build_id(0, module, path_of(module, program), out)?;
    }
    Ok(())
}

/// The mappings of what walks have met, `program` where the loader has no path.
pub fn known_maps(program: &[u8], out: &mut Profile<'_, '_>) -> Result {
    for module in history::present() {
        mappings(0, module, path_of(module, program), out)?;
    }
    Ok(())
}

fn path_of<'a>(module: &Record, program: &'a [u8]) -> &'a [u8] {
    match module.path() {
        b"" => program,
        path if path.starts_with(b"linux-vdso") => b"[vdso]",
        path => path,
    }
}

fn build_id(upper: u64, module: &Record, path: &[u8], out: &mut Profile<'_, '_>) -> Result {
    let first = module.segments().next();
    match (module.build_id(), first) {
        (id @ [_, ..], Some(first)) => out.build_id(upper | first.start as u64, id, path),
        _ => Ok(()),
    }
}

fn mappings(upper: u64, module: &Record, path: &[u8], out: &mut Profile<'_, '_>) -> Result {
    for segment in module.segments() {
        let may = |flag: u32| segment.flags & flag != 0;
        out.mapping(&Mapping {
            start: upper | segment.start as u64,
            end: upper | segment.end as u64,
            read: may(libc::PF_R),
            write: may(libc::PF_W),
            execute: may(libc::PF_X),
            offset: segment.offset,
            inode: 0,
            path,
            deleted: false,
            unloaded: upper != 0,
        })?;
    }
    Ok(())
}

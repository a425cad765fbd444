//! A symbol that some object other than our own defines.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

use super::list::{all, objects_after_own};
use super::many::Name;
use super::object::{Dyn, Object};
use super::symbols::Symbol;

/// The first definition of `name` in the objects after ours or, if there is none, in those before
/// ours. Never our own.
pub fn next_symbol(name: &[u8]) -> Option<(Symbol, Object)> {
    let name = Name::new(name);
    let find = |object: Object| Some((object.table()?.symbol(name)?, object));
    let before = || all().take_while(|object| !object.is_own()).find_map(find);
    objects_after_own().find_map(find).or_else(before)
}

/// A definition of `name` outside our object, found under the loader's own lock: for cold paths
/// that may run while another thread closes libraries. The thread that holds the lock may be
/// waiting for the caller. So this may be called only where the alternative is worse.
pub fn symbol_under_lock(name: &[u8]) -> Option<usize> {
    let mut search = Search { name, found: None };
    // SAFETY: `visit` accepts what dl_iterate_phdr(3) passes, and `search` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

struct Search<'a> {
    name: &'a [u8],
    found: Option<usize>,
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `symbol_under_lock` passes its variable. The loader passes one object after the other
    // with its headers, which are valid while its lock is held.
    let (search, info, segments) = unsafe {
        let info = &*info;
        let segments = core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (&mut *search.cast::<Search<'_>>(), info, segments)
    };
    let base = info.dlpi_addr as usize;
    let dynamic = segments
        .iter()
        .find(|segment| segment.p_type == libc::PT_DYNAMIC);
    let object = dynamic.map(|segment| Object {
        base,
        dynamic: base.wrapping_add(segment.p_vaddr as usize) as *const Dyn,
        name: info.dlpi_name,
    });
    search.found = object
        .filter(|object| !object.is_own())
        .and_then(|object| object.symbol(search.name))
        .map(|symbol| symbol.addr);
    c_int::from(search.found.is_some())
}

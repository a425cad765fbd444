//! Modules that are met, and what becomes of their addresses.

use std::ffi::CStr;
use std::sync::Mutex;

use super::*;

/// The tests share one history.
static ALONE: Mutex<()> = Mutex::new(());

fn inside() -> u64 {
    inside as fn() -> u64 as usize as u64
}

/// A record that does as if another module had lain where this program is.
fn pretend(print: u64, is_later: bool) -> &'static Record {
    let object = elf::find_by_address(inside() as usize).expect("this program");
    let extent = record::extent(&object).expect("segments");
    let number = length();
    add(&object, &extent, print, is_later, 0);
    record(&RECORDS[number]).expect("just added")
}

fn clear() {
    // SAFETY: the tests run one after the other, and no walk is under way.
    unsafe { abandon() };
    modules::init();
}

#[test]
fn a_module_that_is_there_leaves_addresses_as_they_are() {
    let _alone = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
    clear();
    assert!(meet(inside()) && meet(inside()));
    assert_eq!(present().count(), 1);
    assert!(!is_layered() && !is_any_gone());
    assert_eq!(written(inside()), inside());
    after_close();
    assert!(!is_any_gone(), "nothing was closed");
    assert!(meet(inside()));
    assert_eq!(present().count(), 1);
}

#[test]
fn an_address_stands_for_the_module_that_was_there() {
    let _alone = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
    clear();
    let old = pretend(1, false);
    let taken = inside();
    // Now a walk meets what really lies there.
    assert!(meet(inside()));
    assert!(old.is_gone() && is_layered() && is_any_gone());
    let mut frames = [taken, 0x1000];
    mark(&mut frames);
    let [new, other] = frames;
    assert_eq!(new, taken | upper(module_at(taken).expect("the program")));
    assert_eq!(other, 0x1000);
    // In the dump the new one is bare, and the old one has its number.
    forget_wanted();
    assert_eq!((written(new), wanted().count()), (taken, 0));
    assert_eq!(written(taken), taken | FIRST << ADDRESS_BITS);
    assert_eq!(
        wanted()
            .map(|(upper, _)| upper >> ADDRESS_BITS)
            .collect::<Vec<_>>(),
        [FIRST]
    );
    assert_eq!(written(0x1000), 0x1000, "of no module");
}

#[test]
fn a_module_that_comes_back_is_the_one_it_was() {
    let _alone = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
    clear();
    assert!(meet(inside()));
    let other = pretend(1, true);
    bury(module_at(inside()).expect("the program"));
    CLOSINGS.fetch_add(1, Relaxed);
    assert!(meet(inside()));
    assert!(other.is_gone());
    assert_eq!(length(), 2);
    assert_eq!(written(inside()), inside());
}

#[test]
fn a_library_that_is_closed_is_gone() {
    let _alone = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
    clear();
    let name = c"libmvec.so.1";
    let symbol = |handle, name: &CStr| {
        // SAFETY: a handle of dlopen, and a string that ends.
        unsafe { libc::dlsym(handle, name.as_ptr()) as u64 }
    };
    // SAFETY: a library of glibc, whose constructors do nothing.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    let at = symbol(handle, c"_ZGVbN2v_sin");
    assert!(!handle.is_null() && at != 0);
    assert!(meet(at));
    let record = module_at(at).expect("met");
    assert!(record.path().ends_with(b"libmvec.so.1"));
    before_close();
    // SAFETY: the handle from above, used no more.
    unsafe { libc::dlclose(handle) };
    after_close();
    assert!(record.is_gone());
    assert_eq!(written(at) & ((1 << ADDRESS_BITS) - 1), at);
    assert_ne!(written(at), at);
}

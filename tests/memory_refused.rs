//! The kernel refuses memory for a moment: no more is lost than what was sampled then. A process of
//! its own, for the arena is one for all of it.

use malloscope::diag::{Counter, counted};
use malloscope::table::arena;

#[test]
fn what_the_kernel_refuses_is_asked_for_again() {
    arena::set_ceiling(usize::MAX);
    assert!(
        arena::map(1 << 60).is_none(),
        "more than there are addresses"
    );
    assert_eq!(counted(Counter::ArenaExhausted), 1);
    assert!(!arena::exhausted(), "sampling goes on");
    assert_eq!(arena::used(), 0);
    assert!(arena::map(4096).is_some());
    arena::set_ceiling(8192);
    assert!(arena::map(8192).is_none());
    assert!(arena::exhausted(), "the ceiling is for good");
}

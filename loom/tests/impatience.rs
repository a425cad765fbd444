//! The gate when time runs out. In a program of its own: the clock is for all tests.

use std::sync::atomic::Ordering;

use loom::sync::Arc;
use loom::thread;
use malloscope_loom::platform::sys::TIME_IS_UP;
use malloscope_loom::table::fork_gate::ForkGate;

#[test]
fn nobody_waits_for_ever() {
    TIME_IS_UP.store(true, Ordering::Relaxed);
    loom::model(|| {
        let gate = Arc::new(ForkGate::new());
        let other = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || drop(gate.enter()))
        };
        let _quiet = gate.close();
        gate.open();
        other.join().expect("no panic");
        assert!(gate.enter().is_some(), "open again");
        assert!(gate.close(), "and empty");
    });
}

//! The lock and the gate.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use malloscope_loom::table::fork_gate::ForkGate;
use malloscope_loom::table::sync::SpinLock;

fn check(threads: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    // All orders for two threads; for more, those with so many interruptions.
    model.preemption_bound = (threads > 2).then_some(3);
    model.check(test);
}

struct Counter {
    lock: SpinLock,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is touched under `lock`; loom says so if not.
unsafe impl Sync for Counter {}

impl Counter {
    fn add(&self) {
        let _held = self.lock.lock();
        // SAFETY: the lock is held.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }
}

fn counting(threads: u32) {
    check(threads as usize, move || {
        let counter = Arc::new(Counter {
            lock: SpinLock::new(),
            value: UnsafeCell::new(0),
        });
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let counter = Arc::clone(&counter);
                thread::spawn(move || counter.add())
            })
            .collect();
        counter.add();
        for other in others {
            other.join().expect("no panic");
        }
        let _held = counter.lock.try_lock().expect("it is free");
        // SAFETY: the lock is held.
        assert_eq!(counter.value.with(|value| unsafe { *value }), threads);
    });
}

#[test]
fn the_lock_lets_one_in_and_wakes_who_sleeps() {
    counting(2);
}

#[test]
fn the_lock_wakes_each_of_two_sleepers() {
    counting(3);
}

struct House {
    gate: ForkGate,
    inside: UnsafeCell<u32>,
}

// SAFETY: `inside` is read by those inside and written while nobody is; loom says so if not.
unsafe impl Sync for House {}

fn forking(threads: usize) {
    check(threads, move || {
        let house = Arc::new(House {
            gate: ForkGate::new(),
            inside: UnsafeCell::new(0),
        });
        let visit = |house: Arc<House>| {
            let _pass = house.gate.enter().expect("time stands still");
            // SAFETY: inside.
            house.inside.with(|value| unsafe { *value });
        };
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let house = Arc::clone(&house);
                thread::spawn(move || visit(house))
            })
            .collect();
        assert!(house.gate.close(), "all come out");
        // SAFETY: closed, and nobody is inside.
        house.inside.with_mut(|value| unsafe { *value += 1 });
        house.gate.open();
        for other in others {
            other.join().expect("no panic");
        }
    });
}

#[test]
fn nobody_is_inside_while_the_gate_is_closed() {
    forking(2);
}

#[test]
fn two_visitors_are_waited_for() {
    forking(3);
}

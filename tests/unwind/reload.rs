//! A library closed, and another one loaded at its address.

use std::collections::HashMap;

use malloscope::unwind;

use crate::harness::{Program, assert_agreement, compile, take, taken};

#[test]
fn rules_of_a_closed_library_are_forgotten() {
    let libraries = [
        compile("reload.c", "reload-small", &["-DFRAME=600"]),
        compile("reload.c", "reload-large", &["-DFRAME=3000"]),
    ];
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let mut at_the_same_address = 0;
    for round in 0..40 {
        let which = round % 2;
        let program = Program::load(&libraries[which]);
        program.run()(1, 2, take as extern "C" fn());
        let pairs = taken();
        assert_agreement(&pairs, 1);
        let inner = pairs[0].0.frames[1];
        at_the_same_address += usize::from(
            seen.insert(inner, which)
                .is_some_and(|other| other != which),
        );
        unwind::bump_generation();
        program.close();
        unwind::bump_generation();
    }
    assert!(
        at_the_same_address > 0,
        "the loader never used an address twice"
    );
}

//! Which native frames are the interpreter's. Pure.

use core::ops::Range;

use crate::unwind::End;

/// Frames of the interpreter that are kept where it cannot be seen which of them runs Python code.
const INNERMOST: usize = 3;

/// Code that is left out or replaced.
pub struct Code {
    /// The function that runs Python code.
    pub evaluation: Range<u64>,
    /// The libraries whose frames say nothing behind the first Python frame.
    pub glue: [Range<u64>; 2],
}

impl Code {
    /// Does it return into the evaluation function?
    pub fn is_evaluation(&self, return_address: u64) -> bool {
        self.evaluation.contains(&return_address.wrapping_sub(1))
    }

    /// Does it return into code that is left out?
    pub fn is_glue(&self, return_address: u64) -> bool {
        let mut glue = self.glue.iter();
        glue.any(|range| range.contains(&return_address.wrapping_sub(1)))
    }

    /// Is it in the interpreter's own library?
    fn is_interpreter(&self, return_address: u64) -> bool {
        let [library, _] = &self.glue;
        library.contains(&return_address.wrapping_sub(1))
    }

    /// Without the frame in which the process or the thread begins. Where no call of the evaluation
    /// function is seen (3.14 may be built so that each instruction is a function of its own), only the
    /// innermost: those of a library that Python has called, or else some of the interpreter's.
    pub fn without_outermost<'a>(&self, native: &'a [u64], end: End, calls: usize) -> &'a [u64] {
        let all = match native {
            [inner @ .., _] if end == End::Complete => inner,
            all => all,
        };
        if calls != 0 {
            return all;
        }
        let count = |from: usize, most: usize, own: bool| {
            let frames = all.iter().skip(from).take(most);
            frames
                .take_while(|pc| self.is_interpreter(**pc) == own)
                .count()
        };
        let own = count(0, INNERMOST, true);
        let foreign = count(own, all.len(), false);
        all.get(..own + foreign).unwrap_or(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code = Code {
        evaluation: 100..200,
        glue: [100..1000, 2000..3000],
    };

    #[test]
    fn frames_are_told_apart_by_the_call_before_their_address() {
        assert!(CODE.is_evaluation(200) && !CODE.is_evaluation(100));
        assert!(CODE.is_glue(1000) && CODE.is_glue(2001));
        assert!(!CODE.is_glue(1001) && !CODE.is_interpreter(2001));
    }

    #[test]
    fn without_a_call_only_the_innermost_are_kept() {
        let kept = |native: &[u64], calls| {
            let kept = CODE.without_outermost(native, End::Complete, calls);
            kept.to_vec()
        };
        let all = [500, 600, 150, 5000, 9];
        assert_eq!(kept(&all, 1), all[..4], "the process begins in the last");
        assert_eq!(kept(&[500, 501, 502, 503, 5000, 504, 9], 0), [500, 501, 502]);
        assert_eq!(kept(&[500, 5000, 2500, 501, 5001, 9], 0), [500, 5000, 2500]);
        assert_eq!(kept(&[5000, 501, 9], 0), [5000]);
        assert_eq!(kept(&[], 0), []);
    }
}

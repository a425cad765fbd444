//! What is packed comes back.

use super::*;
use proptest::prelude::*;

fn multiple(bits: u32) -> impl Strategy<Value = i64> {
    let end = 1_i64 << (bits - 1);
    (-end..end).prop_map(|words| words * 8)
}

fn any_base() -> impl Strategy<Value = Base> {
    prop_oneof![Just(Base::Sp), Just(Base::Bp), Just(Base::Bx)]
}

fn any_cfa() -> impl Strategy<Value = Cfa> {
    prop_oneof![
        (any_base(), multiple(24)).prop_map(|(base, offset)| Cfa::Plus(base, offset)),
        (any_base(), multiple(16), multiple(8))
            .prop_map(|(base, offset, addend)| Cfa::Load(base, offset, addend)),
        (0_u8..16, multiple(20)).prop_map(|(register, offset)| Cfa::Other(register, offset)),
    ]
}

fn any_saved() -> impl Strategy<Value = Saved> {
    prop_oneof![
        Just(Saved::Same),
        multiple(16).prop_map(Saved::AtCfa),
        multiple(16).prop_map(Saved::AtBp),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any_cfa(), any_saved(), any_saved())
            .prop_map(|(cfa, bp, bx)| Step::Frame { cfa, bp, bx }),
        1 => (multiple(16), multiple(16), any::<bool>()).prop_map(|(at, depth_at, saves_bp)| {
            Step::Goroutine(Goroutine { at, depth_at, saves_bp })
        }),
        1 => prop_oneof![
            Just(Step::FramePointer),
            Just(Step::Signal),
            Just(Step::End),
            Just(Step::Unknown)
        ],
    ]
}

proptest! {
    #[test]
    fn what_fits_comes_back(step in any_step()) {
        prop_assert_eq!(Rule::pack(step).unpack(), step);
    }

    #[test]
    fn what_does_not_fit_is_unknown(offset in any::<i64>(), register in any::<u8>()) {
        for cfa in [Cfa::Plus(Base::Sp, offset), Cfa::Load(Base::Bp, offset, 0), Cfa::Other(register, offset)] {
            let step = Step::Frame { cfa, bp: Saved::AtCfa(offset), bx: Saved::Same };
            let back = Rule::pack(step).unpack();
            prop_assert!(back == step || back == Step::Unknown);
            if offset % 8 != 0 {
                prop_assert_eq!(back, Step::Unknown);
            }
        }
    }

    #[test]
    fn the_plain_form_says_the_same(base in any_base(), cfa in -20..99_i64, bp in -99..9_i64, bx in -99..9_i64) {
        let (cfa, bp, bx) = (cfa * WORD, bp * WORD, bx * WORD);
        let saved = |offset: i64| if offset == 0 { Saved::Same } else { Saved::AtCfa(offset) };
        let step = Step::Frame { cfa: Cfa::Plus(base, cfa), bp: saved(bp), bx: saved(bx) };
        let is_inside = |offset: i64| offset <= 0 && (base != Base::Sp || cfa + offset >= 0);
        let is_plain = cfa > 0 && is_inside(bp) && is_inside(bx);
        let plain = is_plain.then(|| Plain {
            base,
            return_address: cfa as u64 - 8,
            bp: bp / WORD,
            bx: bx / WORD,
        });
        let rule = Rule::pack(step);
        prop_assert_eq!(rule.plain(), plain);
        prop_assert_eq!(rule.from_sp(), plain.filter(|plain| plain.base == Base::Sp));
        let bare = plain.filter(|plain| plain.base == Base::Sp && plain.bp == 0 && plain.bx == 0);
        prop_assert_eq!(rule.bare(), bare.map(|plain| plain.return_address));
    }

    #[test]
    fn only_plain_frames_have_a_plain_form(step in any_step()) {
        if let Some(plain) = Rule::pack(step).plain() {
            let Step::Frame { cfa, .. } = step else { panic!("{step:?}") };
            prop_assert_eq!(cfa, Cfa::Plus(plain.base, plain.return_address as i64 + 8));
        }
    }

    #[test]
    fn any_word_is_some_rule(bits in any::<u64>()) {
        let step = Rule::from_bits(bits).unpack();
        let back = Rule::pack(step).unpack();
        prop_assert!(back == step || back == Step::Unknown);
    }
}

#[test]
fn the_widest_frames_fit() {
    let wide = (1 << 26) - 8;
    let step = Step::Frame {
        cfa: Cfa::Plus(Base::Sp, wide),
        bp: Saved::AtCfa(-16),
        bx: Saved::AtCfa(-(1 << 18)),
    };
    assert_eq!(Rule::pack(step).unpack(), step);
}

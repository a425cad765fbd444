//! Names of frames, by example.

use super::*;

fn line(full: &str, short: &str, start: u64) -> Line {
    let short = (short != full).then(|| short.to_owned());
    Line {
        function: full.into(),
        short,
        start: Some(start),
        ..Line::default()
    }
}

fn site<'a>(location: &'a Location, mapping: Option<&'a Mapping>) -> Site<'a> {
    Site {
        id: crate::profile::model::LocationId(0),
        depth: 0,
        location,
        line: location.lines.first(),
        mapping,
    }
}

/// One mapping a module, one location a line.
fn profile(build_id: &str, lines: &[(&str, Line)]) -> Profile {
    let mut profile = Profile::default();
    for (at, (module, line)) in lines.iter().enumerate() {
        profile.mappings.push(Mapping {
            path: (*module).to_owned(),
            build_id: Some(build_id.into()),
            ..Mapping::default()
        });
        profile.locations.push(Location {
            address: 0x10 + at as u64,
            mapping: Some(at),
            lines: vec![line.clone()].into(),
            ..Location::default()
        });
    }
    profile
}

fn names(profiles: &[&Profile]) -> Vec<String> {
    let namesakes = Namesakes::collect(profiles.iter().copied());
    let locations = profiles.iter().flat_map(|p| p.locations.iter());
    let frame = |location| {
        namesakes
            .frame(&site(location, None), Granularity::Functions)
            .name
    };
    locations.map(frame).collect()
}

#[test]
fn one_function_at_two_addresses_is_no_namesake() {
    let f = line("f(int)", "f", 0x100);
    assert_eq!(
        names(&[&profile("1", &[("/a", f.clone()), ("/a", f)])]),
        ["f", "f"]
    );
}

#[test]
fn inlining_makes_another_function_only_where_it_was_asked_for() {
    let inlined = Line {
        inlined: true,
        ..line("f", "f", 0x100)
    };
    let location = Location {
        lines: vec![inlined].into(),
        ..Location::default()
    };
    let site = site(&location, None);
    let name = |marks_inlined| {
        let namesakes = Namesakes::default().marking_inlined(marks_inlined);
        namesakes.frame(&site, Granularity::Functions).name
    };
    assert_eq!((name(false), name(true)), ("f".into(), "f (inline)".into()));
}

#[test]
fn overloads_keep_their_parameters() {
    let (a, b) = (line("f(int)", "f", 0x100), line("f(long)", "f", 0x200));
    assert_eq!(
        names(&[&profile("1", &[("/a", a), ("/a", b)])]),
        ["f(int)", "f(long)"]
    );
}

#[test]
fn statics_of_one_name_get_their_address() {
    let (a, b) = (line("init", "init", 0x100), line("init", "init", 0x200));
    let two_files = profile(
        "1",
        &[("/a", a.clone()), ("/b", a.clone()), ("/c", b.clone())],
    );
    assert_eq!(names(&[&two_files]), ["init@100", "init@100", "init@200"]);
    assert_eq!(
        names(&[&profile("1", &[("/a", a), ("/a", b)])]),
        ["init@100", "init@200"]
    );
}

#[test]
fn short_names_are_told_apart_where_jeprof_does() {
    let alias = |full: &str, start| Line {
        has_alias: true,
        ..line(full, "A::A", start)
    };
    let plain = |full: &str, start| line(full, "A::A", start);
    let short = |lines: &[(&str, Line)]| {
        let profile = profile("1", lines);
        let namesakes = Namesakes::with_names([&profile].into_iter(), true);
        let name = |l: &Line| namesakes.function(&site(&profile.locations[0], None), l);
        lines.iter().map(|(_, l)| name(l)).collect::<Vec<_>>()
    };
    let constructors = [
        ("/a", alias("A::A()", 0x10)),
        ("/a", alias("A::A(int)", 0x20)),
    ];
    assert_eq!(short(&constructors), ["A::A", "A::A"]);
    let overloads = [
        ("/a", plain("A::A()", 0x10)),
        ("/a", plain("A::A(int)", 0x20)),
    ];
    assert_eq!(short(&overloads), ["A::A@10", "A::A@20"]);
    let mixed = [
        ("/a", alias("A::A()", 0x10)),
        ("/a", plain("A::A(int)", 0x20)),
    ];
    assert_eq!(short(&mixed), ["A::A", "A::A"]);
    let template = [
        ("/a", plain("int A::A<int>()", 0x10)),
        ("/a", plain("int A::A<long>()", 0x20)),
    ];
    assert_eq!(short(&template), ["A::A", "A::A"]);
}

#[test]
fn another_build_is_the_same_function() {
    let before = profile("1", &[("/a", line("f", "f", 0x100))]);
    let after = profile("2", &[("/a", line("f", "f", 0x180))]);
    assert_eq!(names(&[&before, &after]), ["f", "f"]);
}

#[test]
fn what_has_no_name_says_where_it_is() {
    let location = Location {
        address: 0x7f10,
        ..Location::default()
    };
    let bare = |path: &str, deleted| {
        let mapping = Mapping {
            start: 0x7f00,
            base: 0x6f00,
            path: path.into(),
            deleted,
            ..Mapping::default()
        };
        Namesakes::default()
            .frame(&site(&location, Some(&mapping)), Granularity::Functions)
            .name
    };
    assert_eq!(bare("/lib/libfoo.so", false), "libfoo.so+0x1010");
    assert_eq!(bare("/lib/a b.so", true), "a b.so (deleted)+0x1010");
    assert_eq!(bare("", false), "[anon] 0x0000000000007f10");
    assert_eq!(bare("[heap]", false), "[heap] 0x0000000000007f10");
}

//! What a frame is called in every run of a program: the name without what only one run gave it. Pure.
//!
//! The function with its module; a library without its version (`libz.so.1.3` is `libz.so`), the
//! executable without a name, as two builds may lie under two. Statics of one name are told apart by
//! their source file instead of their address. Of what a runtime makes up as it runs, hidden classes,
//! lambdas, accessors, gensyms, the numbers go. Code without a file has no address.

use regex::Regex;
use std::sync::LazyLock;

use crate::stacks::naming::{Frame, FrameKind};

/// Numbers and addresses of one run in names of managed code.
static MADE_UP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns = [
        // Hidden classes: `Main$$Lambda$14/0x00007f0c5c001a00`, `LambdaForm$MH.0x0000000800c03000`.
        r"[/.+]0x[0-9a-f]+",
        r"(?P<lambda>\$\$Lambda)\$\d+",
        r"(?P<accessor>Generated\w+Accessor)\d+",
        r"(?P<proxy>\$Proxy)\d+",
        // Clojure: `fn__1234`, `eval149`.
        r"(?P<gensym>\w__|\beval)\d+",
    ];
    Regex::new(&patterns.join("|")).ok()
});

/// What tells frames apart in every run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key {
    name: String,
    module: String,
    file: String,
}

impl Key {
    /// Of a frame as one run has it.
    pub fn of_run(frame: &Frame) -> Key {
        let module = library(frame.module.as_deref().unwrap_or_default());
        let (name, file) = match frame.kind {
            FrameKind::Managed => {
                // Another version may lie in another folder.
                let file = frame.home().rsplit('/').next().unwrap_or_default();
                (settled(&frame.name), file.to_owned())
            }
            FrameKind::Unresolved => (without_address(&frame.name), String::new()),
            FrameKind::Native => without_start(frame),
        };
        Key { name, module, file }
    }

    /// Of a frame among those of one process, where every name is its own already.
    pub fn of_process(frame: &Frame) -> Key {
        Key {
            name: frame.name.clone(),
            file: frame.home().to_owned(),
            ..Key::default()
        }
    }
}

/// `libz.so` of `libz.so.1.2.13`; nothing of an executable.
fn library(module: &str) -> String {
    let end = module.find(".so").map_or(0, |at| at + 3);
    module[..end].to_owned()
}

fn settled(name: &str) -> String {
    let Some(made_up) = &*MADE_UP else {
        return name.to_owned();
    };
    let names = "$lambda$accessor$proxy$gensym";
    made_up.replace_all(name, names).into_owned()
}

/// `[anon] 0x00007f...` says nothing beyond `[anon]`; `libfoo.so+0x1234` is the same in every run.
fn without_address(name: &str) -> String {
    match name.split_once(" 0x") {
        Some((area, _)) => area.to_owned(),
        None if name.starts_with("0x") => "[unknown]".to_owned(),
        None => name.to_owned(),
    }
}

/// `init@4f0` of `a.c` is `init` of `a.c`.
fn without_start(frame: &Frame) -> (String, String) {
    let bare = frame
        .name
        .rsplit_once('@')
        .filter(|(_, start)| !start.is_empty() && start.bytes().all(|b| b.is_ascii_hexdigit()));
    let Some((bare, _)) = bare else {
        return (frame.name.clone(), String::new());
    };
    let file = frame.file.as_deref().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    (bare.to_owned(), file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, module: &str, kind: FrameKind) -> Key {
        Key::of_run(&Frame {
            name: name.into(),
            module: Some(module.into()),
            kind,
            file: Some("/src/a.c".into()),
            ..Frame::default()
        })
    }

    #[test]
    fn versions_and_builds_are_the_same_code() {
        let native = |name, module| key(name, module, FrameKind::Native);
        assert_eq!(
            native("inflate", "libz.so.1.2.13"),
            native("inflate", "libz.so.1.3")
        );
        assert_ne!(
            native("inflate", "libz.so.1"),
            native("inflate", "libpng.so")
        );
        assert_eq!(native("load", "app-1"), native("load", "app-2"));
        assert_eq!(native("init@4f0", "app"), native("init@510", "app"));
        assert_ne!(native("init@4f0", "app"), native("init", "app"));
        assert_eq!(native("mail@x.org", "app").name, "mail@x.org");
    }

    #[test]
    fn addresses_of_one_run_go() {
        let bare = |name| key(name, "", FrameKind::Unresolved).name;
        assert_eq!(bare("[anon] 0x00007f10"), "[anon]");
        assert_eq!(bare("0x00007f10"), "[unknown]");
        assert_eq!(bare("libfoo.so+0x1234"), "libfoo.so+0x1234");
    }

    #[test]
    fn what_a_runtime_made_up_has_no_number() {
        let java = |name| key(name, "", FrameKind::Managed).name;
        for (made_up, settled) in [
            ("Main$$Lambda$14/0x00007f0c5c001a00.run", "Main$$Lambda.run"),
            ("Main$$Lambda/0x00007f0c5c001a00.run", "Main$$Lambda.run"),
            (
                "java.lang.invoke.LambdaForm$MH.0x0000000800c03000.invoke",
                "java.lang.invoke.LambdaForm$MH.invoke",
            ),
            (
                "jdk.internal.reflect.GeneratedMethodAccessor12.invoke",
                "jdk.internal.reflect.GeneratedMethodAccessor.invoke",
            ),
            ("jdk.proxy2.$Proxy7.run", "jdk.proxy2.$Proxy.run"),
            ("user$eval149$fn__151.invoke", "user$eval$fn__.invoke"),
            (
                "clojure.core$memoize$fn.doInvoke",
                "clojure.core$memoize$fn.doInvoke",
            ),
            ("shop.Evaluation2.run", "shop.Evaluation2.run"),
        ] {
            assert_eq!(java(made_up), settled);
        }
    }
}

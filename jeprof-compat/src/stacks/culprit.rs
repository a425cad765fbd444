//! Which frame of a stack is to blame: the first that a person can act on, going from malloc outwards.
//! Pure.
//!
//! Passed over are wrappers around malloc, the C library, and a managed runtime's own code: in a
//! stack with managed frames all that lies in the runtime's modules, the classes of its standard
//! library, and the markers that stand where a frame is missing (`[deopt]`). A native library of the
//! user's own, called from managed code, is to blame itself. Where a script called it (Ruby) the
//! line of the script is to blame, and `origin` says which library asked for the memory.

use crate::profile::model::Language;
use crate::stacks::naming::{Frame, FrameKind};
use crate::stacks::{glue, library};

/// The place of the culprit in a stack, leaf first. In the order of preference: code of the program
/// itself rather than of the system's libraries; a package of a managed language; a frame that is nobody's glue and has a name; a
/// managed frame; one that is not glue; the leaf.
pub fn position(frames: &[&Frame]) -> usize {
    let managed = frames.iter().position(|f| f.kind == FrameKind::Managed);
    if let Some(line) = managed.and_then(|first| of_script(frames, first)) {
        return line;
    }
    let is_glue =
        |frame: &Frame| glue::is_glue(frame) || (managed.is_some() && glue::is_in_runtime(frame));
    let first = |wanted: &dyn Fn(&Frame) -> bool| frames.iter().position(|frame| wanted(frame));
    let is_managed = |frame: &Frame| frame.kind == FrameKind::Managed;
    first(&|frame| !is_glue(frame) && glue::is_own(frame))
        .or_else(|| first(&|frame| !is_glue(frame) && is_managed(frame)))
        .or_else(|| first(&|frame| !is_glue(frame) && frame.kind != FrameKind::Unresolved))
        .or(managed)
        .or_else(|| first(&|frame| !is_glue(frame)))
        .unwrap_or(0)
}

/// The place of the culprit in a stack, leaf first; 0 without frames. The leaf of a stack of objects
/// is their class: what is held, not the function that asked for it.
pub fn of_stack(frames: &[&Frame], is_objects: bool) -> usize {
    let code = usize::from(is_objects && frames.len() > 1);
    code + position(&frames[code..])
}

/// The line of a script: the program's own before that of a package.
fn of_script(frames: &[&Frame], first: usize) -> Option<usize> {
    let is_line = |frame: &&Frame| frame.language == Some(Language::Ruby) && !glue::is_glue(frame);
    let is_own = |frame: &&Frame| !library::is_of_package(frame);
    let lines = || {
        frames
            .iter()
            .enumerate()
            .skip(first)
            .filter(|(_, frame)| is_line(frame))
    };
    let own = lines().find(|(_, frame)| is_own(frame));
    own.or_else(|| lines().next()).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaf first, parted by ` < `; `module:name`, `java:name` for a managed frame, a bare name
    /// for the program's own.
    fn culprit(stack: &str) -> String {
        let frame = |text: &str| {
            let (module, name) = text.split_once(':').unwrap_or(("app", text));
            let kind = match module {
                "java" => FrameKind::Managed,
                _ if name.contains("+0x") => FrameKind::Unresolved,
                _ => FrameKind::Native,
            };
            Frame {
                name: name.to_owned(),
                module: (kind != FrameKind::Managed).then(|| module.to_owned()),
                system: module.ends_with("(system)"),
                kind,
                ..Frame::default()
            }
        };
        let frames: Vec<Frame> = stack.split(" < ").map(frame).collect();
        let frames: Vec<&Frame> = frames.iter().collect();
        frames[position(&frames)].name.clone()
    }

    #[test]
    fn a_name_says_more_than_an_address() {
        assert_eq!(
            culprit("libruby.so.3:libruby.so.3+0xd8460 < deflateInit2_ < main"),
            "deflateInit2_"
        );
        assert_eq!(
            culprit("libfoo.so:libfoo.so+0x10 < libc.so.6:start"),
            "libfoo.so+0x10"
        );
    }

    #[test]
    fn a_stack_of_glue_alone_blames_its_leaf() {
        assert_eq!(culprit("xmalloc < libc.so.6:start"), "xmalloc");
        assert_eq!(culprit("pool_alloc < load < main"), "load");
    }

    #[test]
    fn the_line_of_java_is_to_blame_for_what_the_jdk_does_for_it() {
        let zip = "libz.so.1:deflateInit2_ < libzip.so:Java_java_util_zip_Deflater_init < \
                   java:java.util.zip.Deflater.init < java:java.util.zip.Deflater.<init>";
        assert_eq!(
            culprit(&format!(
                "{zip} < java:shop.ExceptionLogger.log < java:shop.Main.main"
            )),
            "shop.ExceptionLogger.log"
        );
        let jdk_alone = culprit(&format!("{zip} < java:java.lang.Thread.run"));
        assert_eq!(jdk_alone, "java.util.zip.Deflater.init");
        let thread = "libjvm.so:thread_native_entry < app:start";
        let no_user_code = culprit(&format!("{zip} < java:[continuation] < {thread}"));
        assert_eq!(no_user_code, "start", "the program that made the JVM");
        let no_user_code = culprit(&format!(
            "{zip} < java:[continuation] < libjvm.so:thread_native_entry < libc.so.6:clone3"
        ));
        assert_eq!(no_user_code, "java.util.zip.Deflater.init");
        let compiler = "libjvm.so:Compile::Compile < java:[jit compiler thread]";
        assert_eq!(culprit(compiler), "[jit compiler thread]");
    }

    /// Leaf first: `module:name` for native frames, `method file` for Ruby's.
    fn ruby_stack(stack: &str) -> Vec<Frame> {
        let frame = |text: &str| match text.split_once(' ') {
            Some((name, file)) => Frame {
                name: name.to_owned(),
                file: (file != "-").then(|| file.to_owned()),
                line: (file != "-").then_some(7),
                kind: FrameKind::Managed,
                language: Some(Language::Ruby),
                ..Frame::default()
            },
            None => Frame {
                name: text.to_owned(),
                module: text.split_once(':').map(|(module, _)| module.to_owned()),
                ..Frame::default()
            },
        };
        stack.split(" < ").map(frame).collect()
    }

    #[test]
    fn the_line_of_a_script_is_to_blame() {
        let blamed = |stack: &str| {
            let frames = ruby_stack(stack);
            let frames: Vec<&Frame> = frames.iter().collect();
            frames[position(&frames)].name.clone()
        };
        let gem = "/var/lib/gems/3.1.0/gems/dalli-3/lib/dalli.rb";
        let client =
            format!("mcache.so:set < Client#set - < Dalli#write {gem} < Cache#write app.rb");
        assert_eq!(blamed(&client), "Cache#write");
        let in_gem_alone = format!("mcache.so:set < Client#set - < Dalli#write {gem}");
        assert_eq!(blamed(&in_gem_alone), "Dalli#write");
        let zlib = "libz.so.1:deflateInit2_ < zlib.so:new < Zlib::Deflate#initialize - \
                    < Net::HTTP#get /usr/lib/ruby/3.1.0/net/http.rb < Fetch#run app.rb";
        assert_eq!(blamed(zlib), "Fetch#run");
        let string = "libruby-3.1.so:rb_str_plus < String#+ - < Log#add app.rb";
        assert_eq!(blamed(string), "Log#add");
        let none = "libruby-3.1.so:rb_str_plus < String#+ - < Gem#x <internal:gem>";
        assert_eq!(blamed(none), "String#+");
    }

    #[test]
    fn the_line_of_python_is_to_blame_for_what_its_libraries_do() {
        let python = |name: &str, file: &str| Frame {
            name: name.to_owned(),
            file: Some(file.to_owned()),
            kind: FrameKind::Managed,
            language: Some(Language::Python),
            ..Frame::default()
        };
        let native = |name: &str, module: &str, system| Frame {
            name: name.to_owned(),
            module: Some(module.to_owned()),
            system,
            ..Frame::default()
        };
        let called = |frames: &[Frame]| {
            let frames: Vec<&Frame> = frames.iter().collect();
            frames[position(&frames)].name.clone()
        };
        let stack = [
            native("PyType_GenericAlloc", "python3.11", false),
            native("array_empty", "_multiarray_umath.so", true),
            python(
                "full",
                "/home/a/lib/python3.12/site-packages/numpy/numeric.py",
            ),
            python("dumps", "/usr/lib/python3.11/json/__init__.py"),
            python("_run", "<frozen runpy>"),
            python("handle", "/srv/app.py"),
            native("main", "server", false),
        ];
        assert_eq!(called(&stack), "handle");
        assert_eq!(
            called(&stack[..5]),
            "full",
            "a package goes before the standard library"
        );
        assert_eq!(called(&[&stack[..1], &stack[3..5]].concat()), "dumps");
        let own = native("leak", "cache.so", false);
        assert_eq!(called(&[&[own], &stack[5..6]].concat()), "leak");
        let asyncio = "_asyncio.cpython-311-x86_64-linux-gnu.so";
        let task = native("task_step_impl", asyncio, false);
        assert_eq!(called(&[&[task], &stack[5..6]].concat()), "handle");
    }

    #[test]
    fn the_line_of_a_script_is_to_blame_for_what_node_does_for_it() {
        let js = |name: &str, file: Option<&str>| Frame {
            name: name.to_owned(),
            file: file.map(str::to_owned),
            kind: FrameKind::Managed,
            language: Some(Language::JavaScript),
            ..Frame::default()
        };
        let native = Frame {
            name: "node::NodeArrayBufferAllocator::Allocate".to_owned(),
            module: Some("node".to_owned()),
            ..Frame::default()
        };
        let stack = [
            native.clone(),
            js("alloc", Some("node:buffer")),
            js("anonymous", None),
            js("parse", Some("/srv/node_modules/pg/row.js")),
            js("query", Some("/srv/app.js")),
            native,
        ];
        let called = |frames: &[Frame]| {
            let frames: Vec<&Frame> = frames.iter().collect();
            frames[position(&frames)].name.clone()
        };
        assert_eq!(called(&stack), "query");
        assert_eq!(
            called(&stack[..4]),
            "parse",
            "a package goes before Node itself"
        );
        assert_eq!(called(&stack[..2]), "alloc");
    }

    #[test]
    fn code_of_the_program_goes_before_libraries() {
        assert_eq!(
            culprit(
                "libz.so(system):deflateInit2_ < app:std::vector<int>::f < app:store < app:main"
            ),
            "store"
        );
        assert_eq!(
            culprit("libz.so(system):deflateInit2_ < libc.so.6:start"),
            "deflateInit2_"
        );
        assert_eq!(
            culprit("libz.so(system):deflateInit2_ < ruby:main"),
            "deflateInit2_"
        );
    }

    #[test]
    fn a_native_library_of_the_users_is_to_blame_itself() {
        assert_eq!(
            culprit(
                "libimage.so:decode < libimage.so:Java_shop_Image_decode < java:shop.Image.decode"
            ),
            "decode"
        );
        assert_eq!(
            culprit("libimage.so:libimage.so+0x77 < java:shop.Image.decode"),
            "shop.Image.decode"
        );
    }

    #[test]
    fn without_managed_frames_the_runtime_itself_is_to_blame() {
        assert_eq!(
            culprit("libjvm.so:os::malloc < libjvm.so:G1Service::run"),
            "G1Service::run"
        );
    }
}

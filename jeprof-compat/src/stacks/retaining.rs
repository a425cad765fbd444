//! Frames of a runtime's library that keep what they are given or what they call for: a memoize, a map, a
//! list. They are glue to a reader who asks who allocated, and the answer to why it stays. Pure.
//!
//! Sources: `clojure.core` 1.11 (`memoize`, `swap!`), the interfaces `Map`, `Collection` and `BlockingQueue` of
//! the JDK, `functools` of CPython 3.12, `Hash` and `Array` of Ruby.

use crate::profile::model::Language;
use crate::stacks::naming::{Frame, FrameKind};

/// Functions of Clojure's core, as they are called.
const CLOJURE: [&str; 4] = ["memoize", "swap!", "reset!", "intern"];

/// Methods of the JDK's containers that keep an argument, or what an argument makes.
const JAVA_METHODS: [&str; 12] = [
    "add",
    "addLast",
    "computeIfAbsent",
    "compute",
    "merge",
    "offer",
    "put",
    "putIfAbsent",
    "putVal",
    "push",
    "set",
    "intern",
];

/// Where these methods are such: the containers, and the locals of threads.
const JAVA_PLACES: [&str; 2] = ["java.util.", "java.lang.ThreadLocal"];

const PYTHON: [&str; 3] = ["lru_cache", "_lru_cache_wrapper", "cached_property.__get__"];

const RUBY: [&str; 5] = [
    "Hash#[]=",
    "Hash#store",
    "Hash#fetch",
    "Array#<<",
    "Array#push",
];

/// Does it keep what it is given, or what it calls for?
pub fn keeps(frame: &Frame) -> bool {
    if frame.kind != FrameKind::Managed || frame.is_class {
        return false;
    }
    let name = frame.name.as_str();
    match frame.language {
        Some(Language::Ruby) => RUBY.contains(&name),
        Some(Language::Python) => PYTHON.contains(&name),
        _ => of_clojure(name) || of_java(name),
    }
}

/// `clojure.core/memoize/fn`.
fn of_clojure(name: &str) -> bool {
    let function = name.strip_prefix("clojure.core/").unwrap_or_default();
    let function = function.split_once('/').map_or(function, |(own, _)| own);
    CLOJURE.contains(&function)
}

/// `java.util.concurrent.ConcurrentHashMap.computeIfAbsent`.
fn of_java(name: &str) -> bool {
    let is_place = JAVA_PLACES.iter().any(|place| name.starts_with(place));
    let method = name.rsplit_once('.').map(|(_, method)| method);
    is_place && method.is_some_and(|method| JAVA_METHODS.contains(&method))
}

/// The frame of a stack, leaf first, that keeps what `culprit` makes: the first such that called it, or that it
/// called. Of several in a row the outermost is what a person wrote.
pub fn keeper(frames: &[&Frame], culprit: usize) -> Option<usize> {
    let at = |at: &usize| keeps(frames[*at]);
    let outwards = (culprit + 1..frames.len()).find(at);
    let found = outwards.or_else(|| (0..culprit).rev().find(at))?;
    let own = |at: &usize| keeps(frames[*at]);
    Some(
        (found..frames.len())
            .take_while(own)
            .last()
            .unwrap_or(found),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str], language: Language) -> Vec<Frame> {
        let frame = |name: &&str| Frame {
            name: (*name).to_owned(),
            kind: FrameKind::Managed,
            language: Some(language),
            ..Frame::default()
        };
        names.iter().map(frame).collect()
    }

    fn keeper_of<'a>(names: &[&'a str], culprit: usize, language: Language) -> Option<&'a str> {
        let frames = frames(names, language);
        let frames: Vec<&Frame> = frames.iter().collect();
        keeper(&frames, culprit).map(|at| names[at])
    }

    #[test]
    fn a_memoize_keeps_what_it_calls_for() {
        let stack = [
            "clojure.lang.Numbers.byte_array",
            "user/load-session",
            "clojure.lang.AFn.applyTo",
            "clojure.core/apply",
            "clojure.core/memoize/fn",
            "clojure.lang.RestFn.invoke",
            "user/handle",
        ];
        assert_eq!(
            keeper_of(&stack, 1, Language::Java),
            Some("clojure.core/memoize/fn")
        );
        assert_eq!(keeper_of(&stack[..3], 1, Language::Java), None);
    }

    #[test]
    fn a_container_keeps_what_it_is_given() {
        let stack = [
            "java.util.HashMap.putVal",
            "java.util.HashMap.put",
            "shop.Cache.remember",
            "shop.Main.main",
        ];
        assert_eq!(
            keeper_of(&stack, 2, Language::Java),
            Some("java.util.HashMap.put")
        );
        let ruby = ["Hash#[]=", "Sessions.remember"];
        assert_eq!(keeper_of(&ruby, 1, Language::Ruby), Some("Hash#[]="));
        let others = [
            "java.util.zip.Deflater.init",
            "shop.Log.write",
            "clojure.core/map",
        ];
        assert_eq!(keeper_of(&others, 1, Language::Java), None);
    }
}

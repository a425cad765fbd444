//! Code of a script's language that the program's author did not write: the runtime's own library, and
//! packages that were installed. Known by the name of the class, or by where the file lies. Pure.
//!
//! Sources: the load paths of RubyGems and Bundler, `site` and `sysconfig` of CPython, the module
//! resolution of Node, the group ids that Maven Central counts most users of.

use crate::profile::model::Language;
use crate::stacks::naming::Frame;

/// Standard libraries of managed languages.
const RUNTIME_CLASSES: [&str; 17] = [
    "$Proxy",
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "clojure.lang.",
    "clojure.core",
    "clojure.main",
    "clojure.spec.",
    "clojure.string",
    "clojure.java.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.lang.",
    "org.codehaus.groovy.",
];

/// Packages of Java that other people's programs are made of: a class says nothing of where it was installed.
const JAVA_PACKAGES: [&str; 33] = [
    "akka.",
    "ch.qos.logback.",
    "com.amazonaws.",
    "com.fasterxml.",
    "com.github.benmanes.caffeine.",
    "com.google.",
    "com.mongodb.",
    "com.mysql.",
    "com.zaxxer.",
    "io.grpc.",
    "io.lettuce.",
    "io.micrometer.",
    "io.netty.",
    "io.opentelemetry.",
    "io.undertow.",
    "io.vertx.",
    "jakarta.",
    "javassist.",
    "net.bytebuddy.",
    "okhttp3.",
    "okio.",
    "org.apache.",
    "org.eclipse.",
    "org.glassfish.",
    "org.hibernate.",
    "org.jboss.",
    "org.objectweb.asm.",
    "org.postgresql.",
    "org.slf4j.",
    "org.springframework.",
    "reactor.",
    "redis.clients.",
    "software.amazon.",
];

/// Functions of JavaScript without a file, whose text the program made: the line that made it says more.
const MADE: [&str; 3] = ["anonymous", "<anonymous>", "<script>"];

/// Is it code that comes with the runtime?
pub fn is_of_runtime(frame: &Frame) -> bool {
    let file = frame.file.as_deref().unwrap_or_default();
    match frame.language {
        // Methods in C have no file, and a frame without a line stands for a file as it is loaded.
        Some(Language::Ruby) => {
            let is_library = file.contains("/lib/ruby/") && !is_of_package(frame);
            file.is_empty() || frame.line.is_none() || file.starts_with("<internal:") || is_library
        }
        Some(Language::Python) => {
            let is_library = file.contains("/lib/python3.") && !is_of_package(frame);
            file.starts_with("<frozen ") || is_library
        }
        Some(Language::JavaScript) => {
            // V8's builtins (`exec`) have neither file nor line.
            let is_builtin = frame.line.is_none();
            let is_made = file.is_empty() && (is_builtin || MADE.contains(&frame.name.as_str()));
            file.starts_with("node:") || is_made
        }
        _ => RUNTIME_CLASSES
            .iter()
            .any(|class| frame.name.starts_with(class)),
    }
}

/// Is it code of a package, wherever that is installed?
pub fn is_of_package(frame: &Frame) -> bool {
    let file = frame.file.as_deref().unwrap_or_default();
    match frame.language {
        Some(Language::Ruby) => file.contains("/gems/"),
        Some(Language::Python) => {
            file.contains("/site-packages/") || file.contains("/dist-packages/")
        }
        Some(Language::JavaScript) => file.contains("/node_modules/"),
        Some(Language::Java) => JAVA_PACKAGES.iter().any(|p| frame.name.starts_with(p)),
        _ => false,
    }
}

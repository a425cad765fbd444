//! The languages of managed frames, and which of them a person wants to see. Pure.

/// The language that a managed frame was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the language of its name")]
pub enum Language {
    Java,
    Ruby,
    Python,
    JavaScript,
    /// Generated code of a language that the dump does not name: .NET, LuaJIT, PHP, Erlang, Julia.
    Jit,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 5] = [
        Language::Java,
        Language::Ruby,
        Language::Python,
        Language::JavaScript,
        Language::Jit,
    ];

    /// Its name in dumps and on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Language::Java => "java",
            Language::Ruby => "ruby",
            Language::Python => "python",
            Language::JavaScript => "js",
            Language::Jit => "jit",
        }
    }

    /// Its code, in words.
    pub fn code(self) -> &'static str {
        match self {
            Language::Java => "Java code",
            Language::Ruby => "Ruby code",
            Language::Python => "Python code",
            Language::JavaScript => "JavaScript",
            Language::Jit => "generated code",
        }
    }

    /// The language behind a key; `None` for what a later version may write.
    pub fn from_key(key: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|l| l.key() == key)
    }
}

/// Which frames of a stack are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// All.
    #[default]
    All,
    /// Those of one language.
    Only(Language),
    /// Machine code that a compiler made before the program ran.
    Native,
}

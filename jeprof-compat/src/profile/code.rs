//! The code of functions as `symbolize` finds it and listings show it: lines and instructions. Pure data;
//! addresses are those of the file.

/// Addresses that are of one line of source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The first of them.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// The source file.
    pub file: String,
    /// Its line.
    pub line: u32,
}

/// A function and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Routine {
    /// Its whole name.
    pub name: String,
    /// Its first address.
    pub start: u64,
    /// One past its last.
    pub end: u64,
    /// Its source, in the order of addresses.
    pub rows: Vec<Row>,
    /// Its instructions; none where nobody knows how to read them.
    pub instructions: Vec<Instruction>,
    /// The addresses that were asked for, by the offset in the mapped file.
    pub asked: Vec<(u64, u64)>,
}

/// One instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Where it begins.
    pub address: u64,
    /// In the words of the assembler.
    pub text: String,
}

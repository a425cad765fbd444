//! Where the walker finds what it reads in one JVM: every offset is looked up, none is assumed.
//!
//! Made once per JVM, read by the walker. A JVM in which something is missing has no layout, and
//! the missing name is reported.
//!
//! Two things cannot be looked up, but follow from others: the method and the bytecode pointer of
//! an interpreted frame lie below its `last_sp` (x86-64, `frame_x86.hpp`). What is found there is
//! believed only when it fits the method's code.

use super::structs::{Place, Tables};

macro_rules! wanted {
    ($(#[$doc:meta])* $holder:ident: $value:ty { $($name:ident = $($text:literal)+;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        #[allow(missing_docs, reason = "each is the thing of its name")]
        pub struct $holder { $(pub $name: Option<$value>,)+ }

        impl $holder {
            /// A value with every field, each from one call of `make`: for tests.
            pub fn filled(mut make: impl FnMut() -> $value) -> Self {
                Self { $($name: Some(make()),)+ }
            }

            /// Takes the value named `names`, if it is wanted.
            fn offer(&mut self, names: &[&[u8]], value: $value) {
                $(if names == [$(&$text[..]),+] {
                    self.$name.get_or_insert(value);
                })+
            }
        }
    };
}

wanted! {
    /// Fields that this JVM has.
    Fields: Place {
        anchor = b"JavaThread" b"_anchor";
        next_thread = b"JavaThread" b"_next";
        stack_base = b"JavaThread" b"_stack_base";
        stack_size = b"JavaThread" b"_stack_size";
        vframes = b"JavaThread" b"_vframe_array_head";
        continuation = b"JavaThread" b"_cont_entry";
        continuation_return = b"ContinuationEntry" b"_return_pc";
        first_thread = b"Threads" b"_thread_list";
        thread_list = b"ThreadsSMRSupport" b"_java_thread_list";
        thread_list_length = b"ThreadsList" b"_length";
        thread_list_threads = b"ThreadsList" b"_threads";
        anchor_sp = b"JavaFrameAnchor" b"_last_Java_sp";
        anchor_pc = b"JavaFrameAnchor" b"_last_Java_pc";
        anchor_fp = b"JavaFrameAnchor" b"_last_Java_fp";
        wrapper_anchor = b"JavaCallWrapper" b"_anchor";
        call_stub_return = b"StubRoutines" b"_call_stub_return_address";
        heaps = b"CodeCache" b"_heaps";
        low_bound = b"CodeCache" b"_low_bound";
        high_bound = b"CodeCache" b"_high_bound";
        array_length = b"GrowableArrayBase" b"_len";
        old_array_length = b"GenericGrowableArray" b"_len";
        array_data = b"GrowableArray<int>" b"_data";
        heap_memory = b"CodeHeap" b"_memory";
        heap_segments = b"CodeHeap" b"_segmap";
        heap_lg_segment = b"CodeHeap" b"_log2_segment_size";
        space_low = b"VirtualSpace" b"_low";
        space_high = b"VirtualSpace" b"_high";
        block_used = b"HeapBlock::Header" b"_used";
        blob_name = b"CodeBlob" b"_name";
        blob_frame_size = b"CodeBlob" b"_frame_size";
        blob_code_begin = b"CodeBlob" b"_code_begin";
        blob_code_offset = b"CodeBlob" b"_code_offset";
        blob_mutable = b"CodeBlob" b"_mutable_data";
        blob_relocation_size = b"CodeBlob" b"_relocation_size";
        method_of_code = b"nmethod" b"_method";
        old_method_of_code = b"CompiledMethod" b"_method";
        scopes_begin = b"CompiledMethod" b"_scopes_data_begin";
        scopes_offset = b"nmethod" b"_scopes_data_offset";
        scopes_pcs = b"nmethod" b"_scopes_pcs_offset";
        dependencies = b"nmethod" b"_dependencies_offset";
        metadata = b"nmethod" b"_metadata_offset";
        immutable = b"nmethod" b"_immutable_data";
        original_pc = b"nmethod" b"_orig_pc_offset";
        deopt_begin = b"CompiledMethod" b"_deopt_handler_begin";
        deopt_offset = b"nmethod" b"_deopt_handler_offset";
        deopt_mh_begin = b"CompiledMethod" b"_deopt_mh_handler_begin";
        deopt_mh_offset = b"nmethod" b"_deopt_mh_handler_offset";
        stubs = b"nmethod" b"_stub_offset";
        pc_offset = b"PcDesc" b"_pc_offset";
        pc_scope = b"PcDesc" b"_scope_decode_offset";
        const_method = b"Method" b"_constMethod";
        constants = b"ConstMethod" b"_constants";
        code_size = b"ConstMethod" b"_code_size";
        name_index = b"ConstMethod" b"_name_index";
        signature_index = b"ConstMethod" b"_signature_index";
        flags = b"ConstMethod" b"_flags._flags";
        old_flags = b"ConstMethod" b"_flags";
        pool_holder = b"ConstantPool" b"_pool_holder";
        source_index = b"ConstantPool" b"_source_file_name_index";
        old_source_index = b"InstanceKlass" b"_source_file_name_index";
        klass_name = b"Klass" b"_name";
        symbol_length = b"Symbol" b"_length";
        symbol_body = b"Symbol" b"_body";
        collected_heap = b"Universe" b"_collectedHeap";
        reserved = b"CollectedHeap" b"_reserved";
        region_start = b"MemRegion" b"_start";
        region_words = b"MemRegion" b"_word_size";
        version = b"Abstract_VM_Version" b"_vm_major_version";
    }
}

wanted! {
    /// Sizes of classes.
    Sizes: u64 {
        constant_pool = b"ConstantPool";
        const_method = b"ConstMethod";
        heap_block = b"HeapBlock";
        pc_desc = b"PcDesc";
        java_thread = b"JavaThread";
    }
}

wanted! {
    /// Constants.
    Constants: i32 {
        call_wrapper = b"frame::entry_frame_call_wrapper_offset";
        sender_sp = b"frame::interpreter_frame_sender_sp_offset";
        last_sp = b"frame::interpreter_frame_last_sp_offset";
        has_lines = b"ConstMethodFlags::_misc_has_linenumber_table";
        old_has_lines = b"ConstMethod::_has_linenumber_table";
    }
}

/// How the parts of compiled code are found: by offsets within one piece, or since JDK 25 in pieces
/// of their own.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the field of its name")]
pub enum Parts {
    Whole {
        scopes_begin: u64,
        scopes_pcs: Place,
        pcs_end: Place,
        metadata: Place,
    },
    Apart {
        immutable: u64,
        scopes_pcs: Place,
        scopes: Place,
        mutable: u64,
        relocation_size: Place,
    },
}

/// The address of code: stored, or as an offset from its blob.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the thing of its name")]
pub enum Within {
    Address(u64),
    Offset(Place),
}

/// The whole layout. Numbers are offsets in the class that the name mentions.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the field of its name")]
pub struct Layout {
    pub major: u32,
    pub fields: Fields,
    pub java_thread_size: u64,
    pub anchor: u64,
    pub anchor_sp: u64,
    pub anchor_pc: u64,
    pub anchor_fp: u64,
    pub stack_base: u64,
    pub stack_size: u64,
    pub vframes: u64,
    pub wrapper_anchor: u64,
    pub call_wrapper: i64,
    pub sender_sp: i64,
    pub interpreted_method: i64,
    pub bytecode: i64,
    /// Address of the word that holds the return address into the call stub.
    pub call_stub_return: u64,
    pub heaps: u64,
    pub low_bound: u64,
    pub high_bound: u64,
    pub array_length: u64,
    pub array_data: u64,
    pub heap_low: u64,
    pub heap_high: u64,
    pub heap_segments: u64,
    pub heap_lg_segment: u64,
    pub block_used: u64,
    pub block_size: u64,
    pub blob_name: u64,
    pub frame_size: Place,
    pub code_begin: Within,
    pub method_of_code: u64,
    pub parts: Parts,
    pub original_pc: Option<Place>,
    /// Where frames that are marked for deoptimization return to; frames at a call of a method
    /// handle return to the second.
    pub deopt: [Option<Within>; 2],
    pub stubs: Option<Place>,
    pub pc_desc_size: u64,
    pub pc_offset: u64,
    pub pc_scope: u64,
    pub const_method: u64,
    pub const_method_size: u64,
    pub constants: u64,
    pub code_size: u64,
    pub name_index: u64,
    pub flags: Place,
    pub has_lines: u32,
    pub pool_size: u64,
    pub pool_holder: u64,
    pub source: Source,
    pub klass_name: u64,
    pub symbol_length: u64,
    pub symbol_body: u64,
}

/// Where the number of the source file's name is.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the class of its name")]
pub enum Source {
    ConstantPool(u64),
    InstanceKlass(u64),
}

/// Takes the value out, or returns the name of the missing value.
macro_rules! need {
    ($from:ident . $name:ident) => {
        $from.$name.ok_or(stringify!($name))?
    };
    ($from:ident . $name:ident or $other:ident) => {
        $from.$name.or($from.$other).ok_or(stringify!($name))?
    };
}

impl Layout {
    /// Reads the tables; returns the name of what is missing if they are not complete.
    pub fn read(tables: &mut Tables<'_>) -> Result<Layout, &'static str> {
        let (mut fields, mut sizes) = (Fields::default(), Sizes::default());
        let mut constants = Constants::default();
        tables
            .fields(&mut |names, place| fields.offer(&names, place))
            .ok_or("gHotSpotVMStructs")?;
        tables
            .types(&mut |class, size| sizes.offer(&[class], size))
            .ok_or("gHotSpotVMTypes")?;
        tables
            .constants(&mut |name, value| constants.offer(&[name], value))
            .ok_or("gHotSpotVMIntConstants")?;
        let layout = Layout::of(&fields, &sizes, &constants)?;
        let version = need!(fields.version);
        let major = tables.value(version.at).ok_or("version")?;
        Ok(Layout { major, ..layout })
    }

    /// The layout by these tables, without the version.
    pub fn of(f: &Fields, sizes: &Sizes, constants: &Constants) -> Result<Layout, &'static str> {
        let last_sp = i64::from(need!(constants.last_sp));
        let space = |heap: Place, end: Place| heap.at.wrapping_add(end.at);
        let (memory, segments) = (need!(f.heap_memory), need!(f.heap_segments));
        let (low, high) = (need!(f.space_low), need!(f.space_high));
        Ok(Layout {
            major: 0,
            fields: *f,
            java_thread_size: need!(sizes.java_thread),
            anchor: need!(f.anchor).at,
            anchor_sp: need!(f.anchor_sp).at,
            anchor_pc: need!(f.anchor_pc).at,
            anchor_fp: need!(f.anchor_fp).at,
            stack_base: need!(f.stack_base).at,
            stack_size: need!(f.stack_size).at,
            vframes: need!(f.vframes).at,
            wrapper_anchor: need!(f.wrapper_anchor).at,
            call_wrapper: 8 * i64::from(need!(constants.call_wrapper)),
            sender_sp: 8 * i64::from(need!(constants.sender_sp)),
            interpreted_method: 8 * (last_sp - 1),
            bytecode: 8 * (last_sp - 6),
            call_stub_return: need!(f.call_stub_return).at,
            heaps: need!(f.heaps).at,
            low_bound: need!(f.low_bound).at,
            high_bound: need!(f.high_bound).at,
            array_length: need!(f.array_length or old_array_length).at,
            array_data: need!(f.array_data).at,
            heap_low: space(memory, low),
            heap_high: space(memory, high),
            heap_segments: space(segments, low),
            heap_lg_segment: need!(f.heap_lg_segment).at,
            block_used: need!(f.block_used).at,
            block_size: need!(sizes.heap_block),
            blob_name: need!(f.blob_name).at,
            frame_size: need!(f.blob_frame_size),
            code_begin: within(f.blob_code_begin, f.blob_code_offset).ok_or("blob_code_offset")?,
            method_of_code: need!(f.method_of_code or old_method_of_code).at,
            parts: parts(f)?,
            original_pc: f.original_pc,
            deopt: [
                within(f.deopt_begin, f.deopt_offset),
                within(f.deopt_mh_begin, f.deopt_mh_offset),
            ],
            stubs: f.stubs,
            pc_desc_size: need!(sizes.pc_desc),
            pc_offset: need!(f.pc_offset).at,
            pc_scope: need!(f.pc_scope).at,
            const_method: need!(f.const_method).at,
            const_method_size: need!(sizes.const_method),
            constants: need!(f.constants).at,
            code_size: need!(f.code_size).at,
            name_index: need!(f.name_index).at,
            flags: need!(f.flags or old_flags),
            has_lines: need!(constants.has_lines or old_has_lines) as u32,
            pool_size: need!(sizes.constant_pool),
            pool_holder: need!(f.pool_holder).at,
            source: match f.source_index {
                Some(place) => Source::ConstantPool(place.at),
                None => Source::InstanceKlass(need!(f.old_source_index).at),
            },
            klass_name: need!(f.klass_name).at,
            symbol_length: need!(f.symbol_length).at,
            symbol_body: need!(f.symbol_body).at,
        })
    }
}

/// A place in code, by its address or (in later JDKs) by its offset.
fn within(begin: Option<Place>, offset: Option<Place>) -> Option<Within> {
    let begin = begin.map(|begin| Within::Address(begin.at));
    begin.or(offset.map(Within::Offset))
}

fn parts(f: &Fields) -> Result<Parts, &'static str> {
    let scopes_pcs = need!(f.scopes_pcs);
    if let Some(begin) = f.scopes_begin {
        return Ok(Parts::Whole {
            scopes_begin: begin.at,
            scopes_pcs,
            pcs_end: need!(f.dependencies),
            metadata: need!(f.metadata),
        });
    }
    Ok(Parts::Apart {
        immutable: need!(f.immutable).at,
        scopes_pcs,
        scopes: need!(f.scopes_offset),
        mutable: need!(f.blob_mutable).at,
        relocation_size: need!(f.blob_relocation_size),
    })
}

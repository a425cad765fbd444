#compdef jeprof-compat

autoload -U is-at-least

_jeprof-compat() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--base=[Subtract BASE from the profiles before display; stacks cancel out by name]:BASE:_files' \
'--seconds=[Length of time for dynamic profiles]:N:_default' \
'--add_lib=[Read additional symbols and line info from the given library]:FILE:_files' \
'*--lib_prefix=[Directories below which the files of the profile lie, parted by commas]:DIR:_files' \
'--list=[Generate source listing of matching routines]:REGEXP:_default' \
'--weblist=[Generate source listing of matching routines, as a page, and display]:REGEXP:_default' \
'--disasm=[Generate disassembly of matching routines]:REGEXP:_default' \
'--kind=[Show samples of this kind; dumps may hold others than malloc'\''s]:NAME:_default' \
'--nodecount=[Show at most so many nodes]:N:_default' \
'--nodefraction=[Hide nodes below F*total]:F:_default' \
'--edgefraction=[Hide edges below F*total]:F:_default' \
'--maxdegree=[Max incoming/outgoing edges per node]:N:_default' \
'--focus=[Focus on backtraces with nodes matching REGEXP]:REGEXP:_default' \
'--thread=[Show profile for thread N, \`*\` for each one]:N:_default' \
'--ignore=[Ignore backtraces with nodes matching REGEXP]:REGEXP:_default' \
'--scale=[Set GV scaling; it is the viewer'\''s own here]:N:_default' \
'--retain=[Retain only nodes that match REGEXP]:REGEXP:_default' \
'--exclude=[Exclude all nodes that match REGEXP]:REGEXP:_default' \
'--tools=[Tools of binutils and where they lie; none is needed here]:PREFIX:_default' \
'--test_stride=[]:N:_default' \
'--cum[Sort by cumulative data]' \
'--interactive[Run in interactive mode \[default on a terminal\]]' \
'--addresses[Report at address level]' \
'--lines[Report at source line level]' \
'--functions[Report at function level \[default\]]' \
'--files[Report at source file level]' \
'--text[Generate text report \[default unless on a terminal\]]' \
'--callgrind[Generate callgrind format to stdout]' \
'--gv[Generate Postscript and display]' \
'--evince[Generate PDF and display]' \
'--web[Generate SVG and display]' \
'--symbols[Print demangled symbol names found at given addresses]' \
'--dot[Generate DOT file to stdout]' \
'--ps[Generate Postscript to stdout]' \
'--pdf[Generate PDF to stdout]' \
'--svg[Generate SVG to stdout; needs no Graphviz]' \
'--gif[Generate GIF to stdout]' \
'--png[Generate PNG to stdout]' \
'--raw[Generate a symbolized profile, which the real jeprof reads\: managed frames have names there]' \
'--collapsed[Generate collapsed stacks for building flame graphs]' \
'--inuse_space[Display in-use (mega)bytes \[default\]]' \
'--inuse_objects[Display in-use objects]' \
'--alloc_space[Display allocated (mega)bytes]' \
'--alloc_objects[Display allocated objects]' \
'--show_bytes[Display space in bytes]' \
'--drop_negative[Ignore negative differences]' \
'--total_delay[Display total delay at each region \[default\]]' \
'--contentions[Display number of delays at each region]' \
'--mean_delay[Display mean delay at each region]' \
'--heapcheck[Make nodes with non-0 object counts (i.e. direct leak generators) more visible]' \
'--full-names[Whole names in the table, with their template arguments]' \
'--test[Run unit tests; those of this program are run when it is built]' \
'--debug-syms-by-id[Find debug symbol files by build ID as well as by name \[always\]]' \
'--debug[Say which files are looked at]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
'*::files -- The program, its profiles, hosts:_files' \
&& ret=0
}

(( $+functions[_jeprof-compat_commands] )) ||
_jeprof-compat_commands() {
    local commands; commands=()
    _describe -t commands 'jeprof-compat commands' commands "$@"
}

if [ "$funcstack[1]" = "_jeprof-compat" ]; then
    _jeprof-compat "$@"
else
    compdef _jeprof-compat jeprof-compat
fi

complete -c jeprof-compat -l base -d 'Subtract BASE from the profiles before display; stacks cancel out by name' -r -F
complete -c jeprof-compat -l seconds -d 'Length of time for dynamic profiles' -r
complete -c jeprof-compat -l add_lib -d 'Read additional symbols and line info from the given library' -r -F
complete -c jeprof-compat -l lib_prefix -d 'Directories below which the files of the profile lie, parted by commas' -r -F
complete -c jeprof-compat -l list -d 'Generate source listing of matching routines' -r
complete -c jeprof-compat -l weblist -d 'Generate source listing of matching routines, as a page, and display' -r
complete -c jeprof-compat -l disasm -d 'Generate disassembly of matching routines' -r
complete -c jeprof-compat -l kind -d 'Show samples of this kind; dumps may hold others than malloc\'s' -r
complete -c jeprof-compat -l nodecount -d 'Show at most so many nodes' -r
complete -c jeprof-compat -l nodefraction -d 'Hide nodes below F*total' -r
complete -c jeprof-compat -l edgefraction -d 'Hide edges below F*total' -r
complete -c jeprof-compat -l maxdegree -d 'Max incoming/outgoing edges per node' -r
complete -c jeprof-compat -l focus -d 'Focus on backtraces with nodes matching REGEXP' -r
complete -c jeprof-compat -l thread -d 'Show profile for thread N, `*` for each one' -r
complete -c jeprof-compat -l ignore -d 'Ignore backtraces with nodes matching REGEXP' -r
complete -c jeprof-compat -l scale -d 'Set GV scaling; it is the viewer\'s own here' -r
complete -c jeprof-compat -l retain -d 'Retain only nodes that match REGEXP' -r
complete -c jeprof-compat -l exclude -d 'Exclude all nodes that match REGEXP' -r
complete -c jeprof-compat -l tools -d 'Tools of binutils and where they lie; none is needed here' -r
complete -c jeprof-compat -l test_stride -r
complete -c jeprof-compat -l cum -d 'Sort by cumulative data'
complete -c jeprof-compat -l interactive -d 'Run in interactive mode [default on a terminal]'
complete -c jeprof-compat -l addresses -d 'Report at address level'
complete -c jeprof-compat -l lines -d 'Report at source line level'
complete -c jeprof-compat -l functions -d 'Report at function level [default]'
complete -c jeprof-compat -l files -d 'Report at source file level'
complete -c jeprof-compat -l text -d 'Generate text report [default unless on a terminal]'
complete -c jeprof-compat -l callgrind -d 'Generate callgrind format to stdout'
complete -c jeprof-compat -l gv -d 'Generate Postscript and display'
complete -c jeprof-compat -l evince -d 'Generate PDF and display'
complete -c jeprof-compat -l web -d 'Generate SVG and display'
complete -c jeprof-compat -l symbols -d 'Print demangled symbol names found at given addresses'
complete -c jeprof-compat -l dot -d 'Generate DOT file to stdout'
complete -c jeprof-compat -l ps -d 'Generate Postscript to stdout'
complete -c jeprof-compat -l pdf -d 'Generate PDF to stdout'
complete -c jeprof-compat -l svg -d 'Generate SVG to stdout; needs no Graphviz'
complete -c jeprof-compat -l gif -d 'Generate GIF to stdout'
complete -c jeprof-compat -l png -d 'Generate PNG to stdout'
complete -c jeprof-compat -l raw -d 'Generate a symbolized profile, which the real jeprof reads: managed frames have names there'
complete -c jeprof-compat -l collapsed -d 'Generate collapsed stacks for building flame graphs'
complete -c jeprof-compat -l inuse_space -d 'Display in-use (mega)bytes [default]'
complete -c jeprof-compat -l inuse_objects -d 'Display in-use objects'
complete -c jeprof-compat -l alloc_space -d 'Display allocated (mega)bytes'
complete -c jeprof-compat -l alloc_objects -d 'Display allocated objects'
complete -c jeprof-compat -l show_bytes -d 'Display space in bytes'
complete -c jeprof-compat -l drop_negative -d 'Ignore negative differences'
complete -c jeprof-compat -l total_delay -d 'Display total delay at each region [default]'
complete -c jeprof-compat -l contentions -d 'Display number of delays at each region'
complete -c jeprof-compat -l mean_delay -d 'Display mean delay at each region'
complete -c jeprof-compat -l heapcheck -d 'Make nodes with non-0 object counts (i.e. direct leak generators) more visible'
complete -c jeprof-compat -l full-names -d 'Whole names in the table, with their template arguments'
complete -c jeprof-compat -l test -d 'Run unit tests; those of this program are run when it is built'
complete -c jeprof-compat -l debug-syms-by-id -d 'Find debug symbol files by build ID as well as by name [always]'
complete -c jeprof-compat -l debug -d 'Say which files are looked at'
complete -c jeprof-compat -s h -l help -d 'Print help'
complete -c jeprof-compat -s V -l version -d 'Print version'

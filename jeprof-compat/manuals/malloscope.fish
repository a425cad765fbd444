# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_malloscope_global_optspecs
    string join \n h/help V/version
end

function __fish_malloscope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_malloscope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_malloscope_using_subcommand
    set -l cmd (__fish_malloscope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c malloscope -n "__fish_malloscope_needs_command" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_needs_command" -s V -l version -d 'Print version'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "run" -d 'Run a program under the profiler and name what it does not give back'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "doctor" -d 'Say whether a program\'s allocations will be seen, without starting it'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "env" -d 'Print what switches the profiler on in a Dockerfile, a systemd unit, a Kubernetes manifest'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "suspects" -d 'Say whether a program leaks, how fast, and where, from its dumps'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "report" -d 'Write a page that says whether a program leaks, how fast, and where, from its dumps'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "diff" -d 'Say what grew and what shrank between two dumps, and what of it is only noise'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "table" -d 'Print the functions that hold the most of a dump'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "flame" -d 'Draw the call paths of a dump as an icicle (a flame graph, root at the top), in SVG; as PNG, GIF, PDF or PostScript if the output ends so'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "graph" -d 'Draw the call graph of a dump, in SVG; as PNG, GIF, PDF, PostScript or as text for Graphviz (`.dot`) if the output ends so'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "convert" -d 'Write a dump in the format of another tool'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "symbolize" -d 'Write dumps with the names of their frames in them: they can be read on any machine, by the real jeprof, too'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "mcp" -d 'Answer an agent that speaks the Model Context Protocol, on stdin and stdout'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "merge" -d 'Add the last dumps of many processes up, by names and build ids, into one'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "metrics" -d 'Print what services hold and leak as OpenMetrics text, for Prometheus'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "push" -d 'Send what a program holds to Pyroscope or Parca'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "dump" -d 'Write a dump of a program that runs, now'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "start" -d 'Switch sampling on in a program that runs'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "stop" -d 'Switch sampling off in a program that runs; what was sampled stays'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "reset" -d 'Forget all samples of a program that runs'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "rate" -d 'Change the mean distance between the samples of a program that runs'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "status" -d 'Say what the profiler of a program that runs is doing'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "top" -d 'Watch the growing call sites of a program that runs'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "jeprof" -d 'The options and the text of jemalloc\'s jeprof, as jeprof-compat has them'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "unpack" -d 'Write the library that this program carries into a directory'
complete -c malloscope -n "__fish_malloscope_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -s o -l output -d 'Where the dumps go; made when it is not there [default: malloscope-COMMAND-TIME]' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l every -d 'The time from one dump to the next, as in 30s or 5m; 0: only when the heap grows and at the end [default: 60s, for services 10m]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l rate -d 'Bytes from one sample to the next on average, as in 512k; the power of two next to it is taken. auto: as dense as 1 % of the processor time allows, between 8k and 512k [default: auto]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l fail-if-leak -d 'Exit with 3 when at least this much certainly leaks, as in 10MB/h or 512k/min, and with 4 when nobody can tell whether it does; for CI' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l horizon -d 'The age that must be reached without being freed before it is called a leak, as in 10m; without it three times the slowest cycle seen in the program' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l push -d 'Send each dump to Pyroscope or Parca while the program runs, as in http://pyroscope:4040' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l push-api -d 'What that server speaks' -r -f -a "pyroscope\t'Pyroscope\'s push API'
parca\t'Parca\'s write API'"
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l service -d 'The name of the service [default: OTEL_SERVICE_NAME, else the program\'s]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l label -d 'What else tells whose it is, as in pod=web-1; may be given often' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -l no-report -d 'Do not write report.html beside the dumps'
complete -c malloscope -n "__fish_malloscope_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand doctor" -s o -l output -d 'Where the dumps would go' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand doctor" -l json -d 'Print JSON'
complete -c malloscope -n "__fish_malloscope_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -l library -d 'Where the library will be on the machine, or in the container' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -s o -l output -d 'Where the dumps go' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -l every -d 'The time from one dump to the next, as in 30s or 5m; 0: only when the heap grows and at the end [default: 60s, for services 10m]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -l rate -d 'Bytes from one sample to the next on average, as in 512k; the power of two next to it is taken. auto: as dense as 1 % of the processor time allows, between 8k and 512k [default: auto]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -l only -d 'Profile only processes of these names, as in "java|worker": shells, probes and sidecars sleep' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand env" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l fail-if-leak -d 'Exit with 3 when at least this much certainly leaks, as in 10MB/h or 512k/min, and with 4 when nobody can tell whether it does; for CI' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l horizon -d 'The age that must be reached without being freed before it is called a leak, as in 10m; without it three times the slowest cycle seen in the program' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l json -d 'Machine-readable output'
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -l markdown -d 'The verdict and its figures in twenty lines of Markdown, for a pull request or an incident'
complete -c malloscope -n "__fish_malloscope_using_subcommand suspects" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -s o -l output -d 'The page; `-` is the standard output' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l pid -d 'The process to report on; without it, the one that leaks most' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l horizon -d 'The age that must be reached without being freed before it is called a leak, as in 10m' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l each -d 'Beside FILE a page for each other process: `report.PID.html`'
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l json -d 'The data of the page instead of the page, for programs; to the standard output'
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l no-cmdline -d 'Leave out the command line'
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -l redact -d 'Leave out the command line, the host, process numbers, and the directories of files'
complete -c malloscope -n "__fish_malloscope_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l kind -d 'Compare samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l by -d 'What makes a row' -r -f -a "culprit\t'The place to blame: the first frame that is not allocator, C library or runtime'
path\t'A whole call path'
function\t'A function'
module\t'A file of code'"
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l top -d 'The most rows that grew, and the most that shrank' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l match -d 'How the dumps belong together, if they do not say it right' -r -f -a "auto\t'As the dumps say'
process\t'They are of one process'
names\t'They are of two runs'"
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l focus -d 'Only stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l ignore -d 'No stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l flat -d 'Rows are functions with what they asked for themselves'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l cum -d 'Rows are functions with all that passes them'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l lines -d 'Tell the lines of a function apart'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l json -d 'Machine-readable output'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -l redact -d 'Leave out the host and directories'
complete -c malloscope -n "__fish_malloscope_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l kind -d 'Show samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l focus -d 'Only stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l ignore -d 'No stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l base -d 'Subtract this dump; stacks cancel out by name' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l value -d 'What is counted' -r -f -a "bytes\t'Bytes that are live'
blocks\t'Blocks that are live'
allocated-bytes\t'Bytes ever allocated (prof_accum)'
allocated-blocks\t'Blocks ever allocated (prof_accum)'"
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l temporary -d 'In its place what is temporary: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l by -d 'What makes a frame' -r -f -a "function\t'Functions'
line\t'Source lines'
file\t'Source files'
address\t'Addresses of code'
thread\t'The threads that allocated'
pool\t'Threads whose names differ in a number, together'"
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l service -d 'The name of the service [default: OTEL_SERVICE_NAME, else the program\'s]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l label -d 'What else tells whose it is, as in pod=web-1; may be given often' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -s o -l output -d 'Where to write instead of the standard output' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l cum -d 'Sort by what passes a function instead of what it asked for itself'
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l show-bytes -d 'Plain bytes instead of MB'
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l json -d 'Machine-readable output, in bytes or blocks'
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -l json-lines -d 'A line of JSON for each stack, of all dumps of a directory: for DuckDB, ClickHouse, Spark'
complete -c malloscope -n "__fish_malloscope_using_subcommand table" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l kind -d 'Show samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l focus -d 'Only stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l ignore -d 'No stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l base -d 'Subtract this dump; stacks cancel out by name' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l value -d 'What is counted' -r -f -a "bytes\t'Bytes that are live'
blocks\t'Blocks that are live'
allocated-bytes\t'Bytes ever allocated (prof_accum)'
allocated-blocks\t'Blocks ever allocated (prof_accum)'"
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l temporary -d 'In its place what is temporary: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -l by -d 'What makes a frame' -r -f -a "function\t'Functions'
line\t'Source lines'
file\t'Source files'
address\t'Addresses of code'
thread\t'The threads that allocated'
pool\t'Threads whose names differ in a number, together'"
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -s o -l output -d 'Where to write instead of the standard output' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand flame" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l kind -d 'Show samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l focus -d 'Only stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l ignore -d 'No stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l base -d 'Subtract this dump; stacks cancel out by name' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l value -d 'What is counted' -r -f -a "bytes\t'Bytes that are live'
blocks\t'Blocks that are live'
allocated-bytes\t'Bytes ever allocated (prof_accum)'
allocated-blocks\t'Blocks ever allocated (prof_accum)'"
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l temporary -d 'In its place what is temporary: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l by -d 'What makes a frame' -r -f -a "function\t'Functions'
line\t'Source lines'
file\t'Source files'
address\t'Addresses of code'
thread\t'The threads that allocated'
pool\t'Threads whose names differ in a number, together'"
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -l nodes -d 'The most boxes that are drawn' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -s o -l output -d 'Where to write instead of the standard output' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand graph" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l to -d 'The format' -r -f -a "folded\t'One line a stack, for flame graph tools'
pprof\t'For `go tool pprof`, Pyroscope, Parca: gzipped protobuf'
speedscope\t'For speedscope.app'
firefox\t'For profiler.firefox.com'
callgrind\t'For KCachegrind and callgrind_annotate'
v8\t'A `.heapprofile`, for Chrome\'s DevTools'
json\t'A list of stacks, for scripts'
jeprof\t'The dump with its names, which the real jeprof reads on any machine'"
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l kind -d 'Show samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l focus -d 'Only stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l ignore -d 'No stacks with a frame that matches' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l thread -d 'Only what threads hold of which the name matches, as in web-pool or ^t3' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -l base -d 'With `--to folded`: an earlier dump, for a differential flame graph; each line ends in two values' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -s o -l output -d 'Where to write instead of the standard output' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand symbolize" -s o -l output -d 'The directory for the new files, which have the names of the old ones' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand symbolize" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand symbolize" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand symbolize" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand mcp" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand merge" -s o -l output -d 'The dump of all; `table`, `flame`, `graph`, `diff` and `convert` read it' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand merge" -l any-program -d 'Add processes of different programs up, too'
complete -c malloscope -n "__fish_malloscope_using_subcommand merge" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand metrics" -l service -d 'The name of the service [default: OTEL_SERVICE_NAME, else the program\'s]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand metrics" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l to -d 'The server, as in http://pyroscope:4040' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l api -d 'What the server speaks' -r -f -a "pyroscope\t'Pyroscope\'s push API'
parca\t'Parca\'s write API'"
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l service -d 'The name of the service [default: OTEL_SERVICE_NAME, else the program\'s]' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l label -d 'What else tells whose it is, as in pod=web-1; may be given often' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l every -d 'Again and again, as in 60s: as long as the process runs, or new dumps come' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -l kind -d 'Send samples of this kind: `java_heap`, `mmap`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand dump" -s o -l output -d 'Take the dump through the socket and write it here' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand dump" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand start" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand stop" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand reset" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand rate" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand status" -l json -d 'Machine-readable output'
complete -c malloscope -n "__fish_malloscope_using_subcommand status" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -s i -l interval -d 'Seconds between two looks' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -l kind -d 'Watch samples of this kind: `java_heap`, `python_objects`' -r
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -l language -d 'Only frames of this language; stacks without one are left out' -r -f -a "java\t'Java, and what else a JVM runs'
ruby\t'Ruby'
python\t'Python'
js\t'JavaScript'
jit\t'Generated code that a perf map names'
native\t'C, C++, Rust: code of files'"
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -l program -d 'Where the program lies now, if not where it ran' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -l sysroot -d 'Where the root of the machine or container that ran lies now: an unpacked image, `/proc/PID/root`; may be given several times' -r -F
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -l once -d 'Look twice, print the sites, and end'
complete -c malloscope -n "__fish_malloscope_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c malloscope -n "__fish_malloscope_using_subcommand unpack" -s h -l help -d 'Print help'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "run" -d 'Run a program under the profiler and name what it does not give back'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "doctor" -d 'Say whether a program\'s allocations will be seen, without starting it'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "env" -d 'Print what switches the profiler on in a Dockerfile, a systemd unit, a Kubernetes manifest'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "suspects" -d 'Say whether a program leaks, how fast, and where, from its dumps'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "report" -d 'Write a page that says whether a program leaks, how fast, and where, from its dumps'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "diff" -d 'Say what grew and what shrank between two dumps, and what of it is only noise'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "table" -d 'Print the functions that hold the most of a dump'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "flame" -d 'Draw the call paths of a dump as an icicle (a flame graph, root at the top), in SVG; as PNG, GIF, PDF or PostScript if the output ends so'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "graph" -d 'Draw the call graph of a dump, in SVG; as PNG, GIF, PDF, PostScript or as text for Graphviz (`.dot`) if the output ends so'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "convert" -d 'Write a dump in the format of another tool'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "symbolize" -d 'Write dumps with the names of their frames in them: they can be read on any machine, by the real jeprof, too'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "mcp" -d 'Answer an agent that speaks the Model Context Protocol, on stdin and stdout'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "merge" -d 'Add the last dumps of many processes up, by names and build ids, into one'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "metrics" -d 'Print what services hold and leak as OpenMetrics text, for Prometheus'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "push" -d 'Send what a program holds to Pyroscope or Parca'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "dump" -d 'Write a dump of a program that runs, now'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "start" -d 'Switch sampling on in a program that runs'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "stop" -d 'Switch sampling off in a program that runs; what was sampled stays'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "reset" -d 'Forget all samples of a program that runs'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "rate" -d 'Change the mean distance between the samples of a program that runs'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "status" -d 'Say what the profiler of a program that runs is doing'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "top" -d 'Watch the growing call sites of a program that runs'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "jeprof" -d 'The options and the text of jemalloc\'s jeprof, as jeprof-compat has them'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "unpack" -d 'Write the library that this program carries into a directory'
complete -c malloscope -n "__fish_malloscope_using_subcommand help; and not __fish_seen_subcommand_from run doctor env suspects report diff table flame graph convert symbolize mcp merge metrics push dump start stop reset rate status top jeprof unpack help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

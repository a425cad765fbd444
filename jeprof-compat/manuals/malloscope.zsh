#compdef malloscope

autoload -U is-at-least

_malloscope() {
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
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_malloscope_commands" \
"*::: :->malloscope" \
&& ret=0
    case $state in
    (malloscope)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:malloscope-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'-o+[Where the dumps go; made when it is not there \[default\: malloscope-COMMAND-TIME\]]:DIR:_files' \
'--output=[Where the dumps go; made when it is not there \[default\: malloscope-COMMAND-TIME\]]:DIR:_files' \
'--every=[The time from one dump to the next, as in 30s or 5m; 0\: only when the heap grows and at the end \[default\: 60s, for services 10m\]]:TIME:_default' \
'--rate=[Bytes from one sample to the next on average, as in 512k; the power of two next to it is taken. auto\: as dense as 1 % of the processor time allows, between 8k and 512k \[default\: auto\]]:BYTES:_default' \
'--fail-if-leak=[Exit with 3 when at least this much certainly leaks, as in 10MB/h or 512k/min, and with 4 when nobody can tell whether it does; for CI]:RATE:_default' \
'--horizon=[The age that must be reached without being freed before it is called a leak, as in 10m; without it three times the slowest cycle seen in the program]:TIME:_default' \
'--push=[Send each dump to Pyroscope or Parca while the program runs, as in http\://pyroscope\:4040]:URL:_default' \
'--push-api=[What that server speaks]:API:((pyroscope\:"Pyroscope'\''s push API"
parca\:"Parca'\''s write API"))' \
'--service=[The name of the service \[default\: OTEL_SERVICE_NAME, else the program'\''s\]]:NAME:_default' \
'*--label=[What else tells whose it is, as in pod=web-1; may be given often]:NAME=VALUE:_default' \
'--no-report[Do not write report.html beside the dumps]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::command -- The program and its arguments:_default' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'-o+[Where the dumps would go]:DIR:_files' \
'--output=[Where the dumps would go]:DIR:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::command -- The program and its arguments, or the number of a process that runs:_default' \
&& ret=0
;;
(env)
_arguments "${_arguments_options[@]}" : \
'--library=[Where the library will be on the machine, or in the container]:FILE:_files' \
'-o+[Where the dumps go]:DIR:_files' \
'--output=[Where the dumps go]:DIR:_files' \
'--every=[The time from one dump to the next, as in 30s or 5m; 0\: only when the heap grows and at the end \[default\: 60s, for services 10m\]]:TIME:_default' \
'--rate=[Bytes from one sample to the next on average, as in 512k; the power of two next to it is taken. auto\: as dense as 1 % of the processor time allows, between 8k and 512k \[default\: auto\]]:BYTES:_default' \
'--only=[Profile only processes of these names, as in "java|worker"\: shells, probes and sidecars sleep]:NAMES:_default' \
'-h[Print help]' \
'--help[Print help]' \
'::form -- What it is for:(docker systemd k8s shell)' \
'*::command -- The program and its arguments:_default' \
&& ret=0
;;
(suspects)
_arguments "${_arguments_options[@]}" : \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--fail-if-leak=[Exit with 3 when at least this much certainly leaks, as in 10MB/h or 512k/min, and with 4 when nobody can tell whether it does; for CI]:RATE:_default' \
'--horizon=[The age that must be reached without being freed before it is called a leak, as in 10m; without it three times the slowest cycle seen in the program]:TIME:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--json[Machine-readable output]' \
'(--json)--markdown[The verdict and its figures in twenty lines of Markdown, for a pull request or an incident]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::dumps -- Directories with dumps, or dumps:_files' \
&& ret=0
;;
(report)
_arguments "${_arguments_options[@]}" : \
'-o+[The page; \`-\` is the standard output]:FILE:_files' \
'--output=[The page; \`-\` is the standard output]:FILE:_files' \
'--pid=[The process to report on; without it, the one that leaks most]:PID:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--horizon=[The age that must be reached without being freed before it is called a leak, as in 10m]:TIME:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'(--pid)--each[Beside FILE a page for each other process\: \`report.PID.html\`]' \
'(--each -o --output)--json[The data of the page instead of the page, for programs; to the standard output]' \
'--no-cmdline[Leave out the command line]' \
'--redact[Leave out the command line, the host, process numbers, and the directories of files]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::dumps -- Directories with dumps, or dumps:_files' \
&& ret=0
;;
(diff)
_arguments "${_arguments_options[@]}" : \
'--kind=[Compare samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'--by=[What makes a row]:WHAT:((culprit\:"The place to blame\: the first frame that is not allocator, C library or runtime"
path\:"A whole call path"
function\:"A function"
module\:"A file of code"))' \
'--top=[The most rows that grew, and the most that shrank]:N:_default' \
'--match=[How the dumps belong together, if they do not say it right]:HOW:((auto\:"As the dumps say"
process\:"They are of one process"
names\:"They are of two runs"))' \
'--focus=[Only stacks with a frame that matches]:REGEXP:_default' \
'--ignore=[No stacks with a frame that matches]:REGEXP:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'(--cum)--flat[Rows are functions with what they asked for themselves]' \
'--cum[Rows are functions with all that passes them]' \
'--lines[Tell the lines of a function apart]' \
'--json[Machine-readable output]' \
'--redact[Leave out the host and directories]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':before -- The earlier dump, or a directory\: its last whole dump:_files' \
'::after -- The later dump, or a directory; without it BEFORE is a directory\: its first dump and its last:_files' \
&& ret=0
;;
(table)
_arguments "${_arguments_options[@]}" : \
'--kind=[Show samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'--focus=[Only stacks with a frame that matches]:REGEXP:_default' \
'--ignore=[No stacks with a frame that matches]:REGEXP:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--base=[Subtract this dump; stacks cancel out by name]:FILE:_files' \
'--value=[What is counted]:WHAT:((bytes\:"Bytes that are live"
blocks\:"Blocks that are live"
allocated-bytes\:"Bytes ever allocated (prof_accum)"
allocated-blocks\:"Blocks ever allocated (prof_accum)"))' \
'(--value)--temporary=[In its place what is temporary\: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s]:TIME:_default' \
'--by=[What makes a frame]:WHAT:((function\:"Functions"
line\:"Source lines"
file\:"Source files"
address\:"Addresses of code"
thread\:"The threads that allocated"
pool\:"Threads whose names differ in a number, together"))' \
'--service=[The name of the service \[default\: OTEL_SERVICE_NAME, else the program'\''s\]]:NAME:_default' \
'*--label=[What else tells whose it is, as in pod=web-1; may be given often]:NAME=VALUE:_default' \
'-o+[Where to write instead of the standard output]:FILE:_files' \
'--output=[Where to write instead of the standard output]:FILE:_files' \
'--cum[Sort by what passes a function instead of what it asked for itself]' \
'--show-bytes[Plain bytes instead of MB]' \
'--json[Machine-readable output, in bytes or blocks]' \
'(--json --cum --show-bytes --base --temporary)--json-lines[A line of JSON for each stack, of all dumps of a directory\: for DuckDB, ClickHouse, Spark]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- A dump, or a directory\: its last whole dump:_files' \
&& ret=0
;;
(flame)
_arguments "${_arguments_options[@]}" : \
'--kind=[Show samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'--focus=[Only stacks with a frame that matches]:REGEXP:_default' \
'--ignore=[No stacks with a frame that matches]:REGEXP:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--base=[Subtract this dump; stacks cancel out by name]:FILE:_files' \
'--value=[What is counted]:WHAT:((bytes\:"Bytes that are live"
blocks\:"Blocks that are live"
allocated-bytes\:"Bytes ever allocated (prof_accum)"
allocated-blocks\:"Blocks ever allocated (prof_accum)"))' \
'(--value)--temporary=[In its place what is temporary\: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s]:TIME:_default' \
'--by=[What makes a frame]:WHAT:((function\:"Functions"
line\:"Source lines"
file\:"Source files"
address\:"Addresses of code"
thread\:"The threads that allocated"
pool\:"Threads whose names differ in a number, together"))' \
'-o+[Where to write instead of the standard output]:FILE:_files' \
'--output=[Where to write instead of the standard output]:FILE:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- A dump, or a directory\: its last whole dump:_files' \
&& ret=0
;;
(graph)
_arguments "${_arguments_options[@]}" : \
'--kind=[Show samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'--focus=[Only stacks with a frame that matches]:REGEXP:_default' \
'--ignore=[No stacks with a frame that matches]:REGEXP:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--base=[Subtract this dump; stacks cancel out by name]:FILE:_files' \
'--value=[What is counted]:WHAT:((bytes\:"Bytes that are live"
blocks\:"Blocks that are live"
allocated-bytes\:"Bytes ever allocated (prof_accum)"
allocated-blocks\:"Blocks ever allocated (prof_accum)"))' \
'(--value)--temporary=[In its place what is temporary\: the bytes of blocks that were freed within this time of their allocation, as in 100ms or 2s]:TIME:_default' \
'--by=[What makes a frame]:WHAT:((function\:"Functions"
line\:"Source lines"
file\:"Source files"
address\:"Addresses of code"
thread\:"The threads that allocated"
pool\:"Threads whose names differ in a number, together"))' \
'--nodes=[The most boxes that are drawn]:N:_default' \
'-o+[Where to write instead of the standard output]:FILE:_files' \
'--output=[Where to write instead of the standard output]:FILE:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- A dump, or a directory\: its last whole dump:_files' \
&& ret=0
;;
(convert)
_arguments "${_arguments_options[@]}" : \
'--to=[The format]:FORMAT:((folded\:"One line a stack, for flame graph tools"
pprof\:"For \`go tool pprof\`, Pyroscope, Parca\: gzipped protobuf"
speedscope\:"For speedscope.app"
firefox\:"For profiler.firefox.com"
callgrind\:"For KCachegrind and callgrind_annotate"
v8\:"A \`.heapprofile\`, for Chrome'\''s DevTools"
json\:"A list of stacks, for scripts"
jeprof\:"The dump with its names, which the real jeprof reads on any machine"))' \
'--kind=[Show samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'--focus=[Only stacks with a frame that matches]:REGEXP:_default' \
'--ignore=[No stacks with a frame that matches]:REGEXP:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--thread=[Only what threads hold of which the name matches, as in web-pool or ^t3]:REGEXP:_default' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--base=[With \`--to folded\`\: an earlier dump, for a differential flame graph; each line ends in two values]:FILE:_files' \
'-o+[Where to write instead of the standard output]:FILE:_files' \
'--output=[Where to write instead of the standard output]:FILE:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':file -- A dump, or a directory\: its last whole dump:_files' \
&& ret=0
;;
(symbolize)
_arguments "${_arguments_options[@]}" : \
'-o+[The directory for the new files, which have the names of the old ones]:DIR:_files' \
'--output=[The directory for the new files, which have the names of the old ones]:DIR:_files' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'-h[Print help]' \
'--help[Print help]' \
'*::dumps -- Dumps, or directories\: their dumps:_files' \
&& ret=0
;;
(mcp)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(merge)
_arguments "${_arguments_options[@]}" : \
'-o+[The dump of all; \`table\`, \`flame\`, \`graph\`, \`diff\` and \`convert\` read it]:FILE:_files' \
'--output=[The dump of all; \`table\`, \`flame\`, \`graph\`, \`diff\` and \`convert\` read it]:FILE:_files' \
'--any-program[Add processes of different programs up, too]' \
'-h[Print help]' \
'--help[Print help]' \
'*::dumps -- Directories with dumps, or dumps\: of each process the last:_files' \
&& ret=0
;;
(metrics)
_arguments "${_arguments_options[@]}" : \
'--service=[The name of the service \[default\: OTEL_SERVICE_NAME, else the program'\''s\]]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
':source -- A directory with dumps, or a process that listens (`prof_control\:true`):_default' \
&& ret=0
;;
(push)
_arguments "${_arguments_options[@]}" : \
'--to=[The server, as in http\://pyroscope\:4040]:URL:_default' \
'--api=[What the server speaks]:API:((pyroscope\:"Pyroscope'\''s push API"
parca\:"Parca'\''s write API"))' \
'--service=[The name of the service \[default\: OTEL_SERVICE_NAME, else the program'\''s\]]:NAME:_default' \
'*--label=[What else tells whose it is, as in pod=web-1; may be given often]:NAME=VALUE:_default' \
'--every=[Again and again, as in 60s\: as long as the process runs, or new dumps come]:TIME:_default' \
'--kind=[Send samples of this kind\: \`java_heap\`, \`mmap\`]:NAME:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':source -- A directory with dumps, or a process that listens (`prof_control\:true`):_default' \
&& ret=0
;;
(dump)
_arguments "${_arguments_options[@]}" : \
'-o+[Take the dump through the socket and write it here]:FILE:_files' \
'--output=[Take the dump through the socket and write it here]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(rate)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
':rate -- Bytes, as in 512k or 2m; the nearest power of two is taken. auto\: as dense as the budget allows:_default' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--json[Machine-readable output]' \
'-h[Print help]' \
'--help[Print help]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(top)
_arguments "${_arguments_options[@]}" : \
'-i+[Seconds between two looks]:INTERVAL:_default' \
'--interval=[Seconds between two looks]:INTERVAL:_default' \
'--kind=[Watch samples of this kind\: \`java_heap\`, \`python_objects\`]:NAME:_default' \
'--language=[Only frames of this language; stacks without one are left out]:NAME:((java\:"Java, and what else a JVM runs"
ruby\:"Ruby"
python\:"Python"
js\:"JavaScript"
jit\:"Generated code that a perf map names"
native\:"C, C++, Rust\: code of files"))' \
'--program=[Where the program lies now, if not where it ran]:PROGRAM:_files' \
'*--sysroot=[Where the root of the machine or container that ran lies now\: an unpacked image, \`/proc/PID/root\`; may be given several times]:DIR:_files' \
'--once[Look twice, print the sites, and end]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':pid -- Its process, started with `prof\:true,prof_control\:true`:_default' \
&& ret=0
;;
(jeprof)
_arguments "${_arguments_options[@]}" : \
'*::arguments:_default' \
&& ret=0
;;
(unpack)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':directory -- Where libmalloscope.so goes; made when it is not there:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_malloscope__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:malloscope-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(env)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(suspects)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(report)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(diff)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(table)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(flame)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(graph)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(convert)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(symbolize)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(mcp)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(merge)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(metrics)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(push)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(dump)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(top)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(jeprof)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(unpack)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_malloscope_commands] )) ||
_malloscope_commands() {
    local commands; commands=(
'run:Run a program under the profiler and name what it does not give back' \
'doctor:Say whether a program'\''s allocations will be seen, without starting it' \
'env:Print what switches the profiler on in a Dockerfile, a systemd unit, a Kubernetes manifest' \
'suspects:Say whether a program leaks, how fast, and where, from its dumps' \
'report:Write a page that says whether a program leaks, how fast, and where, from its dumps' \
'diff:Say what grew and what shrank between two dumps, and what of it is only noise' \
'table:Print the functions that hold the most of a dump' \
'flame:Draw the call paths of a dump as an icicle (a flame graph, root at the top), in SVG; as PNG, GIF, PDF or PostScript if the output ends so' \
'graph:Draw the call graph of a dump, in SVG; as PNG, GIF, PDF, PostScript or as text for Graphviz (\`.dot\`) if the output ends so' \
'convert:Write a dump in the format of another tool' \
'symbolize:Write dumps with the names of their frames in them\: they can be read on any machine, by the real jeprof, too' \
'mcp:Answer an agent that speaks the Model Context Protocol, on stdin and stdout' \
'merge:Add the last dumps of many processes up, by names and build ids, into one' \
'metrics:Print what services hold and leak as OpenMetrics text, for Prometheus' \
'push:Send what a program holds to Pyroscope or Parca' \
'dump:Write a dump of a program that runs, now' \
'start:Switch sampling on in a program that runs' \
'stop:Switch sampling off in a program that runs; what was sampled stays' \
'reset:Forget all samples of a program that runs' \
'rate:Change the mean distance between the samples of a program that runs' \
'status:Say what the profiler of a program that runs is doing' \
'top:Watch the growing call sites of a program that runs' \
'jeprof:The options and the text of jemalloc'\''s jeprof, as jeprof-compat has them' \
'unpack:Write the library that this program carries into a directory' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'malloscope commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__convert_commands] )) ||
_malloscope__subcmd__convert_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope convert commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__diff_commands] )) ||
_malloscope__subcmd__diff_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope diff commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__doctor_commands] )) ||
_malloscope__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope doctor commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__dump_commands] )) ||
_malloscope__subcmd__dump_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope dump commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__env_commands] )) ||
_malloscope__subcmd__env_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope env commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__flame_commands] )) ||
_malloscope__subcmd__flame_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope flame commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__graph_commands] )) ||
_malloscope__subcmd__graph_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope graph commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help_commands] )) ||
_malloscope__subcmd__help_commands() {
    local commands; commands=(
'run:Run a program under the profiler and name what it does not give back' \
'doctor:Say whether a program'\''s allocations will be seen, without starting it' \
'env:Print what switches the profiler on in a Dockerfile, a systemd unit, a Kubernetes manifest' \
'suspects:Say whether a program leaks, how fast, and where, from its dumps' \
'report:Write a page that says whether a program leaks, how fast, and where, from its dumps' \
'diff:Say what grew and what shrank between two dumps, and what of it is only noise' \
'table:Print the functions that hold the most of a dump' \
'flame:Draw the call paths of a dump as an icicle (a flame graph, root at the top), in SVG; as PNG, GIF, PDF or PostScript if the output ends so' \
'graph:Draw the call graph of a dump, in SVG; as PNG, GIF, PDF, PostScript or as text for Graphviz (\`.dot\`) if the output ends so' \
'convert:Write a dump in the format of another tool' \
'symbolize:Write dumps with the names of their frames in them\: they can be read on any machine, by the real jeprof, too' \
'mcp:Answer an agent that speaks the Model Context Protocol, on stdin and stdout' \
'merge:Add the last dumps of many processes up, by names and build ids, into one' \
'metrics:Print what services hold and leak as OpenMetrics text, for Prometheus' \
'push:Send what a program holds to Pyroscope or Parca' \
'dump:Write a dump of a program that runs, now' \
'start:Switch sampling on in a program that runs' \
'stop:Switch sampling off in a program that runs; what was sampled stays' \
'reset:Forget all samples of a program that runs' \
'rate:Change the mean distance between the samples of a program that runs' \
'status:Say what the profiler of a program that runs is doing' \
'top:Watch the growing call sites of a program that runs' \
'jeprof:The options and the text of jemalloc'\''s jeprof, as jeprof-compat has them' \
'unpack:Write the library that this program carries into a directory' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'malloscope help commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__convert_commands] )) ||
_malloscope__subcmd__help__subcmd__convert_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help convert commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__diff_commands] )) ||
_malloscope__subcmd__help__subcmd__diff_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help diff commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__doctor_commands] )) ||
_malloscope__subcmd__help__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help doctor commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__dump_commands] )) ||
_malloscope__subcmd__help__subcmd__dump_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help dump commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__env_commands] )) ||
_malloscope__subcmd__help__subcmd__env_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help env commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__flame_commands] )) ||
_malloscope__subcmd__help__subcmd__flame_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help flame commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__graph_commands] )) ||
_malloscope__subcmd__help__subcmd__graph_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help graph commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__help_commands] )) ||
_malloscope__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help help commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__jeprof_commands] )) ||
_malloscope__subcmd__help__subcmd__jeprof_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help jeprof commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__mcp_commands] )) ||
_malloscope__subcmd__help__subcmd__mcp_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help mcp commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__merge_commands] )) ||
_malloscope__subcmd__help__subcmd__merge_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help merge commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__metrics_commands] )) ||
_malloscope__subcmd__help__subcmd__metrics_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help metrics commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__push_commands] )) ||
_malloscope__subcmd__help__subcmd__push_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help push commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__rate_commands] )) ||
_malloscope__subcmd__help__subcmd__rate_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help rate commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__report_commands] )) ||
_malloscope__subcmd__help__subcmd__report_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help report commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__reset_commands] )) ||
_malloscope__subcmd__help__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help reset commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__run_commands] )) ||
_malloscope__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help run commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__start_commands] )) ||
_malloscope__subcmd__help__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help start commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__status_commands] )) ||
_malloscope__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help status commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__stop_commands] )) ||
_malloscope__subcmd__help__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help stop commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__suspects_commands] )) ||
_malloscope__subcmd__help__subcmd__suspects_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help suspects commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__symbolize_commands] )) ||
_malloscope__subcmd__help__subcmd__symbolize_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help symbolize commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__table_commands] )) ||
_malloscope__subcmd__help__subcmd__table_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help table commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__top_commands] )) ||
_malloscope__subcmd__help__subcmd__top_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help top commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__help__subcmd__unpack_commands] )) ||
_malloscope__subcmd__help__subcmd__unpack_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope help unpack commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__jeprof_commands] )) ||
_malloscope__subcmd__jeprof_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope jeprof commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__mcp_commands] )) ||
_malloscope__subcmd__mcp_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope mcp commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__merge_commands] )) ||
_malloscope__subcmd__merge_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope merge commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__metrics_commands] )) ||
_malloscope__subcmd__metrics_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope metrics commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__push_commands] )) ||
_malloscope__subcmd__push_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope push commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__rate_commands] )) ||
_malloscope__subcmd__rate_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope rate commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__report_commands] )) ||
_malloscope__subcmd__report_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope report commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__reset_commands] )) ||
_malloscope__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope reset commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__run_commands] )) ||
_malloscope__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope run commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__start_commands] )) ||
_malloscope__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope start commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__status_commands] )) ||
_malloscope__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope status commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__stop_commands] )) ||
_malloscope__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope stop commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__suspects_commands] )) ||
_malloscope__subcmd__suspects_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope suspects commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__symbolize_commands] )) ||
_malloscope__subcmd__symbolize_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope symbolize commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__table_commands] )) ||
_malloscope__subcmd__table_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope table commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__top_commands] )) ||
_malloscope__subcmd__top_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope top commands' commands "$@"
}
(( $+functions[_malloscope__subcmd__unpack_commands] )) ||
_malloscope__subcmd__unpack_commands() {
    local commands; commands=()
    _describe -t commands 'malloscope unpack commands' commands "$@"
}

if [ "$funcstack[1]" = "_malloscope" ]; then
    _malloscope "$@"
else
    compdef _malloscope malloscope
fi

#!/usr/bin/env bash
# side-by-side.sh OURS PROGRAM DUMP...    runs the jeprof of this machine and OURS (jeprof-compat) with each option on
#                                         each dump, and prints a table: same, differs and why, or refused
# side-by-side.sh OURS all LIBRARY [DIR]  the same over dumps of every kind: every option on those of C++, some on the
#                                         others; side-by-side/dumps.sh makes them where DIR has none
# With VERBOSE=1 the rows that differ are shown; KINDS='cpp|java' runs over these alone. Exits with 1 if anything was
# refused.
set -u
ours=$(realpath "$1") here=$(cd "$(dirname "$0")" && pwd)/side-by-side
shift
jeprof=${JEPROF:-jeprof}
work=$(mktemp -d) server=
trap 'rm -rf "$work"; [ -z "$server" ] || kill $server' EXIT
export JEPROF_TMPDIR=$work
unset DISPLAY WAYLAND_DISPLAY DEBUGINFOD_URLS

# For which dumps | how the outputs are held against each other | the options | why they may differ.
# %P the program, %D the dump, %B an earlier one, %R the dump with its names, %1 and %2 servers; `%P %D` is added
# where none of them stands.
options() {
  cat <<'LIST'
every|rows|--text|symbols: jeprof takes the nearest, ours respects sizes and names inlined functions and managed frames
every|rows|--text --show_bytes|symbols
every|rows|--text --cum|symbols
every|rows|--text --lines|symbols; jeprof adds (discriminator N), and has folders twice (./elf/./elf)
every|rows|--text --inuse_objects|symbols
every|rows|--text --alloc_space|symbols
every|rows|--text --alloc_objects|symbols
every|total|--collapsed|names are whole, without tags of nm
every|costs|--callgrind|the sum is held against the total of the table: jeprof's counts stacks more than once
every|head|--svg|layout and colours are ours, names are whole
every|head|--raw|jeprof dies on a local file
every|rows|--text %R|of what ours --raw writes
all|rows|--text --addresses|symbols
all|rows|--text --files|jeprof has a row for each (discriminator N); what has no file goes by its module
all|rows|--text --focus=main|symbols
all|rows|--text --ignore=main|symbols
all|rows|--text --retain=main|symbols
all|rows|--text --exclude=main|symbols
all|rows|--text --drop_negative|symbols
all|rows|-text -show_b|symbols
all|rows|--text --thread=0|symbols
all|rows|--text --thread=*|symbols
all|rows|--text --debug-syms-by-id|symbols
all|rows|--text --heapcheck|symbols
all|rows|--text --tools=/usr/bin/|symbols
all|rows|--text --lib_prefix=/nowhere|symbols
all|rows|--text --add_lib=/usr/bin/true|symbols
all|rows|--text --scale=2|symbols
all|rows|--text --seconds=1|symbols
all|rows|--text --nocum|symbols
all|rows|--text --nodecount=3 --nodefraction=0.2 --edgefraction=0.1 --maxdegree=2|symbols
all|head|--dot|layout and colours are ours, names are whole
all|head|--ps|the same
all|head|--pdf|the same
all|head|--gif|the same
all|answer|--web|no screen: ours says the name of the file
all|answer|--gv|the same
all|answer|--evince|the same
all|rows|--interactive|symbols; of the commands top3, top3 --cum, top4 -buy
all|names|--symbols %P|symbols; jeprof keeps versions of symbols (@@GLIBC_2.34)
all|listing|--list=main|jeprof reads objdump, ours the tables of lines
all|listing|--disasm=main|the same; ours takes names of debug files, too
all|answer|--weblist=main|the same
all|rows|--text --lines %R|of what ours --raw writes
all|total|--collapsed %R|of what ours --raw writes
all|answer|--help|
all|answer|--version|
all|answer|--test|
base|rows|--text --base=%B|symbols
base|rows|--text --base=%B --drop_negative|symbols
base|rows|--text --base=%B --inuse_objects|symbols
base|total|--collapsed --base=%B|
base|rows|--text %P %D %B|symbols
host|rows|--text http://%1/pprof/heap|names of the server
host|rows|--text http://%1/pprof/heap http://%2/pprof/heap|names of the server
host|rows|--text %P http://%1/pprof/heap|the server's names where the program has none
host|rows|--text localhost:%2@2/pprof/heap|names of the server; 0.localhost is no name for every resolver
host|head|--raw http://%1/pprof/heap|
host|head|--svg http://%1/pprof/heap|layout and colours are ours
delay|rows|--text|symbols
delay|rows|--text --contentions|symbols
delay|rows|--text --mean_delay|symbols
delay|rows|--text --total_delay|symbols
delay|head|--svg|layout and colours are ours
delay|head|--raw|jeprof dies on a local file
LIST
}

# Which of them are for a dump.
wanted() {
  case $(basename "$1") in
    *.contention) echo '^delay' ;;
    go.heap) echo '^every' ;;
    cpp.jemalloc.*) echo '^(every|all|base|host)' ;;
    c.* | rust.* | java.* | node.*) echo '^every' ;;
    *) echo '^(every|all)' ;;
  esac
}

# The numbers of a table, sorted: names may differ where jeprof's are wrong.
numbers() { grep -vE '^(After|Shown)' "$1" | awk '/^Total/ {print; next} {print $1, $4}' | sort; }
# Rows without their shares and what jeprof alone says.
named() { sed -E 's/ \(discriminator [0-9]+\)//' "$1" | awk '!/^(Total|After|Shown)/ {printf "%s %s", $1, $4; for (i = 6; i <= NF; i++) printf " %s", $i; print ""}' | sort; }
# How many of the first rows are among the second, and of how many: figures may differ by two, or by one in a hundred. A
# heap_v2 file has whole numbers only, and so the counts of ours are rounded for jeprof.
alike() {
  awk 'function near(a, b, d) {d = a > b ? a - b : b - a; return d <= 2 || d <= (a > 0 ? a : -a) / 100}
    {key = $0; sub(/^[^ ]+ [^ ]+ /, "", key)}
    NR == FNR {flat[key] = $1; cumulative[key] = $2; next}
    {all++; if (key in flat && near($1, flat[key]) && near($2, cumulative[key])) found++}
    END {printf "%d of %d", found, all}' "$2" "$1"
}
sum() { awk '{total += $NF} END {printf "%.0f\n", total / 1000}' "$1"; }
# What functions cost by themselves: the line below `calls=` is what a call costs.
costs() { awk '/^calls=/ {getline; next} /^[0-9]+ [0-9]/ {sum += $2} END {printf "%.0f\n", sum / 1000}' "$1"; }

compare() { # HOW
  local theirs=$work/theirs mine=$work/ours
  case $1 in
    rows)
      if cmp -s <(sort "$theirs") <(sort "$mine"); then echo same
      elif cmp -s <(numbers "$theirs") <(numbers "$mine"); then echo "same numbers"
      else echo "$(alike <(named "$theirs") <(named "$mine")) rows"; fi ;;
    total) [ "$(sum "$theirs")" = "$(sum "$mine")" ] && echo "same total" || echo "other total" ;;
    costs) [ "$(costs "$mine")" = "$(cat "$work/total")" ] && echo "same total" || echo "other total" ;;
    head) [ "$(head -c 4 "$theirs" | tr -d '\0')" = "$(head -c 4 "$mine" | tr -d '\0')" ] && echo "same format" || echo "other format" ;;
    listing) cmp -s <(grep -c ROUTINE "$theirs") <(grep -c ROUTINE "$mine") && echo "same routines" || echo "other routines" ;;
    names)
      echo "$(paste -d ' ' <(sed 's/@.*//' "$theirs") <(sed 's/@.*//' "$mine") | awk '$1 == $2 {n++} END {print n + 0}') of $(wc -l <"$theirs") names" ;;
    answer) [ -s "$theirs" ] || [ ! -s "$mine" ] && echo answered || echo other ;;
  esac
}

# The command line of an option: its result in `arguments`.
fill() { # OPTION PROGRAM DUMP
  local text=$1
  case $text in *%[PDR12]*) ;; *) text="$text %P %D" ;; esac
  text=${text//%P/$2} text=${text//%D/$3} text=${text//%R/$work/raw} text=${text//%B/${base:-$3}}
  case $text in *localhost:*) text=${text//%2/${ports[1]:-1}} ;; esac
  text=${text//%1/127.0.0.1:${ports[0]:-1}} text=${text//%2/127.0.0.1:${ports[1]:-1}}
  read -ra arguments <<<"$text"
}

# Starts two servers with this dump; their ports in `ports`.
serve() {
  [ -z "$server" ] || kill "$server"
  rm -f "$work/ports" "$work/stop"
  mkfifo "$work/stop"
  python3 "$here/servers.py" "$1" "$work/raw" "$work/ports" <"$work/stop" &
  server=$!
  exec 8>"$work/stop"
  for _ in $(seq 100); do [ -s "$work/ports" ] && break; sleep 0.1; done
  read -ra ports <"$work/ports"
}

printf 'top3\ntop3 --cum\ntop4 -buy\nquit\n' >"$work/typed"
refused=0
run() { # PROGRAM DUMP
  local program=$1 dump=$2 input how option why code theirs result rest
  "$ours" --raw "$program" "$dump" >"$work/raw" 2>/dev/null </dev/null
  { sed '1,/MAPPED_LIBRARIES/d' "$dump" | grep -v '^#'; grep '^@' "$dump" | tr -d '@' | tr ' ' '\n' | grep '^0x'; } \
    >"$work/addresses"
  if [[ host =~ $(wanted "$dump") ]]; then serve "$dump"; fi
  while IFS='|' read -r _ how option why; do
    fill "$option" "$program" "$dump"
    input=/dev/null
    case $option in
      --interactive) input=$work/typed ;;
      --symbols*) input=$work/addresses ;;
    esac
    HOME=$work timeout 300 "$jeprof" "${arguments[@]}" >"$work/theirs" 2>"$work/their_talk" <"$input"
    theirs=$?
    HOME=$work timeout 300 "$ours" "${arguments[@]}" >"$work/ours" 2>"$work/our_talk" <"$input"
    code=$? rest=
    if [ $code -ne 0 ] && [ $theirs -eq 0 ] && [ ! -s "$work/theirs" ]; then
      # It says nothing at all, and calls that success; ours says why there is nothing.
      result="both nothing" why=$(tail -1 "$work/our_talk")
    elif [ $code -ne 0 ] && [ $theirs -eq 0 ]; then
      result=refused why=$(tail -1 "$work/our_talk") refused=1
    elif [ $code -ne 0 ]; then
      result="both refuse" why=$(tail -1 "$work/our_talk")
    elif [ $theirs -ne 0 ] && [ "$how" != answer ]; then
      result="ours alone" why=$(tail -1 "$work/their_talk")
    else
      case $option in '--text --show_bytes') awk '/^Total/ {printf "%.0f\n", $2 / 1000}' "$work/theirs" >"$work/total" ;; esac
      result=$(compare "$how")
      case $result in
        same | answered) why= ;;
        *rows | *numbers | other\ total) rest=1 ;;
      esac
    fi
    printf '%-34s %-24s %-14s %s\n' "${option:0:60}" "$(basename "$dump" | cut -c1-24)" "$result" "${why:0:110}"
    if [ -n "${VERBOSE:-}" ] && [ -n "$rest" ]; then
      diff <(named "$work/theirs") <(named "$work/ours") | grep '^[<>]' | cut -c1-120
    fi
  done < <(options | grep -E "$(wanted "$dump")")
}

printf '%-34s %-24s %-14s %s\n' OPTIONS DUMP RESULT WHY
if [ "$1" = all ]; then
  dir=${3:-$work/dumps}
  if [ ! -e "$dir/list" ]; then
    "$here/dumps.sh" "$(realpath "$2")" "$dir" >"$work/list" || exit 1
    mv "$work/list" "$dir/list"
  fi
  base=$(ls "$dir"/cpp.jemalloc.*.i0.heap | tail -1)
  while read -r program dump; do
    [[ $(basename "$dump") =~ ^(${KINDS:-.*})\. ]] && run "$program" "$dump"
  done <"$dir/list"
else
  program=$1
  shift
  for dump in "$@"; do run "$program" "$dump"; done
fi
exit $refused

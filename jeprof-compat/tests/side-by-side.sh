#!/usr/bin/env bash
# side-by-side.sh OURS PROGRAM DUMP...: runs the jeprof of this machine and OURS (jeprof-compat) with each option
# on each dump, and prints a table: same, differs and why, or refused. Exits with 1 if anything was refused.
set -u
ours=$1 program=$2
shift 2
jeprof=${JEPROF:-jeprof}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JEPROF_TMPDIR=$work HOME=$work
unset DISPLAY WAYLAND_DISPLAY

# How the outputs are held against each other | the options | why they may differ.
options() {
  cat <<'LIST'
rows|--text|jeprof takes the nearest symbol, ours respects sizes; what has no name is one row a function
rows|--text --show_bytes|the same
rows|--text --cum|the same
rows|--text --lines|jeprof adds (discriminator N)
rows|--text --addresses|the same
rows|--text --files|what has no file goes by its module
rows|--text --inuse_objects|the same
rows|--text --alloc_space|the same
rows|--text --alloc_objects|the same
rows|--text --focus=main|the same
rows|--text --ignore=main|the same
rows|--text --retain=main|the same
rows|--text --exclude=main|the same
rows|--text --drop_negative|the same
rows|-text -show_b|the same
rows|--text --thread=0|the same
rows|--text --thread=*|the same
rows|--text --debug-syms-by-id|the same
rows|--text --heapcheck|the same
rows|--text --tools=/usr/bin/|the same
rows|--text --lib_prefix=/nowhere|the same
rows|--text --nocum|the same
total|--collapsed|names are whole, without tags of nm
head|--callgrind|two events, modules and lines: jeprof's has empty names without lines
head|--dot|layout and colours are ours, names are whole
head|--svg|the same
head|--ps|the same
head|--pdf|the same
head|--gif|the same
listing|--list=main|jeprof reads objdump, ours the tables of lines
listing|--disasm=main|the same
head|--raw|jeprof dies on a local file
answer|--help|
answer|--version|
answer|--test|
LIST
}

# The numbers of a table, sorted: names may differ where jeprof's are wrong.
numbers() { awk '/^Total/ {print; next} {print $1, $4}' "$1" | sort; }
sum() { awk '{total += $NF} END {printf "%.0f\n", total / 1000}' "$1"; }

compare() { # HOW OPTIONS
  case $1 in
    rows)
      if cmp -s <(sort "$work/theirs") <(sort "$work/ours"); then echo same
      elif cmp -s <(numbers "$work/theirs") <(numbers "$work/ours"); then echo "same numbers"
      elif cmp -s <(grep ^Total "$work/theirs") <(grep ^Total "$work/ours"); then echo "same total"
      else echo other; fi ;;
    total) [ "$(sum "$work/theirs")" = "$(sum "$work/ours")" ] && echo "same total" || echo other ;;
    head) [ "$(head -c 4 "$work/theirs" | tr -d '\0')" = "$(head -c 4 "$work/ours" | tr -d '\0')" ] && echo "same format" || echo other ;;
    listing) cmp -s <(grep -c ROUTINE "$work/theirs") <(grep -c ROUTINE "$work/ours") && echo "same routines" || echo other ;;
    answer) [ -s "$work/theirs" ] || [ ! -s "$work/ours" ] && echo answered || echo other ;;
  esac
}

refused=0
printf '%-34s %-24s %-14s %s\n' OPTIONS DUMP RESULT WHY
for dump in "$@"; do
  while IFS='|' read -r how option why; do
    # shellcheck disable=SC2086
    timeout 300 "$jeprof" $option "$program" "$dump" >"$work/theirs" 2>"$work/their_talk" </dev/null
    theirs=$?
    # shellcheck disable=SC2086
    timeout 300 "$ours" $option "$program" "$dump" >"$work/ours" 2>"$work/our_talk" </dev/null
    code=$?
    if [ $code -ne 0 ] && [ $theirs -eq 0 ]; then
      result=refused why=$(tail -1 "$work/our_talk") refused=1
    elif [ $code -ne 0 ]; then
      result="both refuse" why=$(tail -1 "$work/our_talk")
    elif [ $theirs -ne 0 ] && [ "$how" != answer ]; then
      result="ours alone" why=$(tail -1 "$work/their_talk")
    else
      result=$(compare "$how")
      case $result in same | answered) why= ;; esac
    fi
    printf '%-34s %-24s %-14s %s\n' "$option" "$(basename "$dump" | cut -c1-24)" "$result" "${why:0:110}"
  done < <(options)
done
exit $refused

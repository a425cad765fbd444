#!/usr/bin/env bash
# formats.sh OURS DIR [PROFILER]: is what OURS (malloscope) converts read by the tools whose formats these are? The
# dumps lie in DIR, where side-by-side/dumps.sh made them. Prints a line for each tool and dump, with the bytes that
# the tool saw and those of our own table. Tools that this machine has not are named and passed over:
#   go tool pprof; callgrind_annotate; inferno-flamegraph and inferno-diff-folded (cargo install inferno); jeprof;
#   speedscope's own schema (of the npm packages speedscope and ajv); the Firefox Profiler's own reader, of PROFILER, a
#   checkout of github.com/firefox-devtools/profiler (with the npm package esbuild).
# Exits with 1 if a tool refuses a file, or sees other bytes.
set -u
ours=$(realpath "$1") dir=$(realpath "$2") profiler=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

say() { # TOOL DUMP SEEN WANTED: the bytes may differ by a thousandth, as far as a tool rounds.
  local result=ok
  awk -v a="${3:-0}" -v b="$4" 'BEGIN {d = a > b ? a - b : b - a; exit !(b > 0 && d <= b / 1000 + 60)}' || result=FAILS failed=1
  printf '%-22s %-28s %14s %14s  %s\n' "$1" "$(basename "$2" | cut -c1-28)" "${3:-none}" "$4" "$result"
}
has() { command -v "$1" >/dev/null || { [ -e "$work/no-$1" ] || echo "no $1 here"; touch "$work/no-$1"; return 1; }; }

convert() { "$ours" convert --to "$1" "$dump" --program "$program" -o "$2" "${@:3}" 2>/dev/null; }

# The npm packages, once.
node_here() {
  has node && has npm || return 1
  [ -d "$work/node_modules" ] || (cd "$work" && npm install --silent --no-audit --no-fund ajv speedscope esbuild >/dev/null 2>&1)
}

# A program that prints the bytes of files of speedscope that hold to its schema.
speedscope_reader() {
  cat >"$work/speedscope.mjs" <<'LIST'
import fs from 'fs'; import Ajv from 'ajv';
const schema = JSON.parse(fs.readFileSync('node_modules/speedscope/dist/release/file-format-schema.json'));
const valid = new Ajv({strict: false}).compile(schema);
const file = JSON.parse(fs.readFileSync(process.argv[2]));
if (!valid(file)) { console.error(valid.errors[0]); process.exit(1); }
console.log(Math.round(file.profiles[0].weights.reduce((a, b) => a + b, 0)));
LIST
}

# A program that reads as profiler.firefox.com does, upgrades the file to today's version, walks each stack to its
# root, and prints the bytes. What it does not need for that is left out.
firefox_reader() {
  cp -r "$profiler/src" "$profiler/tsconfig.json" "$work"
  echo 'export const isJsonSlabsFile = () => false, decode = 0, encode = 0, ValueSummaryReader = 0;' >"$work/none.ts"
  cat >"$work/firefox.ts" <<'LIST'
import { unserializeProfileOfArbitraryFormat } from './src/profile-logic/process-profile';
import fs from 'fs';
(async () => {
  const file = process.argv[2];
  const { shared, threads } = await unserializeProfileOfArbitraryFormat(fs.readFileSync(file, 'utf8'), file);
  const { samples } = threads[0];
  for (let at of samples.stack) {
    for (let offset = -1; offset !== 0; at -= offset) {
      const func = shared.frameTable.func[shared.stackTable.frame[at]];
      if (typeof shared.stringArray[shared.funcTable.name[func]] !== 'string') throw new Error(`frame of stack ${at}`);
      offset = shared.stackTable.prefixOffset[at];
    }
  }
  console.log(samples.weight.reduce((a: number, b: number) => a + b, 0));
})();
LIST
  (cd "$work" && npm install --silent --no-audit --no-fund protobufjs memoize-immutable long common-tags @streamparser/json >/dev/null 2>&1
    node_modules/.bin/esbuild firefox.ts --bundle --platform=node --outfile=firefox.js --log-level=error \
      --alias:json-slabs=./none.ts --alias:devtools-reps=./none.ts)
}

annotated() { # the bytes of callgrind_annotate
  callgrind_annotate "$1" 2>&1 | awk '/PROGRAM TOTALS/ {gsub(",", ""); print $1}'
}

if node_here; then
  speedscope_reader
  if [ -n "$profiler" ]; then firefox_reader; else echo "no checkout of the Firefox Profiler here"; fi
fi
printf '%-22s %-28s %14s %14s\n' TOOL DUMP SEEN WANTED
for dump in "$dir"/{c,cpp,rust,java,node}.{jemalloc,ours,gperftools}.*heap "$dir"/go.heap; do
  [ -e "$dump" ] || continue
  kind=$(basename "$dump" | cut -d. -f1)
  case $kind in
    java | node) program=$(readlink -f "$(command -v "$kind")") ;;
    go) program=$dir/go_program ;;
    *) program=$dir/$kind ;;
  esac
  wanted=$("$ours" table --json "$dump" --program "$program" 2>/dev/null | sed -nE 's/^  "total": ([0-9]+).*/\1/p')
  if has go; then
    convert pprof "$work/pb.gz"
    seen=$(go tool pprof -unit=B -top "$work/pb.gz" 2>/dev/null | sed -nE 's/.* of ([0-9.]+)B total.*/\1/p')
    say "go tool pprof" "$dump" "$seen" "$wanted"
  fi
  if has callgrind_annotate; then
    convert callgrind "$work/callgrind"
    say callgrind_annotate "$dump" "$(annotated "$work/callgrind")" "$wanted"
  fi
  if has inferno-flamegraph; then
    convert folded "$work/folded"
    seen=$(inferno-flamegraph --countname bytes "$work/folded" 2>/dev/null | sed -nE 's/.*<title>all \(([0-9,]+) bytes.*/\1/p' | tr -d ,)
    say inferno-flamegraph "$dump" "$seen" "$wanted"
    convert folded "$work/pair" --base "$dump"
    seen=$(inferno-flamegraph --countname bytes "$work/pair" 2>/dev/null | sed -nE 's/.*<title>all \(([0-9,]+) bytes.*/\1/p' | tr -d ,)
    say "inferno (two values)" "$dump" "$seen" "$wanted"
    seen=$(inferno-diff-folded "$work/folded" "$work/folded" | awk '{sum += $NF} END {printf "%.0f", sum}')
    say inferno-diff-folded "$dump" "$seen" "$wanted"
  fi
  if has jeprof; then
    convert jeprof "$work/raw"
    seen=$(jeprof --text --show_bytes "$work/raw" 2>/dev/null | awk '/^Total/ {print $2}')
    # Go's heap/N divides by zero in jeprof.
    [ "$kind" = go ] || say jeprof "$dump" "$seen" "$wanted"
  fi
  if [ -d "$work/node_modules" ]; then
    convert speedscope "$work/speedscope.json"
    say speedscope "$dump" "$(cd "$work" && node speedscope.mjs speedscope.json)" "$wanted"
    if [ -e "$work/firefox.js" ]; then
      convert firefox "$work/firefox.json"
      say "Firefox Profiler" "$dump" "$(cd "$work" && node firefox.js firefox.json)" "$wanted"
    fi
  fi
done
exit $failed

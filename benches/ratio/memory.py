"""Anonymous memory of programs while they hold their live heap: plain against sampling each 512 KiB, in 5 pairs of runs.

With RATIO_HOLD set a program that has done its work prints "live BYTES", what it holds by its own account, and waits for a
line. Then its anonymous memory is read from /proc/PID/smaps_rollup. Wanted: at most 1.5 MB + 1 % of the live heap above the
plain run of the pair. "plain spread" is how far the plain runs are from each other: no difference below it means anything.
Where things lie decides what a conservative collector keeps (Ruby's plain runs differ by 15 MB), and the size of the
environment decides where things lie: each run has another one.
"""
import os, re, subprocess
from paired import median
from programs import WORK, CannotRun, chosen, finish, report

PAIRS = 5
MORE_BYTES, MORE_OF_LIVE = 1_500_000, 0.01
ROW = "{:<15} {:>9} {:>9} {:>9} {:>20} {:>9}  {}"


def held(program, kind, run):
    """Its anonymous memory, and what it says it holds, both in bytes."""
    words = program.words(kind)
    environment = {**os.environ, "RATIO_HOLD": "1", "RATIO_PADDING": "x" * (97 * run)}
    with subprocess.Popen(words, cwd=WORK, env=environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline()
        if not line.startswith("live "):
            process.kill()
            raise CannotRun(f"{program.name} said {line!r} in place of its live heap")
        with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
            anonymous = int(re.search(r"^Anonymous: +(\d+) kB", rollup.read(), re.MULTILINE)[1]) * 1024
        process.stdin.write("\n")
        process.stdin.close()
        process.wait()
    finish(["true"])  # for the dumps
    return anonymous, int(line.split()[1])


def limit(live):
    return MORE_BYTES + MORE_OF_LIVE * live


def verdict(more, live):
    """What all pairs say: `more` is what each has above its plain run."""
    return "ok" if max(more) <= limit(live) else "above" if min(more) > limit(live) else "not settled"


def show(name, plain, ours, live):
    more = [our - base for our, base in zip(ours, plain)]
    mb = [f"{bytes / 1e6:.1f}" for bytes in (live, median(plain), max(plain) - min(plain))]
    between = f"{median(more) / 1e6:+.2f} ({min(more) / 1e6:+.2f} {max(more) / 1e6:+.2f})"
    print(ROW.format(name, *mb, between, f"{limit(live) / 1e6:.2f}", verdict(more, live)), flush=True)


def main(names):
    print(f"Anonymous memory in MB (10^6 bytes): median of {PAIRS} pairs (least, most)")
    print(ROW.format("program", "live", "plain", "spread", "512k above plain", "wanted", ""))
    for program in chosen(names, among=lambda program: program.holds):
        plain, ours = [], []
        for pair in range(PAIRS):
            anonymous, live = held(program, "plain", 2 * pair)
            plain.append(anonymous)
            ours.append(held(program, "512k", 2 * pair + 1)[0])
        show(program.name, plain, ours, live)


if __name__ == "__main__":
    report(main)

"""How often programs call mmap, munmap, madvise and brk: the fewest and the most of 3 runs, plain and preloaded.

A preloaded program has a few calls more by being loaded with a library and by the tables of that library. They are seen
alone in the first program, "nothing", which ends at once. "within" says that the most of our runs is at most the most of the
plain ones and those of "nothing".
"""
from programs import WORK, Program, chosen, finish, report, variables

CALLS = ("mmap", "munmap", "madvise", "brk")
KINDS = ("plain", "512k", "128k")
RUNS = 3
ROW = "{:<15} {:<8} {:>15} {:>15} {:>7} {:>15} {:>7}"


def count(program, kind):
    """The calls of one run, of all its threads and children. strace sets the variables for the program alone."""
    table = WORK / "calls"
    settings = [word for variable in program.variables + variables(kind) for word in ("-E", variable)]
    trace = ["-f", "-c", "--seccomp-bpf", "-e", "trace=" + ",".join(CALLS), "-o", table]
    finish(["strace", *trace, *settings, "--", *program.command])
    return counts(table.read_text())


def counts(table):
    """Those of a table of strace: % time, seconds, usecs/call, calls, errors if there were any, name."""
    rows = [line.split() for line in table.splitlines()]
    found = {row[-1]: int(row[3]) for row in rows if row and row[-1] in CALLS}
    return {call: found.get(call, 0) for call in CALLS}


def spread(runs, call):
    return min(run[call] for run in runs), max(run[call] for run in runs)


def show(name, runs, spare):
    """A row for each call. `spare`: how many more are the library's own, or None for "nothing" itself."""
    for call in CALLS:
        plain = spread(runs["plain"], call)
        cells = [f"{plain[0]}-{plain[1]}"]
        for kind in KINDS[1:]:
            ours = spread(runs[kind], call)
            cells.append(f"{ours[0]}-{ours[1]}")
            cells.append("" if spare is None else "within" if ours[1] <= plain[1] + spare[call] else "above")
        print(ROW.format(name, call, *cells), flush=True)


def main(names):
    print(f"Calls of the whole program, fewest and most of {RUNS} runs")
    print(ROW.format("program", "call", "plain", "512k", "", "128k", ""))
    spare = None
    for program in [Program("nothing\tother\t-\ttrue"), *chosen(names)]:
        runs = {kind: [] for kind in KINDS}
        for _ in range(RUNS):
            for kind in KINDS:
                runs[kind].append(count(program, kind))
        show(program.name, runs, spare)
        if spare is None:
            spare = {call: max(spread(runs[kind], call)[1] for kind in KINDS) - spread(runs["plain"], call)[0] for call in CALLS}


if __name__ == "__main__":
    report(main)

"""How often programs call mmap, munmap, madvise and brk: the fewest and the most of 3 runs, plain and preloaded.

A preloaded program has some calls more whatever it does: another library is loaded, and its tables are set up at the first
samples. They are seen in the first rows, a short run of loop.c. "within" says that the most of our runs is at most the most
of the plain runs and what that short run has more.
"""
from programs import WORK, chosen, finish, report, variables

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
    """A row for each call. `spare`: how many more a short run has, by kind and call; None for the short run itself."""
    for call in CALLS:
        plain = spread(runs["plain"], call)
        cells = [f"{plain[0]}-{plain[1]}"]
        for kind in KINDS[1:]:
            ours = spread(runs[kind], call)
            cells.append(f"{ours[0]}-{ours[1]}")
            cells.append("" if spare is None else "within" if ours[1] <= plain[1] + spare[kind][call] else "above")
        print(ROW.format(name, call, *cells), flush=True)


def take(program):
    """The counts of all runs, by kind."""
    runs = {kind: [] for kind in KINDS}
    for _ in range(RUNS):
        for kind in KINDS:
            runs[kind].append(count(program, kind))
    return runs


def short_run():
    """loop.c with a ninth of its blocks, which is hundreds of samples: each part of the table of samples is mapped at its first one."""
    [loop] = chosen(["loop.c"])
    loop.name = "(short loop.c)"
    loop.command.append("2000000")
    return loop


def main(names):
    print(f"Calls of the whole program, fewest and most of {RUNS} runs")
    print(ROW.format("program", "call", "plain", "512k", "", "128k", ""))
    short, programs = short_run(), chosen(names)
    runs = take(short)
    show(short.name, runs, None)
    plain = {call: spread(runs["plain"], call)[0] for call in CALLS}
    spare = {kind: {call: spread(runs[kind], call)[1] - plain[call] for call in CALLS} for kind in KINDS}
    for program in programs:
        show(program.name, take(program), spare)


if __name__ == "__main__":
    report(main)

"""Processor time, wall time and peak memory of programs, by rounds, as a table of ratios.

A round runs a program once as each kind, beginning with another one each round, and divides each run by the plain run of
its own round; jemalloc's profiler is divided by jemalloc without. "again" is the plain run repeated: what it is off 1 the
machine did. Rounds go on until the interval of processor time is narrower than 2 % for every kind, or RATIO_ROUNDS are done.
"jemalloc" against plain is another allocator's cost and not a profiler's: it is printed, and not waited for.
"""
import math, os, resource, time
from paired import LIMITS, interval, median, verdict
from programs import JEMALLOC, WORK, chosen, finish, report, variables

NARROW = 0.02
RATES = ("512k", "128k")
OURS = ("again", "dormant") + RATES + ("auto",)
THEIRS = tuple(f"jemalloc {rate} prof" for rate in RATES)
ROW = "{:<15} {:<18} {:>7} {:>15} {:>7} {:>8} {:>6}  {}"


class Run:
    """One run: seconds of processor and of wall, and the most memory that one of its processes had, in MiB."""

    def __init__(self, program, kind):
        # Processor time is the kernel's account of children, in microseconds: GNU time rounds to 10 ms. But that account's
        # peak is at least that of this process, which they are forked from: so the peak is GNU time's.
        before, start = processor(), time.monotonic()
        self.periods = finish(["/usr/bin/time", "-o", WORK / "peak", "-f", "%M", *program.words(kind)])
        self.wall = time.monotonic() - start
        self.cpu = processor() - before
        self.peak = int((WORK / "peak").read_text()) / 1024


def put(*cells):
    print(ROW.format(*cells).rstrip(), flush=True)


def processor():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


class Rounds:
    """All rounds of one program: a list of runs for each kind."""

    def __init__(self, program, kinds):
        self.program = program
        self.runs = {kind: [] for kind in kinds}

    def take(self, most):
        kinds = list(self.runs)
        Run(self.program, "plain")  # into the page cache
        while self.count() < most and not self.settled():
            first = self.count() % len(kinds)
            for kind in kinds[first:] + kinds[:first]:
                self.runs[kind].append(Run(self.program, kind))

    def count(self):
        return min(map(len, self.runs.values()))

    def ratios(self, kind, measure="cpu"):
        base = self.runs["jemalloc" if kind in THEIRS else "plain"]
        return [getattr(run, measure) / getattr(plain, measure) for run, plain in zip(self.runs[kind], base)]

    def settled(self):
        bounds = [interval(self.ratios(kind)) for kind in OURS + THEIRS if kind in self.runs]
        return all(b and b[1] - b[0] < NARROW for b in bounds)

    def beside_jemalloc(self, rate):
        """Our ratio at this rate over that of jemalloc's profiler."""
        theirs = self.ratios(f"jemalloc {rate} prof")
        return [ours / other for ours, other in zip(self.ratios(rate), theirs)]

    def show(self):
        name, plain = self.program.name, self.runs["plain"]
        middle = {m: median([getattr(run, m) for run in plain]) for m in ("cpu", "wall", "peak")}
        cells = f"{middle['cpu']:.2f} s", "", f"{middle['wall']:.2f} s", f"{middle['peak']:.0f} MiB"
        put(name, "plain", *cells, self.count(), "")
        for kind in self.runs:
            if kind == "plain":
                continue
            others = [f"{median(self.ratios(kind, measure)):.3f}" for measure in ("wall", "peak")]
            self.show_row(kind, self.ratios(kind), others, LIMITS[self.program.group].get(kind), self.chosen(kind))
            if self.program.group == "jvm" and kind in RATES and THEIRS[0] in self.runs:
                self.show_row(f"{kind} / jemalloc's", self.beside_jemalloc(kind), ["", ""], 1.0)

    def chosen(self, kind):
        """The period that the rate found itself, in the end, of the process that allocated most."""
        if kind != "auto":
            return ""
        return "2^%d" % median([max(run.periods) for run in self.runs[kind] if run.periods])

    def show_row(self, kind, ratios, others, limit, chosen=""):
        bounds = interval(ratios)
        between = "({:.3f}-{:.3f})".format(*bounds) if bounds else "(too few)"
        wanted = f"{limit:.2f} {verdict(bounds, limit)}" if limit else ""
        put(self.program.name, kind, f"{median(ratios):.3f}", between, *others, chosen, wanted)


def jemalloc_kinds():
    """What jemalloc can be run as here. A library without its profiler ignores the configuration and writes no dump."""
    if not os.path.exists(JEMALLOC):
        print(f"no {JEMALLOC} (apt-get install libjemalloc2, or JEMALLOC_LIB=path): its rows are left out")
        return ()
    if finish(["env", *variables(THEIRS[0]), "sleep", "0"]):
        return ("jemalloc",) + THEIRS
    print(f"{JEMALLOC} was built without its profiler (JEMALLOC_LIB=path names another one): those rows are left out")
    return ("jemalloc",)


def show_means(all_rounds):
    """Geometric means of the medians over all programs."""
    for kind in list(all_rounds[0].runs)[1:]:
        cells = []
        for measure in ("cpu", "wall", "peak"):
            logs = [math.log(median(rounds.ratios(kind, measure))) for rounds in all_rounds]
            cells.append(f"{math.exp(sum(logs) / len(logs)):.3f}")
        put("mean", kind, cells[0], "", cells[1], cells[2], "", "")


def main(names):
    most = int(os.environ["RATIO_ROUNDS"])
    programs = chosen(names)
    kinds = ("plain",) + OURS + jemalloc_kinds()
    print("Medians of ratios to the plain run of the same round (jemalloc's profiler: to jemalloc); 95 % intervals")
    put("program", "run", "cpu", "(interval)", "wall", "peak rss", "rounds", "wanted of cpu; rounds of auto: its period")
    all_rounds = []
    for program in programs:
        all_rounds.append(Rounds(program, kinds))
        all_rounds[-1].take(most)
        all_rounds[-1].show()
    if len(all_rounds) > 1:
        show_means(all_rounds)


if __name__ == "__main__":
    report(main)

"""The programs that benches/ratio.sh prepared, and how one is run as each kind.

It says what there is by the environment: RATIO_WORK, a directory for this run alone whose file `programs` lists them;
RATIO_LIBRARY and RATIO_JEMALLOC, the two that are preloaded.
"""
import itertools, os, pathlib, re, subprocess, sys

WORK = pathlib.Path(os.environ["RATIO_WORK"])
LIBRARY = os.environ["RATIO_LIBRARY"]
JEMALLOC = os.environ["RATIO_JEMALLOC"]
POWERS = {"512k": 19, "128k": 17, "auto": "auto"}


class CannotRun(Exception):
    """A program failed, or is not there."""


class Program:
    """One line of the list: name, group of limits, whether it holds its live heap when asked to, and the command's words,
    the first of which may be variables."""

    def __init__(self, line):
        self.name, self.group, holds, *words = line.split("\t")
        self.holds = holds == "holds"
        self.variables = list(itertools.takewhile(lambda word: "=" in word, words))
        self.command = words[len(self.variables):]

    def words(self, kind):
        """The command, run as `kind`: by env, which itself is not preloaded and becomes the program."""
        return ["env", *self.variables, *variables(kind), *self.command]


def variables(kind):
    """plain, again; dormant, 512k, 128k, auto; jemalloc, "jemalloc 512k prof", "jemalloc 128k prof". A profiler writes its dump."""
    if kind in ("plain", "again"):
        return []
    library, variable = (JEMALLOC, "MALLOC_CONF") if kind.startswith("jemalloc") else (LIBRARY, "MALLOSCOPE_CONF")
    power = next((POWERS[word] for word in kind.split() if word in POWERS), None)
    if power is None:
        return [f"LD_PRELOAD={library}"]
    conf = f"prof:true,prof_active:true,lg_prof_sample:{power},prof_final:true,prof_prefix:{WORK}/dump"
    return [f"LD_PRELOAD={library}", f"{variable}={conf}"]


def finish(words):
    """Runs `words` to their end, and removes the dumps. Returns the period of each at its end, as a power of two."""
    done = subprocess.run(words, cwd=WORK, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise CannotRun(f"status {done.returncode} of {' '.join(map(str, words))}\n{done.stderr.decode(errors='replace')}")
    dumps = list(WORK.glob("dump.*"))
    periods = [period(dump.read_bytes()) for dump in dumps]
    for dump in dumps:
        dump.unlink()
    return periods


def period(dump):
    """Log2 of the mean bytes between the samples to come when a dump was written; of jemalloc's, of all."""
    found = re.search(rb"^# period_bytes (\d+)", dump, re.M) or re.match(rb"heap_v2/(\d+)", dump)
    return int(found[1]).bit_length() - 1 if found else None


def chosen(names, among=lambda program: True):
    """The programs of these names, all for none."""
    programs = {p.name: p for p in map(Program, (WORK / "programs").read_text().splitlines()) if among(p)}
    for name in names:
        if name not in programs:
            raise CannotRun(f"no program {name}; there are {' '.join(programs)}")
    return [programs[name] for name in names] or list(programs.values())


def report(main):
    """Runs `main` with the names of the command line. What cannot be run is a line and status 1; what was measured before
    an interrupt stands in the table."""
    try:
        main(sys.argv[1:])
    except CannotRun as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)

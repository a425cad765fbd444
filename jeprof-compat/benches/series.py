#!/usr/bin/env python3
"""Writes a series of big dumps of one process, as the library writes them, to measure what a report of it takes.

    python3 jeprof-compat/benches/series.py DIR [STACKS [DUMPS]]
    /usr/bin/time -v target/release/malloscope report DIR -o /dev/null

The process is a service on a JVM: native frames of libc, of the JVM and of the libraries that this machine has,
below them frames of Java, 30 to 46 deep, as branches of one call tree. By default 30,000 stacks, so that a dump has
31 MB, and ten dumps. Places live as they do in a service: some hold what they had at the start, most churn, one in a
hundred leaks. The same arguments give the same bytes, but for the files of this machine that are mapped.
"""

import os
import random
import sys

HOOK = 0x7F3000001191
PSEUDO = 0x4D00000000000000
WIDTH_MS = 16000  # an epoch of births
SECONDS = 60  # between dumps
LIBRARIES = ["libc.so.6", "libstdc++.so.6", "libm.so.6", "libz.so.1", "libcrypto.so.3", "libssl.so.3", "libgcc_s.so.1"]


def mappings():
    """Lines of the map, and the executable ranges in it."""
    lines, code, start = [], [], 0x7F3100000000
    for name in LIBRARIES:
        path = "/usr/lib/x86_64-linux-gnu/" + name
        if not os.path.exists(path):
            continue
        size = (os.path.getsize(path) + 0xFFF) & ~0xFFF
        lines.append(f"{start:x}-{start + size:x} r-xp 00000000 fe:00 4711                       {path}\n")
        code.append((start, size))
        start += size + 0x100000
    return lines, code


def tree(chance, code, stacks):
    """Stacks as tuples of addresses, leaf first: each is an earlier one up to some depth, and then new frames."""
    native = []
    for start, size in code:
        native += [start + chance.randrange(0x1000, size - 0x100) for _ in range(1200)]
    java = [PSEUDO + 16 * number for number in range(9000)]
    made, known = [], set()
    while len(made) < stacks:
        depth = chance.randint(30, 46)
        shared = made[chance.randrange(len(made))] if made else ()
        keep = chance.randint(0, len(shared))
        roots = shared[len(shared) - keep:]
        new = max(depth - keep, 3)
        of_native = min(new, chance.randint(3, 12))
        # A subsystem calls its own functions: neighbours in the list of names.
        home = chance.randrange(len(java))
        frames = [native[chance.randrange(len(native))] for _ in range(of_native)]
        frames += [java[(home + chance.randrange(60)) % len(java)] for _ in range(new - of_native)]
        stack = (HOOK, *frames, *roots)
        if stack not in known:
            known.add(stack)
            made.append(stack)
    return made, java


def parts(counts, size):
    """`PLACE:SAMPLES:BYTES:SQUARES,...`"""
    weight = max(size, 524288)
    return ",".join(f"{at}:{n}:{n * weight}:{n * weight * weight}" for at, n in sorted(counts.items()) if n)


class Place:
    """What one stack does over time."""

    def __init__(self, chance):
        self.size = int(2 ** chance.uniform(4, 16))
        self.fate = chance.choices(["leak", "start", "churn"], [0.01, 0.3, 0.69])[0]
        self.born = chance.randrange(0, 8)
        self.rate = chance.choice([1, 1, 1, 2, 5])
        self.thread = chance.randrange(1, 60)
        self.lives = {chance.randrange(8, 40): chance.randint(1, 30) for _ in range(chance.randint(1, 9))}

    def births(self, epoch):
        """Live samples by the epoch of their birth."""
        if self.fate == "start":
            return {self.born: self.rate}
        if self.fate == "leak":
            return {at: self.rate for at in range(epoch + 1)}
        return {at: self.rate for at in range(max(0, epoch - 1 - self.born % 3), epoch + 1)}

    def lines(self, number, stack, epoch):
        births = self.births(epoch)
        samples = sum(births.values())
        live = samples * max(self.size, 524288)
        freed = {} if self.fate == "leak" else {at: n * (epoch + 1) // 8 for at, n in self.lives.items()}
        ever = samples + sum(freed.values())
        objects = max(1, live // self.size)
        counts = f"{samples}: {samples * self.size} [{0}: {0}]"
        lives = parts(freed, self.size)
        return (
            "@ " + " ".join(f"{frame:#x}" for frame in stack) + "\n"
            f"  t*: {counts}\n  t{self.thread}: {counts}\n"
            f"# stack {number} live={samples}:{objects}.000:{live} variance={samples * 524288 * self.size} "
            f"alloc={ever}:{objects * ever // samples}.000:{live // samples * ever} size={self.size}-{self.size} "
            f"births={parts(births, self.size)}" + (f" lives={lives}" if lives else "") + "\n"
        )


def frame(address, number):
    package, method = number // 60, number % 12
    name = f"com.example.service.part{package % 40}.module{package}.Worker{number // 12}"
    return f"# frame {address:#x}\tjava\t{name}\tprocessRequest{method}\tWorker{number // 12}.java\t{17 + number % 400}\n"


def write(path, at, stacks, places, java, maps):
    seconds = SECONDS * (at + 1)
    epoch = seconds * 1000 // WIDTH_MS
    start = 1700000000000
    with open(path, "w") as out:
        out.write(
            f"heap_v2/524288\n# malloscope 2\n# pid 4711\n# command java -jar service.jar\n# host bench\n"
            f"# start_unix_ms {start}\n# time_unix_ms {start + seconds * 1000}\n# uptime_ms {seconds * 1000}\n"
            f"# trigger timer\n# rss_bytes {(2 + at) << 30}\n# rss_anonymous_bytes {(2 + at) << 30}\n"
            f"# epochs {WIDTH_MS} {epoch + 1}\n  t*: 1: 1 [0: 0]\n"
        )
        out.writelines(f"  t{number}: 1: 1 [0: 0] pool-{number % 4}-thread-{number}\n" for number in range(60))
        # A twentieth of the stacks is seen later than at the start.
        count = len(stacks) - len(stacks) * max(0, 8 - at) // 160
        for number in range(count):
            out.write(places[number].lines(number, stacks[number], epoch))
        out.writelines(frame(address, number) for number, address in enumerate(java))
        out.write("\nMAPPED_LIBRARIES:\n")
        out.writelines(maps)
        out.write("# end\n")


def main():
    folder = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 30000
    dumps = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    os.makedirs(folder, exist_ok=True)
    chance = random.Random(1)
    maps, code = mappings()
    stacks, java = tree(chance, code, count)
    places = [Place(chance) for _ in stacks]
    for at in range(dumps):
        write(f"{folder}/service.4711.{at}.t{at}.heap", at, stacks, places, java, maps)


main()

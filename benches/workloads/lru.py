"""An LRU cache: an OrderedDict of bytes objects of mixed sizes, 32 MB of them, run with PYTHONMALLOC=malloc."""
import collections, os, random, sys

LIMIT = 32_000_000
cache = collections.OrderedDict()
held = 0
rng = random.Random(1)
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 700_000):
    key = int(rng.random() * 40_000)
    if key in cache:
        cache.move_to_end(key)
        continue
    size = 100 + int(rng.random() * (20_000 if rng.random() < 0.05 else 2_000))
    cache[key] = b"v" * size
    held += size
    while held > LIMIT:
        held -= len(cache.popitem(last=False)[1])
if "RATIO_HOLD" in os.environ:
    print("live", held, flush=True)
    sys.stdin.readline()

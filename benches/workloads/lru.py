"""An LRU cache: an OrderedDict of bytes objects of mixed sizes, 32 MB of them, from which the oldest go as new ones come.

PYTHONMALLOC=malloc python3 lru.py [look-ups]
"""
import collections, os, random, sys

LIMIT = 32_000_000
KEYS = 1_200
cache = collections.OrderedDict()
held = 0
rng = random.Random(1)
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 550_000):
    key = int(rng.random() * KEYS)
    if key in cache:
        cache.move_to_end(key)
        continue
    size = 100 + int(rng.random() * (1_000_000 if rng.random() < 0.02 else 60_000))
    cache[key] = b"v" * size
    held += size
    while held > LIMIT:
        held -= len(cache.popitem(last=False)[1])
if "RATIO_HOLD" in os.environ:  # see ../ratio/memory.py
    print("live", held, flush=True)
    sys.stdin.readline()

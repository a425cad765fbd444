"""Makes small strings, drops every other one, and says how many bytes are left; the interpreter's end does not
free them. `small.py [trace|fork|interpreters]`: meanwhile tracemalloc begins and ends; a child drops its copy; other
interpreters come and go."""
import ctypes
import gc
import os
import sys
import tracemalloc

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None

HOW = sys.argv[1:]
LEFT = []


def texts(number):
    # Not from 0 on: the interpreter keeps strings of one letter.
    return ["text %d" % n for n in range(1000, 1000 + number)]


def half(number):
    made = texts(number)
    LEFT.append(made[::2])
    return made


def meanwhile():
    if "trace" in HOW:
        tracemalloc.start(3)
        half(500)
        LEFT[0] = LEFT[0][::2]
        tracemalloc.stop()
    if "fork" in HOW:
        child = os.fork()
        if child == 0:
            LEFT.clear()
            os._exit(0)
        os.waitpid(child, 0)
    if "interpreters" in HOW and interpreters:
        for _ in range(3):
            other = interpreters.create()
            interpreters.run_string(other, "a = [str(n) * 3 for n in range(2000)]; import json; del a")
            interpreters.destroy(other)


half(1000)
meanwhile()
half(1000)
gc.collect()
kept = [text for list in LEFT for text in list]
print(f"kept_bytes={sum(map(sys.getsizeof, kept))}", flush=True)
print(f"kept={len(kept)}", flush=True)
for text in kept:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(text))

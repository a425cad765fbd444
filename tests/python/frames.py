"""Keeps blocks of known sizes, asked for in every way that Python calls a function, and says for each
what Python itself takes for the stack: `chain SIZE NAME FILE:LINE|...`, leaf first."""
import asyncio
import ctypes
import functools
import gc
import sys
import threading

SIZES = iter(range(40000, 90000, 64))


def said(size, frame):
    chain = []
    while frame is not None:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        chain.append(f"{name} {code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    print(f"chain {size} {'|'.join(chain)}")


def for_ever(block):
    """The interpreter's end frees what it can reach."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(block))


def keep():
    size = next(SIZES)
    for_ever(bytes(size)); said(size, sys._getframe())


class Cache:
    keep()

    def put(self):
        keep()

    @classmethod
    def make(cls):
        keep()

    @functools.lru_cache
    def cached(self):
        keep()

    def __del__(self):
        keep()

    def __lt__(self, other):
        keep()
        return True

    @property
    def items(self):
        def inner():
            keep()
            return 1
        return inner()


def generate(depth):
    keep()
    yield 1
    if depth:
        yield from generate(depth - 1)
    keep()


async def agenerate():
    for _ in range(2):
        await asyncio.sleep(0)
        keep()
        yield 1


async def work(depth):
    await asyncio.sleep(0)
    if depth:
        await work(depth - 1)
    keep()


async def tasks():
    await asyncio.gather(work(0), work(2))
    async for _ in agenerate():
        keep()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, keep)


def recursion(depth):
    if depth:
        return recursion(
            depth - 1,
        )
    keep()


def handled():
    try:
        raise KeyError
    except KeyError:
        keep()
    finally:
        keep()


def called(code, name):
    """Runs `code` under another name."""
    more = {"co_qualname": name} if hasattr(code, "co_qualname") else {}
    exec(code.replace(co_name=name, **more), {"keep": keep})


cache = Cache()
cache.put()
Cache.make()
cache.cached()
cache.items
sorted([Cache(), Cache()])
sorted([3, 1], key=lambda n: keep() or n)
[keep() for _ in range(2)]
list(map(lambda _: keep(), [1]))
functools.partial(lambda: keep())()
for _ in generate(2):
    keep()
next(generate(0))
asyncio.run(tasks())
recursion(3)
recursion(200)
handled()
thread = threading.Thread(target=recursion, args=(2,))
thread.start()
thread.join()
far = compile("if keep:\n" + "\n" * 700 + " keep()\n\n\n keep()\nkeep()\n", "far.py", "exec")
exec(far)
for name in ["grüße", "имя€", "a\U0001d4b3", "x" * 200]:
    called(compile("\n\nkeep()", name, "exec"), name)
circle = Cache()
circle.itself = circle
del circle
gc.collect()
sys.stdout.flush()

"""Threads, tasks, forks and children that allocate as fast as they can, with collections and exceptions
meanwhile. `storm.py SECONDS`."""
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
import warnings
import zlib

warnings.simplefilter("ignore")
END = time.monotonic() + float(sys.argv[1])


class Node:
    def __init__(self, left):
        self.left = left
        self.itself = self


def objects(seed):
    rng = random.Random(seed)
    kept = {}
    while time.monotonic() < END:
        text = json.dumps({str(n): [n, str(n) * rng.randrange(9), {"a": n}] for n in range(200)})
        kept[rng.randrange(99)] = json.loads(text)
        node = None
        for _ in range(200):
            node = Node(node)
        zlib.compress(text.encode())
        try:
            recursion(rng.randrange(200))
        except KeyError:
            pass


def recursion(depth):
    if not depth:
        raise KeyError(bytes(5000))
    return [recursion(depth - 1) for _ in range(1)]


def churn():
    while time.monotonic() < END:
        threads = [threading.Thread(target=bytearray, args=(9999,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()


async def task(n):
    kept = []
    while time.monotonic() < END:
        kept = [str(n) * 50 for n in range(99)]
        await asyncio.sleep(0)
    return kept


async def tasks():
    await asyncio.gather(*(task(n) for n in range(9)))


def in_child():
    kept = [bytes(9000) for _ in range(40)] + [str(n) for n in range(20000)]
    return len(kept)


def forks():
    for number in range(sys.maxsize):
        child = os.fork()
        if child == 0:
            in_child()
            # The first ends as a program does.
            sys.exit(0) if number == 0 else os._exit(7)
        _, status = os.waitpid(child, 0)
        assert status == (7 << 8 if number else 0), status
        done = subprocess.run([sys.executable, "-c", "print(sum(len(str(n)) for n in range(9999)))"],
                              stdout=subprocess.PIPE, check=True)
        assert done.stdout == b"38886\n", done.stdout
        if time.monotonic() > END:
            break


workers = [threading.Thread(target=objects, args=(n,)) for n in range(3)]
workers += [threading.Thread(target=churn), threading.Thread(target=asyncio.run, args=(tasks(),))]
for worker in workers:
    worker.start()
forks()
for worker in workers:
    worker.join()
print("survived=1", flush=True)

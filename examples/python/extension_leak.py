"""Stores each request by a client written in C, which loses a buffer when its server is down. `repaired`: it does
not. The library is made of `mcache.c` beside this file."""
import ctypes
import pathlib
import subprocess
import sys
import tempfile

from service import serve

HERE = pathlib.Path(__file__).parent
BUILT = pathlib.Path(tempfile.mkdtemp()) / "mcache.so"
FLAGS = ["-DREPAIRED"] if "repaired" in sys.argv else []
subprocess.run(["cc", "-g", "-O1", "-shared", "-fPIC", *FLAGS, "-o", BUILT, HERE / "mcache.c"], check=True)
MCACHE = ctypes.CDLL(str(BUILT))


class Cache:
    def write(self, key, value):
        return MCACHE.mcache_set(key.encode(), value.encode())


def handle(request):
    Cache().write(f"user:{request['user']}", str(request["items"]))
    return {"id": request["id"]}


serve(handle)

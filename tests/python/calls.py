"""Calls a library of C by ctypes: `calls.py LIBRARY`. It leaks 50001 bytes below `leak`, and 60001 below a
function of Python that it calls back."""
import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])


def called_back(size):
    # The interpreter's end frees what it can reach.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(bytes(size)))


def leaks():
    library.leak(ctypes.c_size_t(50001))


def calls():
    back = ctypes.CFUNCTYPE(None, ctypes.c_size_t)(called_back)
    library.call_back(back, ctypes.c_size_t(60001))


leaks()
calls()

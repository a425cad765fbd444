"""Keeps the samples of each request in arrays of numpy, for ever. `repaired`: those of the last fifty requests."""
import sys
from collections import deque

import numpy

from service import serve

HISTORY = deque(maxlen=50 if "repaired" in sys.argv else None)


def spectrum(request):
    signal = numpy.asarray(request["items"] * 100, dtype=float)
    HISTORY.append(numpy.fft.rfft(signal))
    return HISTORY[-1]


def handle(request):
    return {"id": request["id"], "peak": int(abs(spectrum(request)).argmax())}


serve(handle)

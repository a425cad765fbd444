"""Remembers each request in a dict: small objects, which CPython keeps in arenas of its own, for ever.
`repaired`: only the last thousand."""
import sys
from collections import OrderedDict

from service import serve

MOST = 1000 if "repaired" in sys.argv else None
SEEN = OrderedDict()


def remember(request):
    key = f"{request['user']}/{request['id']}"
    SEEN[key] = [f"{key}/{item}" for item in request["items"]]
    while MOST and len(SEEN) > MOST:
        SEEN.popitem(last=False)


def handle(request):
    remember(request)
    return {"id": request["id"], "total": sum(request["items"])}


serve(handle)

"""A small service and its clients in one process: lines of JSON over TCP. The programs beside this one say what
a request does."""
import asyncio
import itertools
import json
import sys
import time

CLIENTS = 4


def serve(handle):
    """Answers requests by `handle` for as many seconds as the command line says, 30 without."""
    numbers = [float(word) for word in sys.argv[1:] if word.replace(".", "").isdigit()]
    asyncio.run(run(handle, time.monotonic() + (numbers or [30.0])[0]))


async def run(handle, end):
    async def answer(reader, writer):
        while line := await reader.readline():
            reply = handle(json.loads(line))
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    numbers = itertools.count()
    await asyncio.gather(*(client(port, numbers, end) for _ in range(CLIENTS)))
    server.close()
    print(next(numbers), "requests")


async def client(port, numbers, end):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        number = next(numbers)
        request = {"id": number, "user": f"user-{number % 97}", "items": list(range(20))}
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        json.loads(await reader.readline())
        # A pause, as between the requests of people.
        await asyncio.sleep(0.001)
    writer.close()

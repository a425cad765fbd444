#!/usr/bin/env python3
"""servers.py DUMP SYMBOLIZED PORT_FILE: two servers on 127.0.0.1 as gperftools describes them (/pprof/heap,
/pprof/symbol, /pprof/cmdline). Names are those of SYMBOLIZED, made of DUMP. Writes the ports, ends with its input."""
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

dump_file, symbolized_file, port_file = sys.argv[1:]
dump = open(dump_file, "rb").read()
names = {}
for line in open(symbolized_file, errors="replace"):
    if line.startswith("0x"):
        address, name = line.split(maxsplit=1)
        names[int(address, 16)] = name.strip()
    elif line.startswith("---") and names:
        break


class Service(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        pages = {"/pprof/heap": dump, "/pprof/symbol": b"num_symbols: 1\n", "/pprof/cmdline": b"/opt/shop\0--fast\0"}
        if path in pages:
            self.answer(pages[path])
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        named = [f"{word}\t{names.get(int(word, 16), word)}\n" for word in asked.split("+") if word]
        self.answer("".join(named).encode())


servers = [ThreadingHTTPServer(("127.0.0.1", 0), Service) for _ in range(2)]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
with open(port_file, "w") as out:
    print(*[server.server_port for server in servers], file=out)
sys.stdin.read()

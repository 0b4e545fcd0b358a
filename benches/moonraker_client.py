"""The smallest client that watches a print over Moonraker's Unix socket: a peer for the benchmarks."""

import json
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])


def call(number, method, **params):
    message = {"jsonrpc": "2.0", "method": method, "params": params, "id": number}
    connection.sendall(json.dumps(message).encode() + b"\x03")


call(1, "server.connection.identify", client_name="peer", version="1", type="other", url="http://127.0.0.1")
call(2, "server.info")
call(3, "printer.objects.subscribe", objects={"print_stats": None, "virtual_sdcard": None, "webhooks": None})
data = b""
while True:
    part = connection.recv(65536)
    if not part:
        break
    *messages, data = (data + part).split(b"\x03")
    for message in messages:
        print(json.loads(message), flush=True)

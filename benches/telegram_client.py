"""A bridge from Moonraker to Telegram on aiohttp, the least that does it: a peer for the benchmarks.

telegram_client.py MOONRAKER_SOCKET CA_FILE CHAT BOT_URL...
"""

import asyncio
import json
import ssl
import sys

import aiohttp

WORDS = {"printing": "Resumed", "paused": "Paused", "complete": "Completed", "cancelled": "Cancelled", "error": "Failed"}
OBJECTS = {"print_stats": None, "virtual_sdcard": None, "display_status": None, "webhooks": None, "gcode_move": None,
           "toolhead": ["extruder", "homed_axes"], "extruder": None, "heater_bed": None, "fan": None}


async def send(session, context, url, chat, queue):
    while True:
        text = await queue.get()
        async with session.post(url, json={"chat_id": chat, "text": text}, ssl=context) as answer:
            await answer.read()


async def watch(socket, queues):
    reader, writer = await asyncio.open_unix_connection(socket, limit=1 << 20)
    writer.write(json.dumps({"jsonrpc": "2.0", "method": "printer.objects.subscribe",
                             "params": {"objects": OBJECTS}, "id": 1}).encode() + b"\x03")
    known, state = {}, None
    while True:
        message = json.loads((await reader.readuntil(b"\x03"))[:-1])
        if message.get("method") == "notify_status_update":
            changes = message["params"][0]
        elif message.get("id") == 1:
            changes = message["result"]["status"]
        else:
            continue
        for name, fields in changes.items():
            known.setdefault(name, {}).update(fields)
        stats = known["print_stats"]
        if state not in (None, stats["state"]) and stats["state"] in WORDS:
            for queue in queues:
                queue.put_nowait(f"{WORDS[stats['state']]}: {stats['filename']}")
        state = stats["state"]


async def main(socket, ca, chat, *urls):
    context = ssl.create_default_context(cafile=ca)
    async with aiohttp.ClientSession() as session:
        queues = [asyncio.Queue() for _ in urls]
        senders = [send(session, context, url, int(chat), queue) for url, queue in zip(urls, queues)]
        # Together, so that one that fails ends all, and is seen.
        await asyncio.gather(watch(socket, queues), *senders)


asyncio.run(main(*sys.argv[1:]))

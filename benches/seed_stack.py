"""The realtime bridge on aiohttp and FastAPI: a feed, a REST server, one chat. A peer for the benchmarks.

Its settings come from the environment, under the names that the bridge has always had. TELEGRAM_API_URL and
EXTRA_CA_FILE are for the stand-in.
"""

import asyncio
import base64
import json
import math
import os
import ssl
import time
from datetime import datetime, timezone

import aiohttp
import uvicorn
from fastapi import FastAPI, HTTPException, Response

PRINTER = os.environ["PRINTER_ID"]
FEED = os.environ["WS_URL"].replace("{PRINTER_ID}", PRINTER)
API = f"{os.environ['TELEGRAM_API_URL']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}"
CHAT = int(os.environ["TELEGRAM_CHAT_ID"])
STEP = int(os.environ.get("PROGRESS_STEP", "5"))
PHOTO_INTERVAL = int(os.environ.get("PHOTO_INTERVAL_SECONDS", "3600"))
IMAGE_TIMEOUT = int(os.environ.get("IMAGE_TIMEOUT_SECONDS", "60"))
FINISHED = {"FINISH", "FINISHED", "IDLE", "DONE", "COMPLETED", "CANCELED", "CANCELLED", "FAIL", "FAILED"}
RUNNING = {"RUNNING", "RESUME", "PRINTING", "BUSY"}


class Bridge:
    def __init__(self, session, context):
        self.session, self.context = session, context
        self.status = self.status_at = self.frame = self.frame_at = None
        self.seen_at = time.monotonic()
        self.job = self.state = self.shown = None
        self.photo_job, self.photo_at = None, 0.0

    async def message(self, text):
        await self.call("sendMessage", json={"chat_id": CHAT, "text": text})

    async def photo(self, caption):
        form = aiohttp.FormData()
        form.add_field("chat_id", str(CHAT))
        form.add_field("caption", caption)
        form.add_field("photo", self.frame, filename="photo.jpg", content_type="image/jpeg")
        await self.call("sendPhoto", data=form)

    async def call(self, method, **body):
        async with self.session.post(f"{API}/{method}", ssl=self.context, **body) as answer:
            await answer.read()

    def summary(self):
        status = self.status
        parts = [status.get("subtask_name"), f"{status.get('mc_percent')}%"]
        if status.get("total_layer_num"):
            parts.append(f"layer {status.get('layer_num')}/{status['total_layer_num']}")
        minutes = status.get("mc_remaining_time")
        if isinstance(minutes, int):
            parts.append(f"{minutes // 60}h {minutes % 60}m left")
        parts.append(status.get("gcode_state"))
        return " | ".join(str(part) for part in parts if part)

    def active(self):
        state = str((self.status or {}).get("gcode_state", "")).upper()
        return state not in FINISHED and state in RUNNING

    async def on_status(self, status):
        self.status, self.status_at = status, datetime.now(timezone.utc)
        name, state = status.get("subtask_name"), str(status.get("gcode_state", "")).upper()
        if name and name != self.job:
            self.job, self.shown, self.photo_job = name, None, None
            await self.message(f"New job: {name}\n{self.summary()}")
        if state and state != self.state:
            before, self.state = self.state or "unknown", state
            await self.message(f"{before} -> {state}\n{self.summary()}")
            if state in FINISHED:
                await self.message(f"Completed: {name}")
                if self.frame:
                    await self.photo(f"Completed: {name}")
                self.photo_job = None
        if status.get("print_error"):
            await self.message(f"Printer error {status['print_error']}")
        percent = status.get("mc_percent")
        if isinstance(percent, int):
            floor = math.floor(percent / STEP) * STEP
            first = self.shown is None and (percent == 0 or floor > 0)
            if first or (self.shown is not None and percent >= self.shown + STEP):
                self.shown = floor or percent
                await self.message(f"{self.shown}%\n{self.summary()}")

    async def watch(self):
        delay = 1.0
        while True:
            try:
                async with self.session.ws_connect(FEED, heartbeat=30, max_msg_size=4 << 20) as feed:
                    delay, self.feed = 1.0, feed
                    async for message in feed:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            continue
                        read = json.loads(message.data)
                        if read.get("type") == "printer_status":
                            await self.on_status(read["data"])
                        elif read.get("type") == "jpeg_image":
                            self.frame = base64.b64decode(read["image"])
                            self.frame_at, self.seen_at = datetime.now(timezone.utc), time.monotonic()
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(delay)
            delay = min(delay * 2, 30.0)

    async def watchdog(self):
        while True:
            await asyncio.sleep(5)
            if time.monotonic() - self.seen_at > IMAGE_TIMEOUT:
                await self.feed.close()

    async def photos(self):
        while True:
            await asyncio.sleep(max(20, min(120, PHOTO_INTERVAL / 90)))
            now = time.monotonic()
            due = self.photo_job != self.job or now - self.photo_at >= PHOTO_INTERVAL
            if self.active() and self.frame and due:
                self.photo_job, self.photo_at = self.job, now
                await self.photo(self.summary())


app = FastAPI()


def of(printer):
    if printer != PRINTER:
        raise HTTPException(404, "Unknown printer.")
    return app.state.bridge


@app.get("/api/")
async def alive():
    return Response("OK", media_type="text/plain")


@app.get("/api/printer/{printer}")
async def status(printer: str):
    bridge = of(printer)
    if bridge.status is None:
        raise HTTPException(404, "No status received yet.")
    return {"printer_id": PRINTER, "received_at": bridge.status_at.isoformat(), "status": bridge.status}


@app.get("/api/printer/{printer}/image")
async def image(printer: str):
    bridge = of(printer)
    if bridge.frame is None:
        raise HTTPException(404, "No image received yet.")
    headers = {"Cache-Control": "no-store", "X-Image-Timestamp": bridge.frame_at.isoformat()}
    return Response(bridge.frame, media_type="image/jpeg", headers=headers)


async def main():
    context = ssl.create_default_context(cafile=os.environ["EXTRA_CA_FILE"])
    port = int(os.environ["PORT"])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    async with aiohttp.ClientSession() as session:
        app.state.bridge = bridge = Bridge(session, context)
        # Together, so that one that fails ends all, and is seen.
        await asyncio.gather(server.serve(), bridge.watch(), bridge.watchdog(), bridge.photos())


asyncio.run(main())

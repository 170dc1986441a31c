"""Clients for benches/switches.sh and benches/restart.sh: each keeps its connection for as long as it may, asks again at
once, and repeats nothing. Some ask for answers that take their time, some send bodies that do.

    python3 benches/load.py PORT       until standard input ends, then prints what was asked and what failed, as JSON
"""

import asyncio
import collections
import json
import sys

QUICK, SLOW, UPLOADS = 16, 8, 8
# How long a slow answer and an upload take, in seconds.
TAKES = 0.4
BODY = b"u" * 65_536

asked = collections.Counter()
failed = collections.Counter()
why = collections.Counter()
over = asyncio.Event()


def head(first, length=None):
    fields = "" if length is None else f"content-length: {length}\r\n"
    return f"{first} HTTP/1.1\r\nhost: shop.example\r\n{fields}\r\n".encode()


async def send_quick(writer):
    writer.write(head("GET /sized?size=1024"))


async def send_slow(writer):
    writer.write(head(f"GET /slowly?ms={int(TAKES * 1000)}"))


async def send_upload(writer):
    writer.write(head("POST /hash", len(BODY)))
    for part in range(8):
        writer.write(BODY[part * 8192 : (part + 1) * 8192])
        await writer.drain()
        await asyncio.sleep(TAKES / 8)


async def read_answer(reader):
    """Whether the connection may be used again."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    status = lines[0].split(" ")[1]
    fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    elif "chunked" in fields.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    if status != "200":
        raise ValueError(f"status {status}")
    return "close" not in fields.get("connection", "")


async def client(port, kind, send):
    writer = None
    while not over.is_set():
        asked[kind] += 1
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(60):
                await send(writer)
                keep = await read_answer(reader)
        except (OSError, ValueError, EOFError, TimeoutError) as error:
            failed[kind] += 1
            why[f"{kind}: {type(error).__name__} {error}"[:80]] += 1
            keep = False
            # A port that nobody listens on fails at once: one client is to count it a hundred times a second, not more.
            await asyncio.sleep(0.01)
        if not keep and writer is not None:
            writer.close()
            writer = None
        if kind == "quick":
            await asyncio.sleep(0.002)


async def main():
    port = int(sys.argv[1])
    kinds = [("quick", send_quick, QUICK), ("slow", send_slow, SLOW), ("upload", send_upload, UPLOADS)]
    clients = [asyncio.create_task(client(port, kind, send)) for kind, send, many in kinds for _ in range(many)]
    await asyncio.to_thread(sys.stdin.read)
    over.set()
    await asyncio.gather(*clients)
    print(json.dumps({"asked": asked, "failed": failed, "why": why}))


asyncio.run(main())

"""The application of the lab's Python servers.

`/size/N` has N bytes, `/slow/N` takes N milliseconds, `/drip` is a kilobyte of a long response that does not go on; all
else is short. It tells of what is slow, so that something can be done meanwhile.
"""

import asyncio
import json
import re
import time

DRIP = [("content-length", "100000")]


def asked(path):
    """What to do, how long to take, in seconds, and what to answer."""
    deed, number = re.match(r"/(\w*)/?(\d*)", path).groups()
    pause = int(number) / 1000 if deed == "slow" else 0
    return deed, pause, b"x" * int(number) if deed == "size" else b"ok\n"


def tell(host, port):
    address = f"[{host}]" if ":" in host else host
    print(json.dumps({"event": "request", "peer": f"{address}:{port}"}), flush=True)


def drip():
    yield b"x" * 1000
    time.sleep(60)


def wsgi(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    deed, pause, body = asked(environ["PATH_INFO"])
    if deed in ("slow", "drip"):
        tell(environ["REMOTE_ADDR"], environ["REMOTE_PORT"])
    if deed == "drip":
        start_response("200 OK", DRIP)
        return drip()
    time.sleep(pause)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    deed, pause, body = asked(scope["path"])
    if deed in ("slow", "drip"):
        tell(*scope["client"])
    if deed == "drip":
        headers = [(name.encode(), value.encode()) for name, value in DRIP]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        await asyncio.sleep(60)
    await asyncio.sleep(pause)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""The application of the lab's Python servers: `/size/N` has N bytes, `/slow/N` takes N milliseconds, all else is short."""

import asyncio
import re
import time


def asked(path):
    """How long to take, in seconds, and what to answer."""
    deed, number = re.match(r"/(\w*)/?(\d*)", path).groups()
    pause = int(number) / 1000 if deed == "slow" else 0
    return pause, b"x" * int(number) if deed == "size" else b"ok\n"


def wsgi(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    pause, body = asked(environ["PATH_INFO"])
    time.sleep(pause)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    pause, body = asked(scope["path"])
    await asyncio.sleep(pause)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

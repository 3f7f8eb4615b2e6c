"""Where the browser ends at a client in Python."""

import asyncio
import contextlib
from urllib.parse import parse_qs, urlsplit

BACK = b"<!doctype html><html lang=en><link rel=icon href=data:,><title>Back at the client</title><h1>Back at the client</h1>"


class Callback:
    """The client's own listener on a port that the kernel chooses, where the browser ends."""

    def __init__(self) -> None:
        self.queries: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.redirect_uri = f"http://localhost:{self.server.sockets[0].getsockname()[1]}/callback"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = urlsplit(head.split(" ", 2)[1])
            found = target.path == "/callback"
            status, body = ("200 OK", BACK) if found else ("404 Not Found", b"")
            writer.write(
                f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
            )
            await writer.drain()
            if found:
                query = parse_qs(target.query, keep_blank_values=True, strict_parsing=bool(target.query))
                self.queries.put_nowait({name: values[0] for name, values in query.items()})

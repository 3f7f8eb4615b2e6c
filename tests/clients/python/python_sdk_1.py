"""The Python SDK 1.x through the whole flow."""

import contextlib

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from person import Person
from support import require
from walks import main


class Person1(Person):
    sdk = "Python SDK 1"

    @contextlib.asynccontextmanager
    async def connected(self):
        hooks = {"response": [self.seen]}
        async with httpx.AsyncClient(auth=self.provider, timeout=60, event_hooks=hooks) as http:
            async with streamable_http_client(self.url, http_client=http) as (read, write, _):
                async with ClientSession(read, write) as client:
                    version = (await client.initialize()).protocolVersion
                    require(version == "2025-11-25", f"protocol {version}")
                    yield client

    def answer(self, query: dict[str, str]) -> tuple[str, str | None]:
        return query["code"], query.get("state")


if __name__ == "__main__":
    main(__doc__, Person1, httpx.HTTPStatusError)

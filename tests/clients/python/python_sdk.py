"""The Python SDK 2.x through the whole flow."""

import contextlib

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult

from person import Person
from support import require
from walks import main


class Person2(Person):
    sdk = "Python SDK 2"

    @contextlib.asynccontextmanager
    async def connected(self):
        hooks = {"response": [self.seen]}
        async with httpx2.AsyncClient(auth=self.provider, timeout=60, event_hooks=hooks) as http:
            async with Client(streamable_http_client(self.url, http_client=http)) as client:
                require(client.protocol_version == "2026-07-28", f"protocol {client.protocol_version}")
                yield client

    def answer(self, query: dict[str, str]) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query["iss"])


if __name__ == "__main__":
    main(__doc__, Person2, MCPError)

"""The Python SDK through the whole flow: 401, discovery, registration, browser, tools, refresh, step-up."""

import argparse
import asyncio
import contextlib
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from support import Failure, arguments_for, browse, fingerprint, ok, require, run, text_of

BACK = b"<!doctype html><html lang=en><link rel=icon href=data:,><title>Back at the client</title><h1>Back at the client</h1>"


class Memory(TokenStorage):
    """Keeps the registration and the tokens in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None
        self.registrations = 0

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.registrations += 1
        self.client = client_info


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


class Person:
    """One person at one client: storage, callback, provider, and what went over the wire."""

    def __init__(self, name: str, url: str, screenshots: str | None) -> None:
        self.name = name
        self.url = url
        self.screenshots = screenshots
        self.memory = Memory()
        self.callback = Callback()
        self.browsers: list[dict[str, str]] = []
        self.exchanges: list[httpx2.Response] = []

    async def open(self) -> None:
        await self.callback.open()
        metadata = OAuthClientMetadata(
            client_name=f"Python SDK ({self.name})",
            redirect_uris=[AnyUrl(self.callback.redirect_uri)],
            grant_types=["authorization_code", "refresh_token"],
        )
        self.provider = OAuthClientProvider(self.url, metadata, self.memory, self._redirect, self._returned)

    async def _redirect(self, url: str) -> None:
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        self.browsers.append({name: values[0] for name, values in query.items()})
        returned = await browse(url, self.name, f"python-{self.name}-{len(self.browsers)}", self.screenshots)
        require(returned == self.callback.redirect_uri, f"the browser ended at {returned}")

    async def _returned(self) -> AuthorizationCodeResult:
        query = await self.callback.queries.get()
        require("code" in query, f"the answer is {query.get('error')}: {query.get('error_description')}")
        require("iss" in query, "no iss in the answer")
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query["iss"])

    async def _seen(self, response: httpx2.Response) -> None:
        if response.is_error:
            await response.aread()
        self.exchanges.append(response)

    def since(self, mark: int, status: int | None = None, path: str = "") -> list[httpx2.Response]:
        return [
            response
            for response in self.exchanges[mark:]
            if status in (None, response.status_code) and path in response.request.url.path
        ]

    @contextlib.asynccontextmanager
    async def connected(self):
        hooks = {"response": [self._seen]}
        async with httpx2.AsyncClient(auth=self.provider, timeout=60, event_hooks=hooks) as http:
            async with Client(streamable_http_client(self.url, http_client=http)) as client:
                yield client

    def granted(self) -> list[str]:
        return sorted((self.memory.tokens.scope or "").split())

    async def close(self) -> None:
        self.callback.server.close()
        await self.callback.server.wait_closed()

    def trace(self) -> list[str]:
        lines = []
        for response in self.exchanges:
            challenge = response.headers.get("www-authenticate", "")
            body = response.text[:400] if response.is_error else ""
            request = response.request
            lines.append(f"{self.name}: {request.method} {request.url} -> {response.status_code} {challenge} {body}".rstrip())
        return lines


async def alice_walks(alice: Person) -> None:
    note = "written by the Python SDK"
    async with alice.connected() as client:
        challenge = alice.since(0, 401)[0].headers["www-authenticate"]
        require(challenge.startswith("Bearer "), f"the challenge is {challenge}")
        found = [response.request.url.path for response in alice.since(0, 200)]
        require(any("/.well-known/oauth-protected-resource" in path for path in found), f"no resource metadata in {found}")
        require(any("/.well-known/oauth-authorization-server" in path for path in found), f"no server metadata in {found}")
        require(alice.memory.registrations == 1, "the client did not register")
        ok("alice: 401, discovery, registration", f"client {alice.memory.client.token_endpoint_auth_method or 'public'}", ["dynamic registration"])

        asked = alice.browsers[0]
        require(asked["resource"] == alice.url, f"resource is {asked.get('resource')}")
        tokens = alice.memory.tokens
        require(tokens.refresh_token, "no refresh token")
        require(tokens.expires_in and tokens.expires_in > 300, f"expires_in is {tokens.expires_in}")
        require({"mcp:read", "mcp:write"} <= set(alice.granted()), f"granted {tokens.scope}")
        ok("alice: browser, code, iss, tokens", f"granted {tokens.scope}, {tokens.expires_in} s", ["sign-in"])

        require(client.protocol_version == "2026-07-28", f"protocol {client.protocol_version}")
        ok("alice: connect", f"protocol {client.protocol_version}")

        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        require({"whoami", "read_note", "write_note"} <= set(tools), f"tools {sorted(tools)}")
        ok("alice: list tools", " ".join(tools))

        require("alice" in text_of(await client.call_tool("whoami", {})), "whoami does not say alice")
        text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], note)))
        read = text_of(await client.call_tool("read_note", arguments_for(tools["read_note"], note)))
        require(note in read, f"the note reads {read}")
        ok("alice: call whoami, write_note, read_note", did=["tool call"])

        before, mark = alice.memory.tokens, len(alice.exchanges)
        alice.provider.context.token_expiry_time = time.time() - 1
        require("alice" in text_of(await client.call_tool("whoami", {})), "whoami does not say alice")
        after = alice.memory.tokens
        first = alice.since(mark)[0]
        require("/token" in first.request.url.path, f"the SDK first asked {first.request.url}")
        require(after.access_token != before.access_token, "the access token did not change")
        require(after.refresh_token != before.refresh_token, "the refresh token was not rotated")
        require(len(alice.browsers) == 1, "the SDK opened a browser")
        changed = f"{fingerprint(before.access_token)} -> {fingerprint(after.access_token)}"
        ok("alice: an expired access token is refreshed", changed, ["refresh"])

        text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], note)))
        ok("alice: call write_note with the new token")

        mark = len(alice.exchanges)
        text_of(await client.call_tool("reset_notes", arguments_for(tools["reset_notes"], note)))
        refusal = alice.since(mark, 403)[0].headers["www-authenticate"]
        require('error="insufficient_scope"' in refusal, f"the challenge is {refusal}")
        require("mcp:admin" in alice.browsers[1]["scope"].split(), f"asked for {alice.browsers[1]['scope']}")
        require({"mcp:admin", "mcp:read", "mcp:write"} <= set(alice.granted()), f"granted {alice.granted()}")
        require(alice.memory.registrations == 1, "the client registered again")
        ok("alice: step-up in the browser, then reset_notes", f"granted {' '.join(alice.granted())}", ["step-up"])

    async with alice.connected() as client:
        require("alice" in text_of(await client.call_tool("whoami", {})), "whoami does not say alice")
        require(len(alice.browsers) == 2, "the SDK opened a browser")
        ok("alice: connect again with the stored token")


async def bob_walks(bob: Person) -> None:
    async with bob.connected() as client:
        require("bob" in text_of(await client.call_tool("whoami", {})), "whoami does not say bob")
        ok("bob: 401, browser, whoami", f"granted {' '.join(bob.granted())}")

        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        mark = len(bob.exchanges)
        try:
            await client.call_tool("reset_notes", arguments_for(tools["reset_notes"], "x"))
        except MCPError as error:
            answer = str(error)
        else:
            raise Failure("bob reset the notes")
        require(len(bob.since(mark, 403)) == 2, f"{len(bob.since(mark, 403))} refusals, not one before and one after")
        require(len(bob.browsers) == 2, f"{len(bob.browsers)} browsers")
        require("mcp:admin" in bob.browsers[1]["scope"].split(), f"asked for {bob.browsers[1]['scope']}")
        require("mcp:admin" not in bob.granted(), f"bob was granted {bob.granted()}")
        text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], "written by bob")))
        ok("bob: step-up ends without mcp:admin", f"granted {' '.join(bob.granted())}; {answer}")


people: list[Person] = []


async def walk(options: argparse.Namespace) -> None:
    alice, bob = (Person(name, options.mcp_url, options.screenshots) for name in ("alice", "bob"))
    people.extend([alice, bob])
    for person in people:
        await person.open()
    await alice_walks(alice)
    await bob_walks(bob)
    for person in people:
        await person.close()


if __name__ == "__main__":
    sys.exit(run(__doc__, walk, lambda: [line for person in people for line in person.trace()]))

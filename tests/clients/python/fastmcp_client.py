"""FastMCP's client with its own OAuth helper: pre-flight, browser, tools, refresh, and a restart from its store."""

import argparse
import asyncio
import os
import sys
import time
import warnings
import webbrowser
from urllib.parse import parse_qs, urlsplit

os.environ.setdefault("FASTMCP_LOG_LEVEL", "WARNING")

import httpx2
from fastmcp import Client
from fastmcp.client.auth import OAuth
from key_value.aio.stores.memory import MemoryStore

from support import arguments_for, browse, fingerprint, ok, require, run, text_of

exchanges: list[httpx2.Response] = []


class ScriptedBrowser(webbrowser.BaseBrowser):
    """This machine's default browser, as far as FastMCP knows. Opening answers at once, as a real one does."""

    def __init__(self, screenshots: str | None) -> None:
        super().__init__("scripted")
        self.screenshots = screenshots
        self.visits: list[asyncio.Task[str]] = []
        self.asked: list[dict[str, str]] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        self.asked.append({name: values[0] for name, values in query.items()})
        visit = browse(url, "alice", f"fastmcp-alice-{len(self.asked)}", self.screenshots)
        self.visits.append(asyncio.get_running_loop().create_task(visit))
        return True


async def seen(response: httpx2.Response) -> None:
    if response.is_error:
        await response.aread()
    exchanges.append(response)


def http(**arguments) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(**arguments, event_hooks={"response": [seen]})


def new_oauth(store: MemoryStore) -> OAuth:
    return OAuth(client_name="FastMCP (alice)", token_storage=store, callback_timeout=60, httpx_client_factory=http)


async def walk(options: argparse.Namespace) -> None:
    # FastMCP warns that a store in memory is lost at the end, which is what we want.
    warnings.filterwarnings("ignore", message="Using in-memory token storage")
    browser = ScriptedBrowser(options.screenshots)
    webbrowser.register("scripted", None, browser, preferred=True)
    store, url = MemoryStore(), options.mcp_url
    oauth = new_oauth(store)

    async with Client(url, auth=oauth) as client:
        require(await browser.visits[0] == f"http://localhost:{oauth.redirect_port}/callback", "it ended elsewhere")
        asked = browser.asked[0]
        require(asked["resource"] == url, f"resource is {asked.get('resource')}")
        ok("alice: registration, pre-flight, browser, code", f"asked for {asked.get('scope')}", ["dynamic registration", "sign-in"])

        tools = {tool.name: tool for tool in await client.list_tools()}
        require("alice" in text_of(await client.call_tool("whoami", {})), "whoami does not say alice")
        note = "written by FastMCP"
        text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], note)))
        read = text_of(await client.call_tool("read_note", arguments_for(tools["read_note"], note)))
        require(note in read, f"the note reads {read}")
        ok("alice: list tools, call whoami, write_note, read_note", " ".join(tools), ["tool call"])

        before = oauth.context.current_tokens
        oauth.context.token_expiry_time = time.time() - 1
        text_of(await client.call_tool("whoami", {}))
        after = oauth.context.current_tokens
        require(after.access_token != before.access_token, "the access token did not change")
        require(after.refresh_token != before.refresh_token, "the refresh token was not rotated")
        changed = f"{fingerprint(before.access_token)} -> {fingerprint(after.access_token)}"
        ok("alice: an expired access token is refreshed", changed, ["refresh"])

    async with Client(url, auth=new_oauth(store)) as client:
        require("alice" in text_of(await client.call_tool("whoami", {})), "whoami does not say alice")
        ok("alice: a second client signs in from the same store")
    require(len(browser.asked) == 1, f"{len(browser.asked)} browsers were opened")


def trace() -> list[str]:
    return [
        f"{response.request.method} {response.request.url} -> {response.status_code} {response.text[:400] if response.is_error else ''}"
        for response in exchanges
    ]


if __name__ == "__main__":
    sys.exit(run(__doc__, walk, trace))

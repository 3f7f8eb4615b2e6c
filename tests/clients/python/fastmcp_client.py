"""FastMCP's client with its own OAuth helper: pre-flight, browser, tools, and a new process from its store."""

import argparse
import asyncio
import os
import sys
import warnings
import webbrowser
from urllib.parse import parse_qs, urljoin, urlsplit

os.environ.setdefault("FASTMCP_LOG_LEVEL", "ERROR")

import httpx2
from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import StreamableHttpTransport
from key_value.aio.stores.memory import MemoryStore
from mcp.shared.auth import OAuthToken

import walks
from broker import Broker, expired
from person import Person
from support import arguments_for, browse, ok, require, run, text_of


class FastPerson(Person):
    """FastMCP brings its own callback and opens this machine's default browser."""

    sdk = "FastMCP"

    async def open(self) -> None:
        self.store = MemoryStore()
        self.visits: list[asyncio.Task[str]] = []
        webbrowser.register("scripted", None, ScriptedBrowser(self), preferred=True)
        self.start_again()

    def start_again(self) -> None:
        self.provider = OAuth(
            client_name=f"FastMCP ({self.name})",
            token_storage=self.store,
            callback_timeout=60,
            client_metadata_url=self.document,
            httpx_client_factory=self._http,
        )

    def _http(self, **options) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**options, event_hooks={"response": [self.seen]})

    def connected(self) -> Client:
        return Client(StreamableHttpTransport(self.url, auth=self.provider, httpx_client_factory=self._http))

    @property
    def tokens(self) -> OAuthToken:
        return self.provider.context.current_tokens


class ScriptedBrowser(webbrowser.BaseBrowser):
    """This machine's default browser, as far as FastMCP knows. Opening answers at once, as a real one does."""

    def __init__(self, person: FastPerson) -> None:
        super().__init__("scripted")
        self.person = person

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        person = self.person
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        person.browsers.append({name: values[0] for name, values in query.items()})
        visit = browse(url, person.name, f"fastmcp-{person.name}-{len(person.browsers)}", person.screenshots)
        person.visits.append(asyncio.get_running_loop().create_task(visit))
        return True


people: list[FastPerson] = []


async def walk(options: argparse.Namespace) -> None:
    # FastMCP warns that a store in memory is lost at the end, which is what we want.
    warnings.filterwarnings("ignore", message="Using in-memory token storage")
    broker = Broker(options.control)
    alice = FastPerson("alice", options.mcp_url, options.screenshots)
    people.append(alice)
    await alice.open()

    async with alice.connected() as client:
        port = alice.provider.redirect_port
        require(await alice.visits[0] == f"http://localhost:{port}/callback", "it ended elsewhere")
        await walks.first_contact(alice)

        tools = {tool.name: tool for tool in await client.list_tools()}
        await walks.whoami(alice, client)
        note = "written by FastMCP"
        text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], note)))
        read = text_of(await client.call_tool("read_note", arguments_for(tools["read_note"], note)))
        require(note in read, f"the note reads {read}")
        ok("alice: list tools, call whoami, write_note, read_note", " ".join(tools))

        if not options.tools_alike:
            await walks.step_up(alice, client, tools)
        await walks.endings(alice, client, broker)

    alice.start_again()
    browsers = len(alice.browsers)
    async with alice.connected() as client:
        await walks.whoami(alice, client)
        require(len(alice.browsers) == browsers, "FastMCP opened a browser")
        ok("alice: a second client signs in from the same store")

    await broker.restart_short()
    bob = FastPerson("bob", options.mcp_url, options.screenshots, (await broker.facts())["document"])
    people.append(bob)
    await bob.open()
    async with bob.connected() as client:
        await walks.whoami(bob, client)
        require(bob.browsers[0]["client_id"] == bob.document, f"client {bob.browsers[0]['client_id']}")
        require(not bob.since(0, 201), "the client registered")
        ok("bob: 401, document, browser, whoami", did=["registration: document"])

    # The expiry is kept, the authorization server's metadata are not: the refresh goes where the MCP server is.
    token = bob.tokens.access_token
    bob.start_again()
    await expired(token)
    mark = len(bob.exchanges)
    async with bob.connected() as client:
        await walks.whoami(bob, client)
    first = bob.since(mark)[0]
    require(first.request.url == urljoin(options.mcp_url, "/token"), f"it first asked {first.request.url}")
    issuer = bob.since(0, 200, "/oauth/token")[0].request.url
    # Behind the gateway that is the broker's own origin, where such a refresh is answered, too.
    is_there = (issuer.host, issuer.port) == (first.request.url.host, first.request.url.port)
    status, browsers = (200, 1) if is_there else (404, 2)
    require(first.status_code == status, f"it was answered {first.status_code}")
    require(len(bob.browsers) == browsers, f"FastMCP opened {len(bob.browsers)} browsers")
    then = "which is the broker's" if is_there else "then signs in"
    ok(f"bob: a new process with an expired token asks the MCP server's origin for a refresh, {then}")


if __name__ == "__main__":
    sys.exit(run(__doc__, walk, lambda: [line for person in people for line in person.trace()]))

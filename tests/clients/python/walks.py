"""What both major versions of the Python SDK are taken through."""

import argparse
import sys
import time

from broker import Broker, expired
from person import Person
from support import Failure, arguments_for, fingerprint, ok, reason, require, run, text_of


async def whoami(person: Person, client) -> None:
    require(person.name in text_of(await client.call_tool("whoami", {})), f"whoami does not say {person.name}")


async def first_contact(alice: Person) -> None:
    challenge = alice.since(0, 401)[0].headers["www-authenticate"]
    require(challenge.startswith("Bearer "), f"the challenge is {challenge}")
    found = [response.request.url.path for response in alice.since(0, 200)]
    require(any("/.well-known/oauth-protected-resource" in path for path in found), f"no resource metadata in {found}")
    require(any("/.well-known/oauth-authorization-server" in path for path in found), f"no server metadata in {found}")
    require(len(alice.since(0, 201)) == 1, "the client did not register")
    ok("alice: 401, discovery, registration", f"client {alice.browsers[0]['client_id']}", ["registration: dynamic"])

    asked = alice.browsers[0]
    require(asked["resource"] == alice.url, f"resource is {asked.get('resource')}")
    tokens = alice.tokens
    require(tokens.refresh_token, "no refresh token")
    require(tokens.expires_in and tokens.expires_in > 300, f"expires_in is {tokens.expires_in}")
    require({"mcp:read", "mcp:write"} <= set(alice.granted()), f"granted {tokens.scope}")
    ok("alice: browser, code, iss, tokens", f"granted {tokens.scope}, {tokens.expires_in} s", ["sign-in: yes"])


async def call_tools(alice: Person, client) -> dict:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    require({"whoami", "read_note", "write_note"} <= set(tools), f"tools {sorted(tools)}")
    await whoami(alice, client)
    note = f"written by the {alice.sdk}"
    text_of(await client.call_tool("write_note", arguments_for(tools["write_note"], note)))
    read = text_of(await client.call_tool("read_note", arguments_for(tools["read_note"], note)))
    require(note in read, f"the note reads {read}")
    ok("alice: list tools, call whoami, write_note, read_note", " ".join(tools))
    return tools


async def step_up(alice: Person, client, tools: dict) -> None:
    mark = len(alice.exchanges)
    text_of(await client.call_tool("reset_notes", {}))
    refusal = alice.since(mark, 403)[0].headers["www-authenticate"]
    require('error="insufficient_scope"' in refusal, f"the challenge is {refusal}")
    require("mcp:admin" in alice.browsers[1]["scope"].split(), f"asked for {alice.browsers[1]['scope']}")
    require({"mcp:admin", "mcp:read", "mcp:write"} <= set(alice.granted()), f"granted {alice.granted()}")
    require(len(alice.since(0, 201)) == 1, "the client registered again")
    ok("alice: step-up in the browser, then reset_notes", f"granted {' '.join(alice.granted())}", ["step-up: yes"])


async def refreshed(alice: Person, client) -> str:
    """A call before which the SDK refreshes, because its token has expired."""
    before, mark, browsers = alice.tokens, len(alice.exchanges), len(alice.browsers)
    await whoami(alice, client)
    after = alice.tokens
    first = alice.since(mark)[0]
    require(first.request.url.path.endswith("/oauth/token"), f"the SDK first asked {first.request.url}")
    require(after.access_token != before.access_token, "the access token did not change")
    require(after.refresh_token != before.refresh_token, "the refresh token was not rotated")
    require(len(alice.browsers) == browsers, "the SDK opened a browser")
    return f"{fingerprint(before.access_token)} -> {fingerprint(after.access_token)}, {after.expires_in} s"


async def endings(alice: Person, client, broker: Broker) -> None:
    token, mark = alice.tokens.access_token, len(alice.exchanges)
    await whoami(alice, client)
    await broker.restart_short()
    await whoami(alice, client)
    require(alice.tokens.access_token == token, "the token changed")
    require(not [seen for seen in alice.since(mark) if seen.is_error], "something was refused")
    ok("alice: the broker restarts between two calls", did=["broker restarted: next call"])

    # The SDK is told that its token has expired: the one that it gets for it will, within seconds.
    alice.provider.context.token_expiry_time = time.time() - 1
    changed = await refreshed(alice, client)
    ok("alice: the SDK refreshes at the restarted broker", changed, ["broker restarted: refresh"])

    await expired(alice.tokens.access_token)
    ok("alice: an expired access token is refreshed", await refreshed(alice, client), ["refresh: expired"])

    browsers = len(alice.browsers)
    await broker.revoke(alice.tokens.access_token)
    await expired(alice.tokens.access_token)
    mark = len(alice.exchanges)
    await whoami(alice, client)
    (refusal,) = alice.since(mark, 400, "/oauth/token")
    require(refusal.json()["error"] == "invalid_grant", f"the refresh was answered {refusal.text}")
    require(len(alice.browsers) == browsers + 1, "the SDK opened no browser")
    require(not alice.since(mark, 201), "the client registered again")
    ok("alice: the grant is revoked, the token ends, and the SDK signs in again", did=["grants revoked: signs in again"])


async def new_process(alice: Person) -> None:
    """The SDK keeps neither expiry nor metadata: with a token that the server refuses it does not refresh."""
    alice.start_again()
    browsers = len(alice.browsers)
    async with alice.connected() as client:
        await whoami(alice, client)
    require(len(alice.browsers) == browsers, "the SDK opened a browser")
    ok("alice: a new process connects with the stored token")

    alice.start_again()
    alice.memory.tokens = alice.memory.tokens.model_copy(update={"access_token": "refused"})
    mark = len(alice.exchanges)
    async with alice.connected() as client:
        await whoami(alice, client)
    require(len(alice.browsers) == browsers + 1, f"{len(alice.browsers) - browsers} browsers were opened")
    grants = [b"grant_type=refresh_token" in seen.request.content for seen in alice.since(mark, path="/token")]
    require(grants == [False], f"refreshes: {grants}")
    ok("alice: a new process whose stored token is refused signs in again, without a refresh")


async def bob_walks(bob: Person, failure: type[Exception], tools_alike: bool) -> None:
    """With a client that is known by its document. The last refusal may end the connection."""
    try:
        async with bob.connected() as client:
            await whoami(bob, client)
            require(bob.browsers[0]["client_id"] == bob.document, f"client {bob.browsers[0]['client_id']}")
            require(not bob.since(0, 201), "the client registered")
            ok("bob: 401, document, browser, whoami", f"granted {' '.join(bob.granted())}", ["registration: document"])
            if tools_alike:
                return
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            await client.call_tool("reset_notes", {})
            raise Failure("bob reset the notes")
    except Exception as error:
        refusal = reason(error)
        if not isinstance(refusal, failure):
            raise
    require(len(bob.since(0, 403)) == 2, f"{len(bob.since(0, 403))} refusals, not one before and one after")
    require(len(bob.browsers) == 2, f"{len(bob.browsers)} browsers")
    require("mcp:admin" in bob.browsers[1]["scope"].split(), f"asked for {bob.browsers[1]['scope']}")
    require("mcp:admin" not in bob.granted(), f"bob was granted {bob.granted()}")
    ok("bob: step-up ends without mcp:admin", f"granted {' '.join(bob.granted())}; {str(refusal).splitlines()[0]}")


def main(what: str, kind: type[Person], failure: type[Exception]) -> None:
    """`kind` is a person at this version of the SDK, `failure` what the SDK raises when a call is refused."""
    people: list[Person] = []

    async def walk(options: argparse.Namespace) -> None:
        broker = Broker(options.control)
        document = (await broker.facts())["document"]
        alice = kind("alice", options.mcp_url, options.screenshots)
        bob = kind("bob", options.mcp_url, options.screenshots, document)
        people.extend([alice, bob])
        for person in people:
            await person.open()
        async with alice.connected() as client:
            await first_contact(alice)
            tools = await call_tools(alice, client)
            if not options.tools_alike:
                await step_up(alice, client, tools)
            await endings(alice, client, broker)
        await new_process(alice)
        await bob_walks(bob, failure, options.tools_alike)
        for person in people:
            await person.close()

    sys.exit(run(what, walk, lambda: [line for person in people for line in person.trace()]))

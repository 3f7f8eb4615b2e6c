"""What the Python clients share: named steps, the scripted browser, arguments from a tool's own schema."""

import argparse
import asyncio
import hashlib
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

BROWSER = Path(__file__).resolve().parent.parent / "browser-cli.mjs"


class Failure(Exception):
    """A step that did not hold."""


def require(condition: object, message: str) -> None:
    if not condition:
        raise Failure(message)


def ok(name: str, detail: str = "", did: Iterable[str] = ()) -> None:
    """Says what held; each `did` goes into a table of docs/clients.md, a client's as `column: text`."""
    print(f"ok: {name}{f' ({detail})' if detail else ''}", flush=True)
    for what in did:
        print(f"did: {what}", flush=True)


def fingerprint(secret: str) -> str:
    """Names a secret without showing it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


async def browse(url: str, person: str, name: str, screenshots: str | None) -> str:
    """Walks consent and sign-in; answers where the browser ended, without the query."""
    command = ["node", str(BROWSER), url, "--person", person, "--name", name]
    if screenshots:
        command += ["--screenshots", screenshots]
    browser = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        out, err = await browser.communicate()
    except asyncio.CancelledError:
        browser.terminate()
        raise
    require(browser.returncode == 0, f"the browser did not return: {err.decode()} {out.decode()}")
    return json.loads(out)["returned"]


def text_of(result) -> str:
    """The text of a tool's answer; an answer that is an error is a failure."""
    text = "\n".join(getattr(part, "text", "") for part in result.content)
    failed = result.is_error if hasattr(result, "is_error") else result.isError
    require(not failed, f"the tool answered with an error: {text}")
    return text


def arguments_for(tool, text: str) -> dict[str, str]:
    """Arguments for a tool from its own schema: the text for every required string."""
    schema = tool.input_schema if hasattr(tool, "input_schema") else tool.inputSchema
    properties = schema.get("properties", {})
    return {
        name: text
        for name in schema.get("required", list(properties))
        if "string" in ([kind] if isinstance(kind := properties[name].get("type"), str) else kind or [])
    }


def reason(error: BaseException) -> BaseException:
    """The first cause inside the groups that task groups raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run(what: str, walk: Callable[[argparse.Namespace], Awaitable[None]], trace: Callable[[], list[str]]) -> int:
    """Runs `walk` within its time; a failure shows what was exchanged."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--mcp-url", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--screenshots")
    parser.add_argument("--tools-alike", action="store_true", help="no tool of the server needs more than another")
    parser.add_argument("--timeout", type=float, default=150)
    options = parser.parse_args()

    async def bounded() -> None:
        async with asyncio.timeout(options.timeout):
            await walk(options)

    try:
        asyncio.run(bounded())
    except Exception as error:
        cause = reason(error)
        print(f"not ok: {type(cause).__name__}: {cause}", flush=True)
        traceback.print_exception(error)
        for line in trace():
            print(f"  {line}", file=sys.stderr)
        return 1
    return 0

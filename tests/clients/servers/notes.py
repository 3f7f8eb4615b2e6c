"""As notes.mjs, with the Python SDK: `python notes.py PORT`."""

import json
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("notes-python", log_level="WARNING")
notes: dict[str, str] = {}


@server.tool()
def whoami(ctx: Context) -> str:
    headers = ctx.headers
    if "authorization" in headers:
        raise ValueError("the client's token came through")
    return json.dumps({what: headers.get(f"x-auth-{what}") for what in ("user", "email", "client", "scopes")})


@server.tool()
def write_note(title: str, text: str) -> str:
    notes[title] = text
    return "Written."


@server.tool()
def read_note(title: str) -> str:
    return notes.get(title, "There is no such note.")


@server.tool()
def reset_notes() -> str:
    notes.clear()
    return "There are no notes any more."


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))

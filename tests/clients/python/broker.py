"""The broker as an operator has it in hand: restarted and revoked through the run that started it."""

import asyncio
import base64
import json
import time
import urllib.request


class Broker:
    def __init__(self, control: str) -> None:
        self.control = control

    async def _ask(self, method: str, path: str, body: str = "") -> dict:
        request = urllib.request.Request(self.control + path, data=body.encode() or None, method=method)

        def answer() -> dict:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)

        return await asyncio.to_thread(answer)

    async def facts(self) -> dict:
        """`document`: the identifier of a client that has one; `introspector`: a server that may ask about tokens."""
        return await self._ask("GET", "")

    async def restart_short(self) -> None:
        """Ends it and starts it again on its store; from then on access tokens end within seconds."""
        await self._ask("POST", "restart?life=short")

    async def revoke(self, access_token: str) -> None:
        """Ends the grant of this access token; the broker is back afterwards, and tokens live as long as usual."""
        await self._ask("POST", "revoke", access_token)


def claims_of(access_token: str) -> dict:
    part = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def expired(access_token: str) -> None:
    """Waits until this token has expired, for a client that counts from its arrival, too."""
    left = claims_of(access_token)["exp"] - time.time()
    assert left < 10, f"the token lives for {left} s more"
    # The server counts in whole seconds, so it is up to one ahead.
    await asyncio.sleep(max(left, 0) + 1.2)

"""One person at a client of the Python SDK, whichever its major version."""

from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from callback import Callback
from support import browse, require

class Memory(TokenStorage):
    """Keeps the registration and the tokens in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Storage, callback, provider, and what went over the wire. A version of the SDK adds `connected` and `answer`."""

    sdk: str

    def __init__(self, name: str, url: str, screenshots: str | None, document: str | None = None) -> None:
        self.name = name
        self.url = url
        self.screenshots = screenshots
        self.document = document
        self.memory = Memory()
        self.callback = Callback()
        self.browsers: list[dict[str, str]] = []
        self.exchanges: list = []

    def connected(self):
        """A context in which a client is connected."""
        raise NotImplementedError

    def answer(self, query: dict[str, str]):
        """What the SDK wants of the callback."""
        raise NotImplementedError

    async def open(self) -> None:
        await self.callback.open()
        self.start_again()

    def start_again(self) -> None:
        """As a new process would be: of what was, only the storage is left."""
        metadata = OAuthClientMetadata(
            client_name=f"{self.sdk} ({self.name})",
            redirect_uris=[AnyUrl(self.callback.redirect_uri)],
            grant_types=["authorization_code", "refresh_token"],
        )
        self.provider = OAuthClientProvider(
            self.url, metadata, self.memory, self._redirect, self._returned, client_metadata_url=self.document
        )

    async def _redirect(self, url: str) -> None:
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        self.browsers.append({name: values[0] for name, values in query.items()})
        name = f"{self.sdk.replace(' ', '-').lower()}-{self.name}-{len(self.browsers)}"
        returned = await browse(url, self.name, name, self.screenshots)
        require(returned == self.callback.redirect_uri, f"the browser ended at {returned}")

    async def _returned(self):
        query = await self.callback.queries.get()
        require("code" in query, f"the answer is {query.get('error')}: {query.get('error_description')}")
        require("iss" in query, "no iss in the answer")
        return self.answer(query)

    async def seen(self, response) -> None:
        if response.is_error:
            await response.aread()
        self.exchanges.append(response)

    def since(self, mark: int, status: int | None = None, path: str = "") -> list:
        return [
            response
            for response in self.exchanges[mark:]
            if status in (None, response.status_code) and path in response.request.url.path
        ]

    @property
    def tokens(self) -> OAuthToken:
        return self.memory.tokens

    def granted(self) -> list[str]:
        return sorted((self.tokens.scope or "").split())

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

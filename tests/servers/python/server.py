import asyncio
import json
import os
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

ISSUER = os.environ.get("ISSUER", "https://auth.example.com")
RESOURCE = os.environ.get("RESOURCE", "https://mcp.example.com/mcp")
PORT = int(os.environ.get("PORT", "8000"))


class GatelodgeVerifier:
    def __init__(self) -> None:
        # RFC 8414: the well-known path goes between host and path of the issuer.
        issuer = urlsplit(ISSUER)
        well_known = issuer._replace(path=f"/.well-known/oauth-authorization-server{issuer.path}").geturl()
        with urlopen(well_known, timeout=10) as answer:
            metadata = json.load(answer)
        if metadata["issuer"] != ISSUER:
            raise ValueError(f"the metadata is of {metadata['issuer']}")
        self.keys = jwt.PyJWKClient(metadata["jwks_uri"], lifespan=300, timeout=10)

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            if jwt.get_unverified_header(token).get("typ") != "at+jwt":
                return None
            key = await asyncio.to_thread(self.keys.get_signing_key_from_jwt, token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256", "RS256", "EdDSA"],
                issuer=ISSUER,
                audience=RESOURCE,
                options={"require": ["exp", "iat", "sub", "client_id"]},
            )
        except jwt.PyJWKClientConnectionError:
            # The keys cannot be had: that is no fault of the token.
            raise
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims.get("scope", "").split(),
            expires_at=claims["exp"],
            resource=RESOURCE,
            subject=claims["sub"],
            claims=claims,
        )


server = MCPServer(
    "notes",
    token_verifier=GatelodgeVerifier(),
    auth=AuthSettings(
        issuer_url=ISSUER,
        resource_server_url=RESOURCE,
        required_scopes=["mcp:read"],
        validate_token_resource=True,
    ),
)


@server.tool()
def whoami() -> str:
    """Tell who is calling."""
    caller = get_access_token()
    return f"{caller.subject} ({caller.claims.get('email', 'no address')})"


if __name__ == "__main__":
    url = urlsplit(RESOURCE)
    hosts = [url.netloc, "127.0.0.1:*", "localhost:*"]
    server.run(
        "streamable-http",
        port=PORT,
        streamable_http_path=url.path,
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts),
    )

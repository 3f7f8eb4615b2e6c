import json
import os
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt
from fastmcp import FastMCP
from fastmcp.server.auth import AccessToken, RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token

ISSUER = os.environ.get("ISSUER", "https://auth.example.com")
RESOURCE = os.environ.get("RESOURCE", "https://mcp.example.com/mcp")
PORT = int(os.environ.get("PORT", "8000"))

# RFC 8414: the well-known path goes between host and path of the issuer.
issuer = urlsplit(ISSUER)
well_known = issuer._replace(path=f"/.well-known/oauth-authorization-server{issuer.path}").geturl()
with urlopen(well_known, timeout=10) as answer:
    metadata = json.load(answer)
if metadata["issuer"] != ISSUER:
    raise ValueError(f"the metadata is of {metadata['issuer']}")


class GatelodgeVerifier(JWTVerifier):
    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            is_access_token = jwt.get_unverified_header(token).get("typ") == "at+jwt"
        except jwt.PyJWTError:
            return None
        return await super().verify_token(token) if is_access_token else None


resource = urlsplit(RESOURCE)
auth = RemoteAuthProvider(
    token_verifier=GatelodgeVerifier(
        jwks_uri=metadata["jwks_uri"], issuer=ISSUER, audience=RESOURCE, algorithm="ES256"
    ),
    authorization_servers=[ISSUER],
    base_url=resource._replace(path="").geturl(),
    scopes_supported=["mcp:read", "mcp:write"],
)
# Asked by the provider, a missing scope is 403; asked by the verifier, it would be 401.
auth.required_scopes = ["mcp:read"]

server = FastMCP("notes", auth=auth)


@server.tool
def whoami() -> str:
    """Tell who is calling."""
    claims = get_access_token().claims
    return f"{claims['sub']} ({claims.get('email', 'no address')})"


if __name__ == "__main__":
    server.run(transport="http", port=PORT, path=resource.path, stateless_http=True, json_response=True)

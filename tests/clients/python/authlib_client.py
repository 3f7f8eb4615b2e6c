"""Authlib as a strict confidential client, and as the protected server that validates and introspects its tokens."""

import argparse
import os
import sys

# Everything here is on loopback, without TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import rfc8414, rfc9207
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from broker import Broker
from callback import Callback
from support import browse, ok, require, run


class Server(JWTBearerTokenValidator):
    """A protected server that checks the signature and the claims."""

    def __init__(self, metadata: dict, resource: str) -> None:
        super().__init__(metadata["issuer"], resource)
        self.jwks_uri = metadata["jwks_uri"]

    def get_jwks(self) -> KeySet:
        return KeySet.import_key_set(requests.get(self.jwks_uri, timeout=10).json())

    def validated(self, token: str, scopes: list[str]) -> dict:
        claims = self.authenticate_token(token)
        self.validate_token(claims, scopes, None)
        return claims


class AskingServer(IntrospectTokenValidator):
    """A protected server that asks the broker."""

    def __init__(self, metadata: dict, introspector: dict) -> None:
        super().__init__()
        self.endpoint = metadata["introspection_endpoint"]
        self.session = OAuth2Session(introspector["client_id"], introspector["client_secret"])

    def introspect_token(self, token_string: str) -> dict:
        answer = self.session.introspect_token(self.endpoint, token_string, "access_token")
        require(answer.status_code == 200, f"introspection was answered {answer.status_code}")
        return answer.json()


def refused(attempt, error: str) -> str:
    """`attempt` must end with this OAuth error."""
    try:
        attempt()
    except OAuthError as refusal:
        require(refusal.error == error, f"refused with {refusal}")
        return str(refusal)
    raise AssertionError(f"not refused with {error}")


def discover(resource: str) -> dict:
    challenge = requests.post(resource, json={}, timeout=10).headers["www-authenticate"]
    found = requests.get(challenge.split('resource_metadata="')[1].split('"')[0], timeout=10).json()
    require(found["resource"] == resource, f"the resource is {found['resource']}")
    (issuer,) = found["authorization_servers"]
    metadata = requests.get(rfc8414.get_well_known_url(issuer, external=True), timeout=10).json()
    require(metadata["issuer"] == issuer, f"the issuer is {metadata['issuer']}")
    rfc8414.AuthorizationServerMetadata(metadata).validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])
    ok("metadata that Authlib validates", issuer, ["discovery (RFC 8414) validated"])
    return metadata


def register(metadata: dict, redirect_uri: str) -> dict:
    wanted = {
        "client_name": "Authlib",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    answer = requests.post(metadata["registration_endpoint"], json=wanted, timeout=10)
    require(answer.status_code == 201, f"{answer.status_code} {answer.text}")
    registered = answer.json()
    options = ClientMetadataClaims.get_claims_options(metadata)
    ClientMetadataClaims(registered, {}, options, metadata).validate()
    require({name: registered[name] for name in wanted} == wanted, f"registered {registered}")
    ok("registration of a confidential client", registered["client_id"], ["registration (RFC 7591) validated"])
    return registered


class Walk:
    def __init__(self, options: argparse.Namespace, metadata: dict, callback: Callback, registered: dict) -> None:
        self.options, self.metadata, self.callback = options, metadata, callback
        self.visits = 0
        self.session = OAuth2Session(
            registered["client_id"],
            registered["client_secret"],
            redirect_uri=callback.redirect_uri,
            scope="mcp:read mcp:write",
            code_challenge_method="S256",
        )

    async def answer(self) -> tuple[str, str, str]:
        """Goes to the browser; the verifier, the state, and the URL that came back."""
        verifier, resource = generate_token(48), self.options.mcp_url
        endpoint = self.metadata["authorization_endpoint"]
        url, state = self.session.create_authorization_url(endpoint, code_verifier=verifier, resource=resource)
        self.visits += 1
        await browse(url, "alice", f"authlib-{self.visits}", self.options.screenshots)
        query = await self.callback.queries.get()
        require(query.get("iss") == self.metadata["issuer"], f"iss is {query.get('iss')}")
        back = requests.Request("GET", self.callback.redirect_uri, params=query).prepare().url
        return verifier, state, back

    def redeem(self, verifier: str, state: str, back: str) -> dict:
        url, resource = self.metadata["token_endpoint"], self.options.mcp_url
        return dict(
            self.session.fetch_token(
                url, authorization_response=back, state=state, code_verifier=verifier, resource=resource
            )
        )

    def refresh(self, token: str) -> dict:
        return dict(self.session.refresh_token(self.metadata["token_endpoint"], token))


async def walk(options: argparse.Namespace) -> None:
    metadata = discover(options.mcp_url)
    callback = Callback()
    await callback.open()
    at = Walk(options, metadata, callback, register(metadata, callback.redirect_uri))
    server = Server(metadata, options.mcp_url)
    asking = AskingServer(metadata, (await Broker(options.control).facts())["introspector"])

    first = await at.answer()
    tokens = at.redeem(*first)
    require(tokens["token_type"] == "Bearer" and tokens["refresh_token"], "no tokens")
    ok("code with PKCE, state, iss and resource", tokens["scope"], ["code with PKCE, `iss` and `resource`"])

    claims = server.validated(tokens["access_token"], ["mcp:read"])
    ok("Authlib's server takes the access token", " ".join(sorted(claims)), ["JWT access token validated (RFC 9068)"])
    asking.validate_token(asking.authenticate_token(tokens["access_token"]), ["mcp:read"], None)
    ok("so does the one that asks", did=["introspection (RFC 7662)"])

    refreshed = at.refresh(tokens["refresh_token"])
    require(refreshed["access_token"] != tokens["access_token"], "the access token did not change")
    require(refreshed["refresh_token"] != tokens["refresh_token"], "the refresh token was not rotated")
    server.validated(refreshed["access_token"], ["mcp:read"])
    ok("refresh rotates", did=["refresh with rotation"])

    said = refused(lambda: at.redeem(*first), "invalid_grant")
    refused(lambda: at.refresh(refreshed["refresh_token"]), "invalid_grant")
    ok("a code used twice ends what the first use gave", said, ["second use of a code refused"])

    _, state, back = await at.answer()
    said = refused(lambda: at.redeem(generate_token(48), state, back), "invalid_grant")
    ok("a wrong verifier", said, ["wrong verifier refused"])

    tokens = at.redeem(*await at.answer())
    hint = at.session.revoke_token(metadata["revocation_endpoint"], tokens["refresh_token"], "refresh_token")
    require(hint.status_code == 200, f"revocation was answered {hint.status_code}")
    refused(lambda: at.refresh(tokens["refresh_token"]), "invalid_grant")
    require(asking.authenticate_token(tokens["access_token"]) == {"active": False}, "the access token is active")
    ok("revocation ends the grant, and introspection says so", did=["revocation (RFC 7009)"])


if __name__ == "__main__":
    sys.exit(run(__doc__, walk, lambda: []))

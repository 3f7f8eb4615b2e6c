// oauth4webapi as a strict public client: what it does not like in an answer, it throws.
import { strict as assert } from 'node:assert';
import * as oauth from 'oauth4webapi';
import { closeBrowser } from './browser.mjs';
import { Agent, assertRotated, assertTokens, refused } from './strict.mjs';
import { main, readOptions, scopes, step } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const insecure = { [oauth.allowInsecureRequests]: true };
const none = oauth.None();

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'oauth4webapi', version: '1' } },
});

/** One request to the MCP server with a token. */
function call(token) {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
  return oauth.protectedResourceRequest(token, 'POST', mcpUrl, headers, initialize, insecure);
}

await main(timeoutMs, undefined, async () => {
  const agent = await Agent.open('oauth4webapi', screenshotsDir);
  let server;
  let client;
  let tokens;

  await step(
    'protected resource metadata, then authorization server metadata',
    async () => {
      const found = await oauth.resourceDiscoveryRequest(mcpUrl, insecure);
      const resource = await oauth.processResourceDiscoveryResponse(mcpUrl, found);
      const issuer = new URL(resource.authorization_servers[0]);
      const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
      server = await oauth.processDiscoveryResponse(issuer, answer);
      assert.equal(server.authorization_response_iss_parameter_supported, true);
    },
    'discovery (RFC 9728, RFC 8414)',
  );

  await step(
    'registration of a public client',
    async () => {
      const metadata = {
        client_name: 'oauth4webapi',
        redirect_uris: [agent.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      };
      const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, insecure);
      client = await oauth.processDynamicClientRegistrationResponse(answer);
      assert.equal(client.client_secret, undefined, 'a public client has no secret');
    },
    'registration of a public client',
  );

  /** A new request for a code. */
  async function request(changes = {}) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: agent.redirectUri,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource: mcpUrl.href,
      scope: 'mcp:read mcp:write',
      state,
      ...changes,
    }).toString();
    return { url: url.href, verifier, state };
  }

  const redeem = async (parameters, verifier) => {
    const options = { additionalParameters: { resource: mcpUrl.href }, ...insecure };
    const { redirectUri } = agent;
    const asked = oauth.authorizationCodeGrantRequest(server, client, none, parameters, redirectUri, verifier, options);
    return oauth.processAuthorizationCodeResponse(server, client, await asked);
  };

  const refresh = async token => {
    const options = { additionalParameters: { resource: mcpUrl.href }, ...insecure };
    const answer = await oauth.refreshTokenGrantRequest(server, client, none, token, options);
    return oauth.processRefreshTokenResponse(server, client, answer);
  };

  let first;
  await step(
    'code with PKCE, state, iss and resource',
    async () => {
      const { url, verifier, state } = await request();
      const parameters = oauth.validateAuthResponse(server, client, await agent.approve(url), state);
      tokens = await redeem(parameters, verifier);
      first = { parameters, verifier };
      return assertTokens(tokens);
    },
    'code with PKCE, `iss` and `resource`',
  );

  const validate = async token => {
    const headers = { authorization: `Bearer ${token}` };
    const claims = await oauth.validateJwtAccessToken(server, new Request(mcpUrl, { headers }), mcpUrl.href, insecure);
    assert.equal(claims.client_id, client.client_id);
    assert.deepEqual(scopes(claims.scope), ['mcp:read', 'mcp:write']);
    return claims;
  };

  await step(
    'the access token is a JWT of RFC 9068, and the MCP server takes it',
    async () => {
      const claims = await validate(tokens.access_token);
      const answer = await call(tokens.access_token);
      assert.equal(answer.status, 200, await answer.text());
      return `${Object.keys(claims).sort().join(' ')}`;
    },
    'JWT access token validated (RFC 9068)',
  );

  await step('a refused token is answered with a challenge that parses', async () => {
    await assert.rejects(call('nonsense'), failure => {
      assert(failure instanceof oauth.WWWAuthenticateChallengeError, failure.stack);
      assert.equal(failure.status, 401);
      assert.equal(failure.cause.length, 1, 'one challenge');
      const [{ scheme, parameters }] = failure.cause;
      assert.equal(scheme, 'bearer');
      assert.equal(parameters.error, 'invalid_token');
      assert.equal(new URL(parameters.resource_metadata).origin, mcpUrl.origin);
      return true;
    });
  });

  await step(
    'refresh rotates, and its token validates too',
    async () => {
      const before = tokens;
      tokens = await refresh(before.refresh_token);
      assertRotated(before, tokens);
      await validate(tokens.access_token);
      return assertTokens(tokens);
    },
    'refresh with rotation',
  );

  await step(
    'a wrong verifier',
    async () => {
      const { url, state } = await request();
      const parameters = oauth.validateAuthResponse(server, client, await agent.approve(url), state);
      return refused(redeem(parameters, oauth.generateRandomCodeVerifier()), 400, 'invalid_grant');
    },
    'wrong verifier refused',
  );

  await step(
    'a code used twice ends what the first use gave',
    async () => {
      await refused(redeem(first.parameters, first.verifier), 400, 'invalid_grant');
      return refused(refresh(tokens.refresh_token), 400, 'invalid_grant');
    },
    'second use of a code refused',
  );

  await step(
    'a redirect URI that is not registered shows a page and goes nowhere',
    async () => {
      const { url } = await request({ redirect_uri: agent.redirectUri.replace('/callback', '/elsewhere') });
      return agent.stopped(url);
    },
    'unregistered redirect refused',
  );

  await step('deny comes back as access_denied with iss', async () => {
    const { url, state } = await request();
    const returned = await agent.deny(url);
    assert.throws(
      () => oauth.validateAuthResponse(server, client, returned, state),
      failure => failure instanceof oauth.AuthorizationResponseError && failure.error === 'access_denied',
    );
    assert.equal(returned.searchParams.get('iss'), server.issuer);
  });

  await step(
    'revocation ends the grant',
    async () => {
      const { url, verifier, state } = await request();
      const parameters = oauth.validateAuthResponse(server, client, await agent.approve(url), state);
      const { refresh_token: token } = await redeem(parameters, verifier);
      const answer = await oauth.revocationRequest(server, client, none, token, insecure);
      await oauth.processRevocationResponse(answer);
      return refused(refresh(token), 400, 'invalid_grant');
    },
    'revocation',
  );

  await agent.close();
  await closeBrowser();
});

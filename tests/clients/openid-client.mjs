// openid-client as a strict confidential client: its secret goes into the Authorization header.
import { strict as assert } from 'node:assert';
import * as client from 'openid-client';
import { closeBrowser } from './browser.mjs';
import { Agent, assertRotated, assertTokens, refused } from './strict.mjs';
import { main, readOptions, step } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const resource = mcpUrl.href;

/** The issuer that the MCP server's own metadata names. */
async function issuer() {
  const response = await fetch(new URL(`/.well-known/oauth-protected-resource${mcpUrl.pathname}`, mcpUrl));
  return new URL((await response.json()).authorization_servers[0]);
}

await main(timeoutMs, undefined, async () => {
  const agent = await Agent.open('openid-client', screenshotsDir);
  let config;
  let tokens;

  await step(
    'discovery and registration of a confidential client',
    async () => {
      config = await client.dynamicClientRegistration(
        await issuer(),
        {
          client_name: 'openid-client',
          redirect_uris: [agent.redirectUri],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          token_endpoint_auth_method: 'client_secret_basic',
        },
        // Left to itself it would send the secret in the body.
        client.ClientSecretBasic(),
        { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
      );
      const { client_secret: secret, token_endpoint_auth_method: method } = config.clientMetadata();
      assert(secret, 'no client_secret');
      assert.equal(method, 'client_secret_basic');
    },
    'discovery (RFC 8414)',
    'registration of a confidential client',
  );

  /** A new request for a code, and what checks its answer. */
  async function request(changes = {}) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: agent.redirectUri,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      scope: 'mcp:read mcp:write',
      state: expectedState,
      resource,
      ...changes,
    });
    return { url: url.href, checks: { pkceCodeVerifier, expectedState } };
  }

  const redeem = (returned, checks, as = config) => client.authorizationCodeGrant(as, returned, checks, { resource });
  const refresh = token => client.refreshTokenGrant(config, token, { resource });

  let first;
  await step(
    'code with PKCE, state, iss and resource',
    async () => {
      const { url, checks } = await request();
      const returned = await agent.approve(url);
      tokens = await redeem(returned, checks);
      first = { returned, checks };
      return assertTokens(tokens);
    },
    'code with PKCE, `iss` and `resource`',
  );

  await step(
    'refresh rotates',
    async () => {
      const before = tokens;
      tokens = await refresh(before.refresh_token);
      assertRotated(before, tokens);
      return assertTokens(tokens);
    },
    'refresh with rotation',
  );

  let second;
  await step(
    'a wrong secret is refused and burns no code',
    async () => {
      const { url, checks } = await request();
      const returned = await agent.approve(url);
      const { client_id: id } = config.clientMetadata();
      const stranger = new client.Configuration(config.serverMetadata(), id, {}, client.ClientSecretBasic('nonsense'));
      client.allowInsecureRequests(stranger);
      await refusedWithChallenge(redeem(returned, checks, stranger));
      second = await redeem(returned, checks);
      return assertTokens(second);
    },
    'wrong secret refused',
  );

  await step(
    'revocation ends the grant',
    async () => {
      await client.tokenRevocation(config, second.refresh_token, { token_type_hint: 'refresh_token' });
      return refused(refresh(second.refresh_token), 400, 'invalid_grant');
    },
    'revocation',
  );

  await step(
    'a wrong verifier',
    async () => {
      const { url, checks } = await request();
      const wrong = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
      return refused(redeem(await agent.approve(url), wrong), 400, 'invalid_grant');
    },
    'wrong verifier refused',
  );

  await step(
    'a code used twice ends what the first use gave',
    async () => {
      await refused(redeem(first.returned, first.checks), 400, 'invalid_grant');
      return refused(refresh(tokens.refresh_token), 400, 'invalid_grant');
    },
    'second use of a code refused',
  );

  await step(
    'a redirect URI that is not registered shows a page and goes nowhere',
    async () => {
      const { url } = await request({ redirect_uri: 'https://elsewhere.example/callback' });
      return agent.stopped(url);
    },
    'unregistered redirect refused',
  );

  await agent.close();
  await closeBrowser();
});

/** A client that fails to authenticate by header is told so by header (RFC 6749 section 5.2). */
async function refusedWithChallenge(attempt) {
  await assert.rejects(attempt, failure => {
    assert.equal(failure.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', failure.stack);
    assert.equal(failure.status ?? failure.response?.status, 401, failure.stack);
    return true;
  });
}

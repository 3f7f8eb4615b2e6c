// Keycloak's own access tokens at a server that Gatelodge guards: by signature and by introspection.
//
// What Keycloak 26.7.3 really issues, seen here: access tokens with `typ: JWT` in the header and `typ: Bearer`
// in the claims, ID tokens with `typ: ID`; an access token of a client without an audience mapper is made out to
// `account`, if to anybody; introspection answers `active: false` once the session has ended, and to a
// client that the token is not made out to.
import { strict as assert } from 'node:assert';
import { clientId, clientSecret, resource, startBroker } from './broker.mjs';

/** The application that people have at the partner's; its tokens are made out to our server. */
const app = {
  clientId: 'partner-app',
  enabled: true,
  protocol: 'openid-connect',
  publicClient: false,
  clientAuthenticatorType: 'client-secret',
  secret: clientSecret,
  standardFlowEnabled: false,
  directAccessGrantsEnabled: true,
  protocolMappers: [
    {
      name: 'audience',
      protocol: 'openid-connect',
      protocolMapper: 'oidc-audience-mapper',
      config: { 'included.custom.audience': resource, 'access.token.claim': 'true', 'introspection.token.claim': 'true' },
    },
    {
      name: 'who may ask',
      protocol: 'openid-connect',
      protocolMapper: 'oidc-audience-mapper',
      config: { 'included.client.audience': clientId, 'access.token.claim': 'true', 'introspection.token.claim': 'true' },
    },
    {
      name: 'groups',
      protocol: 'openid-connect',
      protocolMapper: 'oidc-group-membership-mapper',
      config: { 'claim.name': 'groups', 'full.path': 'true', 'access.token.claim': 'true', 'introspection.token.claim': 'true' },
    },
  ],
};

/** The same without an audience. */
const other = { ...app, clientId: 'other-app', protocolMappers: [] };

async function tokens(realm, clientId, username) {
  const credentials = { client_id: clientId, client_secret: clientSecret, username, password: username };
  const body = new URLSearchParams({ grant_type: 'password', scope: 'openid email', ...credentials });
  const options = { method: 'POST', body, signal: AbortSignal.timeout(30_000) };
  const answer = await fetch(`${realm.admin.issuer}/protocol/openid-connect/token`, options);
  const json = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(json));
  return { access: json.access_token, id: json.id_token };
}

/** What the proxy in front of the server is told of a request with this token. */
async function verify(broker, token) {
  const { host, pathname } = new URL(resource);
  const headers = {
    'x-forwarded-proto': 'https', 'x-forwarded-host': host, 'x-forwarded-uri': pathname, authorization: `Bearer ${token}`,
  };
  const answer = await fetch(`${broker.issuer}/verify`, { headers, signal: AbortSignal.timeout(20_000) });
  await answer.text();
  return {
    status: answer.status,
    email: answer.headers.get('x-auth-email'),
    scopes: answer.headers.get('x-auth-scopes'),
    challenge: answer.headers.get('www-authenticate') ?? '',
  };
}

/** A broker whose server accepts this credential of the realm, and its people by their groups. */
async function guarded(realm, credential, body) {
  for (const client of [app, other]) {
    const [known] = await realm.admin.call('GET', `/clients?clientId=${client.clientId}`);
    if (!known) {
      await realm.admin.call('POST', '/clients', client);
    }
  }
  const scopes = { 'mcp:read': 'Read the note', 'mcp:write': 'Change the note' };
  const { issuer } = realm.admin;
  const broker = await startBroker(realm.binary, {
    upstreams: [{ id: 'keycloak', name: 'Works SSO', preset: 'keycloak', issuer, allowed_domains: ['example.com'] }],
    access: {
      default_scopes: ['mcp:read'],
      rules: [{ upstreams: ['partner'], groups: ['/platform'], scopes: ['mcp:write'] }],
    },
    more: {
      forward_auth: true,
      trusted_proxies: ['127.0.0.1'],
      resources: [{ url: resource, name: 'Acme notes', scopes, accepts: ['access_token', 'partner'] }],
      credentials: [{ id: 'partner', issuer, audience: resource, allowed_domains: ['example.com'], ...credential }],
    },
  });
  try {
    await body(broker);
  } catch (error) {
    error.stack += `\nthe broker's last lines:\n${broker.tail()}`;
    throw error;
  } finally {
    await broker.stop();
  }
}

const refused = { status: 401, error: true };

async function assertRefused(broker, token, why) {
  const { status, challenge } = await verify(broker, token);
  assert.deepEqual({ status, error: challenge.includes('error="invalid_token"') }, refused, why);
}

export const foreignTokens = [
  {
    name: 'SEC-141: an access token of another issuer counts by its signature, and its ID token does not',
    run: ({ realm }) =>
      guarded(realm, { type: 'jwt' }, async broker => {
        const olaf = await tokens(realm, app.clientId, 'olaf');
        const { status, email, scopes } = await verify(broker, olaf.access);
        assert.deepEqual({ status, email, scopes }, { status: 200, email: 'olaf@example.com', scopes: 'mcp:read mcp:write' });
        const pia = await verify(broker, (await tokens(realm, app.clientId, 'pia')).access);
        assert.deepEqual([pia.status, pia.scopes], [200, 'mcp:read']);
        await assertRefused(broker, olaf.id, 'an ID token');
        await assertRefused(broker, (await tokens(realm, other.clientId, 'olaf')).access, 'made out to nobody here');
        await assertRefused(broker, `${olaf.access}x`, 'spoilt');
        const fay = await verify(broker, (await tokens(realm, app.clientId, 'fay')).access);
        assert.equal(fay.status, 403, 'an address that is not verified');
      }),
  },
  {
    name: 'a token that Keycloak is asked about counts until its session ends there',
    run: ({ realm }) =>
      guarded(realm, { type: 'introspection', client_id: clientId, client_secret: clientSecret, cache: '0s' }, async broker => {
        const olaf = await tokens(realm, app.clientId, 'olaf');
        const { status, scopes } = await verify(broker, olaf.access);
        assert.deepEqual([status, scopes], [200, 'mcp:read mcp:write']);
        await assertRefused(broker, (await tokens(realm, other.clientId, 'pia')).access, 'made out to nobody here');
        await assertRefused(broker, 'opaque-and-invented', 'nobody\'s');
        await realm.endAllSessions('olaf');
        await assertRefused(broker, olaf.access, 'its session has ended');
      }),
  },
];

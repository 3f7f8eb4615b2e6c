// node-oidc-provider, set up for the same work as the broker: public clients that register
// themselves, PKCE, resource indicators, ES256 JWT access tokens, refresh with rotation.
// It signs people in by itself and calls no other provider, which is less work than the broker's.
//
// usage: node server.mjs PORT RESOURCE [redis://...]

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';

import { inMemory, inRedis } from './adapters.mjs';

const [port, resource, redis] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const scopes = 'mcp:read mcp:write';
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const provider = new Provider(issuer, {
  adapter: redis ? inRedis(redis) : inMemory(),
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'k' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'offline_access'],
  clientDefaults: {
    id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
  },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: scopes,
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 1800,
        jwt: { sign: { alg: 'ES256' } },
      }),
      useGrantedResource: () => true,
    },
  },
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, email_verified: true }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 1800, AuthorizationCode: 60, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 600 },
});

const page = (uid) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in</title></head>
<body><main><h1>Allow access?</h1><p>The application asks for ${scopes}.</p>
<form method="post" action="/interaction/${uid}"><button name="action" value="allow">Allow</button></form>
</main></body></html>`;

/** The person is whoever asks, and allows everything. */
async function answer(ctx) {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = 'bob@example.com';
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  grant.addResourceScope(resource, scopes);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
  ctx.status = 303;
}

provider.use(async (ctx, next) => {
  const uid = /^\/interaction\/([\w-]+)$/.exec(ctx.path)?.[1];
  if (ctx.path === '/healthz') {
    ctx.body = 'ok';
  } else if (!uid) {
    await next();
  } else if (ctx.method === 'POST') {
    await answer(ctx);
  } else {
    await provider.interactionDetails(ctx.req, ctx.res);
    ctx.type = 'html';
    ctx.body = page(uid);
  }
});

provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1');

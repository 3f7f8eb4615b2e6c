// The people of Acme at node-oidc-provider, with a page for the password and one for consent.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;

const people = {
  alice: { name: 'Alice Archer', email: 'alice@example.com', groups: ['platform'] },
  bob: { name: 'Bob Baker', email: 'bob@example.com', groups: ['platform'] },
  carol: { name: 'Carol Cook', email: 'carol@example.com', groups: ['sales'] },
  eve: { name: 'Eve Elsewhere', email: 'eve@other.example', groups: ['platform'] },
};
const keys = [];
let asksForConsent = false;

async function addKey() {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey);
  // The newest signs.
  keys.unshift({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y, d: jwk.d, kid: `key-${keys.length + 1}`, use: 'sig', alg: 'ES256' });
}

async function grantWithoutAsking({ oidc }) {
  const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
  grant.addOIDCScope('openid email profile groups');
  await grant.save();
  return grant;
}

function newProvider() {
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'gatelodge',
        client_secret: process.env.CLIENT_SECRET,
        redirect_uris: [process.env.REDIRECT_URI],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys },
    cookies: { keys: ['a key for the cookies of a test'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email_verified: true, ...people[id] }) }),
    loadExistingGrant: context => (asksForConsent ? undefined : grantWithoutAsking(context)),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  });
}

const page = body => `<!doctype html><html lang="en"><title>Acme sign-in</title><link rel="icon" href="data:,"><main>${body}</main>`;
const password = (refusal = '') =>
  page(`${refusal}<form method="post"><input name="login"><input name="password" type="password"><button>Sign in</button></form>`);
const consent = page(
  '<form method="post"><button name="answer" value="allow">Allow</button><button name="answer" value="deny">Deny</button></form>',
);

/** The pages that node-oidc-provider leaves to whoever runs it. */
async function interact(request, response) {
  const { prompt } = await provider.interactionDetails(request, response);
  const show = html => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  if (request.method !== 'POST') {
    return show(prompt.name === 'login' ? password() : consent);
  }
  const form = new URLSearchParams(await text(request));
  if (prompt.name === 'consent') {
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'denied' });
  }
  const login = form.get('login');
  if (!Object.hasOwn(people, login) || form.get('password') !== login) {
    return show(password('<p>That is not your password.</p>'));
  }
  return provider.interactionFinished(request, response, { login: { accountId: login } });
}

await addKey();
let provider = newProvider();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    provider.callback()(request, response);
    return;
  }
  interact(request, response).catch(error => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(port, '127.0.0.1');

process.on('message', async message => {
  asksForConsent = message.asksForConsent ?? asksForConsent;
  if (message.rotateKeys) {
    await addKey();
    provider = newProvider();
  }
  process.send('done');
});
process.on('disconnect', () => process.exit());

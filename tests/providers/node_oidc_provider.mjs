// node-oidc-provider as it is, with the people of Acme: email and groups come from userinfo, keys are ES256.
import { brokerAddress, plainAccess, startBroker } from './broker.mjs';
import { OpenIdServer, form, version } from './openid_server.mjs';
import { publishedKeys, sendPassword, sendWrongPassword } from './pages.mjs';
import { scenarios } from './scenarios.mjs';

const people = {
  alice: { name: 'Alice Archer', email: 'alice@example.com', groups: ['platform'] },
  bob: { name: 'Bob Baker', email: 'bob@example.com', groups: ['platform'] },
  carol: { name: 'Carol Cook', email: 'carol@example.com', groups: ['sales'] },
  eve: { name: 'Eve Elsewhere', email: 'eve@other.example', groups: ['platform'] },
};

const shape = {
  alg: 'ES256',
  thin: true,
  claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
};

/** It fills in its own pages. */
const asProvider = server => ({
  signIn: (tab, person) => sendPassword(tab, form, person, person),
  failToSignIn: (tab, person, password) => sendWrongPassword(tab, form, person, password),
  asksForConsent: wanted => (server.asksForConsent = wanted),
  async deny(tab, person) {
    await sendPassword(tab, form, person, person);
    await tab.leave('button[name=answer][value=deny]');
  },
  signingKeys: () => publishedKeys(server.issuer),
  rotateKeys: () => server.rotateKeys(),
});

export const nodeOidcProvider = {
  name: 'node-oidc-provider',
  needs: [],
  version: () => version,
  scenarios,
  async start(binary) {
    const address = await brokerAddress();
    const server = await OpenIdServer.start(people, shape);
    server.admit(`${address.issuer}/oauth/callback/node`);
    const upstream = {
      id: 'node',
      name: 'Acme SSO',
      preset: 'oidc',
      issuer: server.issuer,
      scopes: ['openid', 'email', 'profile', 'groups'],
      allowed_domains: ['example.com'],
    };
    const broker = await startBroker(binary, { address, upstreams: [upstream], access: plainAccess('platform') });
    return {
      broker,
      provider: asProvider(server),
      tails: () => [broker.tail(), server.tail()],
      stop: () => Promise.all([broker.stop(), server.stop()]),
    };
  },
};

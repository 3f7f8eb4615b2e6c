// Keycloak, started once: the realm of docker-compose.yml through what every provider goes through, and
// a realm of its own for what only Keycloak does.
import { brokerAddress, plainAccess, startBroker } from './broker.mjs';
import { keys } from './keycloak_keys.mjs';
import { logout } from './keycloak_logout.mjs';
import { policy } from './keycloak_policy.mjs';
import { Realm } from './keycloak_realm.mjs';
import { recheck } from './keycloak_recheck.mjs';
import { Admin, form, needs, startKeycloak, version } from './keycloak_server.mjs';
import { signOuts } from './keycloak_sign_out.mjs';
import { foreignTokens } from './keycloak_tokens.mjs';
import { publishedKeys, sendPassword, sendWrongPassword } from './pages.mjs';
import { scenarios } from './scenarios.mjs';

/** It fills in its own pages. */
const asProvider = admin => ({
  signIn: (tab, person) => sendPassword(tab, form, person, person),
  failToSignIn: (tab, person, password) => sendWrongPassword(tab, form, person, password),
  asksForConsent: wanted => admin.changeClient(() => ({ consentRequired: wanted })),
  async deny(tab, person) {
    await sendPassword(tab, form, person, person);
    await tab.leave('[name=cancel]');
  },
  signingKeys: () => publishedKeys(admin.issuer),
  rotateKeys: () => admin.rotateKeys(),
});

export const keycloak = {
  name: 'keycloak',
  needs,
  version: () => `Keycloak ${version}`,
  scenarios: [...scenarios, ...policy, ...logout, ...recheck, ...signOuts, ...foreignTokens, ...keys],
  async start(binary) {
    const address = await brokerAddress();
    const server = await startKeycloak(address.issuer);
    const admin = new Admin(server.origin, 'acme');
    const upstream = {
      id: 'keycloak', name: 'Acme SSO', preset: 'keycloak', issuer: admin.issuer, allowed_domains: ['example.com'],
    };
    const broker = await startBroker(binary, { address, upstreams: [upstream], access: plainAccess('/platform') });
    return {
      broker,
      provider: asProvider(admin),
      realm: await Realm.make(server.origin, binary),
      tails: () => [broker.tail(), server.tail()],
      stop: () => Promise.all([broker.stop(), server.stop()]),
    };
  },
};

// Sign-out on our page goes on at Keycloak, which knows from the ID token who it is and does not ask.
import { strict as assert } from 'node:assert';
import { ended, signInAt } from './keycloak_realm.mjs';
import { form } from './keycloak_server.mjs';
import { begin, withBrowser } from './visit.mjs';

const attributes = issuer => ({ 'post.logout.redirect.uris': `${issuer}/oauth/logout/done` });
const access = { default_scopes: ['mcp:read'] };

/** Signs out; Keycloak's session is gone, and the browser is back. */
async function signOut(realm, broker, tab, username) {
  await tab.goto(`${broker.issuer}/oauth/logout`);
  assert.match(await tab.page.locator('main').innerText(), new RegExp(`${username}@example\\.com.*Works SSO`, 's'));
  await tab.leave('main button');
  assert.equal(tab.address, `${broker.issuer}/oauth/logout/done`);
  assert.match(await tab.page.locator('main').innerText(), /signed out.*left Works SSO/s);
  assert.deepEqual(await realm.sessions(username), []);
}

export const signOuts = [
  {
    // Asked again, Keycloak would know nobody of that session any more.
    name: 'sign-out here ends the session at Keycloak; what was connected stays where it is not asked again',
    run: ({ realm }) =>
      realm.lodge({ attributes, access, more: { recheck: false } }, broker =>
        withBrowser(async tab => {
          const client = await signInAt(broker, tab, 'nora');
          await signOut(realm, broker, tab, 'nora');
          await client.refresh();
          const again = await begin(broker, tab, 'Next client');
          assert(await tab.page.locator(form.password).isVisible(), `nobody was asked for a password: ${tab.address}`);
          await Promise.all([client.close(), again.close()]);
        }),
      ),
  },
  {
    name: 'where Keycloak tells of ended sessions, a sign-out here ends what was connected in that session, too',
    run: ({ realm }) =>
      realm.lodge(
        {
          access,
          attributes: issuer => ({
            ...attributes(issuer),
            'backchannel.logout.url': `${issuer}/oauth/backchannel-logout/keycloak`,
            'backchannel.logout.session.required': 'true',
          }),
        },
        broker =>
          withBrowser(async tab => {
            const client = await signInAt(broker, tab, 'milo');
            await signOut(realm, broker, tab, 'milo');
            await ended(client);
            await client.close();
          }),
      ),
  },
];

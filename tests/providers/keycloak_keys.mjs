// Keycloak's keys change while people sign in.
import { strict as assert } from 'node:assert';
import { form } from './keycloak_server.mjs';
import { signIn } from './keycloak_realm.mjs';
import { publishedKeys, sendPassword } from './pages.mjs';
import { begin, withBrowser } from './visit.mjs';

const access = { default_scopes: ['mcp:read'] };
const crowd = ['milo', 'nora', 'gil', 'igor'];

async function comesIn(broker, username) {
  const client = await signIn(broker, username);
  await client.close();
}

/** Anybody can invent a logout token with a key's name; new keys must be found all the same (REL-13). */
async function invent(broker, issuer) {
  const parts = [{ alg: 'RS256', kid: 'invented', typ: 'logout+jwt' }, { iss: issuer, aud: 'gatelodge' }, 'a signature'];
  const token = parts.map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const options = { method: 'POST', body: new URLSearchParams({ logout_token: token }), signal: AbortSignal.timeout(10_000) };
  const answer = await fetch(`${broker.issuer}/oauth/backchannel-logout/keycloak`, options);
  assert.equal(answer.status, 400, await answer.text());
}

/** One stands at the password page while the keys change; the others come after, one by one and together. */
const changeAmongSignIns = old => ({ realm }) =>
  realm.lodge({ access }, broker =>
    withBrowser(async tab => {
      await comesIn(broker, 'ada');
      const before = await publishedKeys(realm.admin.issuer);
      const standing = await begin(broker, tab, 'Slow typist');
      await invent(broker, realm.admin.issuer);
      await realm.admin.rotateKeys(old);
      const after = await publishedKeys(realm.admin.issuer);
      assert(after.some(kid => !before.includes(kid)), 'no new key is published');
      assert.equal(before.every(kid => after.includes(kid)), old.enabled === undefined, 'the old key is not as it should be');
      await Promise.all(crowd.map(username => comesIn(broker, username)));
      await sendPassword(tab, form, 'ben', 'ben');
      await standing.redeem();
      await standing.close();
      for (const username of ['cleo', 'dora']) {
        await comesIn(broker, username);
      }
    }),
  );

export const keys = [
  {
    name: 'SEC-052: a new key with the old one passive: nobody\'s sign-in fails',
    run: changeAmongSignIns({ active: ['false'] }),
  },
  {
    name: 'SEC-052: a new key with the old one disabled: nobody\'s sign-in fails',
    run: changeAmongSignIns({ active: ['false'], enabled: ['false'] }),
  },
];

// What Keycloak tells nobody, found by asking it again at a refresh: it sends no logout token when a
// person is disabled or deleted, or leaves a group.
import { strict as assert } from 'node:assert';
import { setTimeout as pause } from 'node:timers/promises';
import { scopes } from '../clients/support.mjs';
import { ended, signIn } from './keycloak_realm.mjs';

/** Facts are young for the second that they are of, and no longer: each refresh asks. */
const aMoment = () => pause(1100);
const settings = {
  more: { recheck_after: '0s' },
  access: { default_scopes: ['mcp:read'], rules: [{ groups: ['/platform'], scopes: ['mcp:write'] }] },
};

/** The tokens of this person, after `act`, are worth nothing; somebody else's go on. */
const losesAccess = (username, act) => ({ realm }) =>
  realm.lodge(settings, async broker => {
    const person = await signIn(broker, username);
    const other = await signIn(broker, 'igor');
    await aMoment();
    await person.refresh();
    await act(realm, person);
    await aMoment();
    await ended(person);
    await other.refresh();
    await Promise.all([person.close(), other.close()]);
  });

export const recheck = [
  {
    name: 'a person who is disabled loses access at the next refresh, and does not get it back by being enabled',
    run: losesAccess('pia', async (realm, person) => {
      await realm.change('pia', { enabled: false });
      await aMoment();
      await ended(person);
      await realm.change('pia', { enabled: true });
    }),
  },
  {
    name: 'a person who is deleted loses access at the next refresh',
    run: losesAccess('quin', realm => realm.remove('quin')),
  },
  {
    name: 'who leaves a group loses its scopes at the next refresh, and gets them back with the group',
    run: ({ realm }) =>
      realm.lodge(settings, async broker => {
        const client = await signIn(broker, 'olaf');
        assert.deepEqual(scopes(client.claims.scope), ['mcp:read', 'mcp:write']);
        for (const [isMember, wanted] of [[true, 'mcp:read mcp:write'], [false, 'mcp:read'], [true, 'mcp:read mcp:write']]) {
          await realm.setMember('olaf', '/platform', isMember);
          await aMoment();
          assert.deepEqual(scopes((await client.refresh()).scope), scopes(wanted));
          assert.deepEqual(scopes(client.tokens.scope), scopes(wanted));
        }
        await client.close();
      }),
  },
  {
    // The broker has the token of the sign-in before, too.
    name: 'whose newest session ends at Keycloak is still known by the older one',
    run: ({ realm }) =>
      realm.lodge(settings, async broker => {
        const older = await signIn(broker, 'rosa');
        const [known] = await realm.sessions('rosa');
        const newer = await signIn(broker, 'rosa');
        const [newest] = (await realm.sessions('rosa')).filter(id => id !== known);
        await realm.endSession(newest);
        await aMoment();
        await older.refresh();
        await Promise.all([older.close(), newer.close()]);
      }),
  },
];

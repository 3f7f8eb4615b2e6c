// What every identity provider goes through. A provider fills in its own pages; the rest is the same.
import { strict as assert } from 'node:assert';
import { scopes } from '../clients/support.mjs';
import { begin, everything, noAccess, withBrowser } from './visit.mjs';

async function signIn(broker, provider, person) {
  return withBrowser(async tab => {
    const client = await begin(broker, tab, `Client of ${person}`);
    await provider.signIn(tab, person);
    const claims = await client.redeem();
    assert.equal(claims.aud, broker.resource);
    await client.close();
    return claims;
  });
}

async function getsScopes(broker, provider, person, wanted) {
  const claims = await signIn(broker, provider, person);
  assert.deepEqual(scopes(claims.scope), scopes(wanted), person);
}

export const scenarios = [
  {
    name: 'sign in, and refresh',
    async run({ broker, provider }) {
      await withBrowser(async tab => {
        const client = await begin(broker, tab, 'Administration');
        await provider.signIn(tab, 'alice');
        const first = await client.redeem();
        assert.deepEqual(scopes(first.scope), scopes(everything));
        const second = await client.refresh();
        assert.deepEqual([second.sub, second.scope], [first.sub, first.scope]);
        await client.close();
      });
    },
  },
  {
    name: 'groups become scopes',
    async run({ broker, provider }) {
      await getsScopes(broker, provider, 'bob', 'mcp:read mcp:write');
      await getsScopes(broker, provider, 'carol', 'mcp:read');
    },
  },
  {
    name: 'wrong password',
    async run({ broker, provider }) {
      await withBrowser(async tab => {
        const client = await begin(broker, tab, 'Forgetful');
        await provider.failToSignIn(tab, 'bob', 'not the password');
        assert.equal(client.callback.received.length, 0, 'the client heard of it');
        await provider.signIn(tab, 'bob');
        await client.redeem();
        await client.close();
      });
    },
  },
  {
    name: 'another organisation',
    async run({ broker, provider }) {
      await withBrowser(async tab => {
        const client = await begin(broker, tab, 'Stranger');
        await provider.signIn(tab, 'eve');
        const text = await noAccess(tab, client);
        for (const words of ['other.example', 'it-desk@example.com']) {
          assert(text.includes(words), `${words} is missing: ${text}`);
        }
        await client.close();
      });
    },
  },
  {
    name: 'deny at the provider',
    async run({ broker, provider }) {
      await provider.asksForConsent(true);
      await withBrowser(async tab => {
        const client = await begin(broker, tab, 'Unwanted');
        await provider.deny(tab, 'carol');
        assert.equal(await client.refusal(), 'access_denied');
        await client.close();
      });
      await provider.asksForConsent(false);
    },
  },
  {
    // SEC-027: a live session at the provider approves nobody.
    name: 'a second client during the session meets our page',
    async run({ broker, provider }) {
      await withBrowser(async tab => {
        const first = await begin(broker, tab, 'First client');
        await provider.signIn(tab, 'bob');
        await first.redeem();
        // `begin` finds our page and its name there, and who is signed in; the provider is not asked.
        const second = await begin(broker, tab, 'Second client');
        const { returned, page } = await tab.outcome(second.callback.redirectUri);
        assert(returned, `somebody was asked again: ${page?.url} ${page?.heading}`);
        assert.deepEqual(scopes((await second.redeem()).scope), ['mcp:read', 'mcp:write']);
        await Promise.all([first.close(), second.close()]);
      });
    },
  },
  {
    name: 'keys rotated between two sign-ins',
    async run({ broker, provider }) {
      const before = await signIn(broker, provider, 'carol');
      const old = await provider.signingKeys();
      await provider.rotateKeys();
      const fresh = await provider.signingKeys();
      assert(fresh.some(kid => !old.includes(kid)), 'no new key is published');
      const after = await signIn(broker, provider, 'carol');
      assert.equal(after.sub, before.sub);
    },
  },
];

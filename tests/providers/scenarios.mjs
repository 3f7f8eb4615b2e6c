// What every identity provider goes through. A provider fills in its own pages; the rest is the same.
import { strict as assert } from 'node:assert';
import { setTimeout } from 'node:timers/promises';
import { Tab, newProfile } from '../clients/browser.mjs';
import { scopes } from '../clients/support.mjs';
import { Client } from './client.mjs';

const everything = 'mcp:read mcp:write mcp:admin';

/** One person with a browser of their own. */
async function withBrowser(body) {
  const context = await newProfile();
  try {
    return await body(await Tab.open(context));
  } finally {
    await context.close();
  }
}

/** A client begins, the person approves on our page, and stands at the provider (or past it). */
async function approve(broker, tab, name, scope = everything) {
  const client = await Client.register(broker, name);
  await tab.goto(await client.authorizationUrl(scope));
  const shown = await tab.page.locator('main').innerText();
  assert(shown.includes(name), `our page does not name ${name}: ${shown}`);
  const allow = tab.page.locator('button[name=action][value=allow]');
  if (await allow.count()) {
    await tab.allow();
  } else {
    await tab.leave('button[name=upstream]');
  }
  return client;
}

async function signIn(broker, provider, person) {
  return withBrowser(async tab => {
    const client = await approve(broker, tab, `Client of ${person}`);
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
    async run(broker, provider) {
      await withBrowser(async tab => {
        const client = await approve(broker, tab, 'Administration');
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
    async run(broker, provider) {
      await getsScopes(broker, provider, 'bob', 'mcp:read mcp:write');
      await getsScopes(broker, provider, 'carol', 'mcp:read');
    },
  },
  {
    name: 'wrong password',
    async run(broker, provider) {
      await withBrowser(async tab => {
        const client = await approve(broker, tab, 'Forgetful');
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
    async run(broker, provider) {
      await withBrowser(async tab => {
        const client = await approve(broker, tab, 'Stranger');
        await provider.signIn(tab, 'eve');
        const { page } = await tab.outcome(client.callback.redirectUri);
        assert(page, 'the client got an answer without the person reading why');
        assert.equal(page.status, 403);
        for (const words of ['other.example', 'it-desk@example.com']) {
          assert(page.text.includes(words), `${words} is missing: ${page.text}`);
        }
        assert.equal(client.callback.received.length, 0);
        await client.close();
      });
    },
  },
  {
    name: 'deny at the provider',
    async run(broker, provider) {
      await provider.asksForConsent(true);
      await withBrowser(async tab => {
        const client = await approve(broker, tab, 'Unwanted');
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
    async run(broker, provider) {
      await withBrowser(async tab => {
        await provider.openSession?.(tab, 'bob');
        const first = await approve(broker, tab, 'First client');
        if (!provider.openSession) {
          await provider.signIn(tab, 'bob');
        }
        await first.redeem();
        // `approve` finds our page and its name there, and who is signed in; the provider is not asked.
        const second = await approve(broker, tab, 'Second client');
        const { returned, page } = await tab.outcome(second.callback.redirectUri);
        assert(returned, `somebody was asked again: ${page?.url} ${page?.heading}`);
        assert.deepEqual(scopes((await second.redeem()).scope), ['mcp:read', 'mcp:write']);
        await Promise.all([first.close(), second.close()]);
      });
    },
  },
  {
    name: 'a lost group and a disabled account count at the next refresh',
    needs: 'people',
    async run(broker, provider) {
      await withBrowser(async tab => {
        const client = await approve(broker, tab, 'Long-lived client');
        await provider.signIn(tab, 'bob');
        assert.deepEqual(scopes((await client.redeem()).scope), scopes('mcp:read mcp:write'));
        // Facts of this very second are not asked for again.
        const refresh = () => setTimeout(1100).then(() => client.refresh());
        await provider.people.setPlatform('bob', false);
        assert.deepEqual(scopes((await refresh()).scope), ['mcp:read']);
        await provider.people.setPlatform('bob', true);
        assert.deepEqual(scopes((await refresh()).scope), ['mcp:read', 'mcp:write']);
        await provider.people.setEnabled('bob', false);
        await assert.rejects(refresh(), { error: 'invalid_grant' });
        await provider.people.setEnabled('bob', true);
        await assert.rejects(refresh(), { error: 'invalid_grant' });
        await client.close();
      });
    },
  },
  {
    name: 'keys rotated between two sign-ins',
    async run(broker, provider) {
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

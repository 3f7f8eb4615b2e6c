// Whoever is signed in here, with four upstreams: allow, use another account, sign out.
import { strict as assert } from 'node:assert';
import { Client } from './client.mjs';
import { form } from './openid_server.mjs';
import { noAccess, withBrowser } from './visit.mjs';

const allowButton = 'button[name=action][value=allow]';
const find = 'button[name=action][value=find]';

/** Our page, for a new client of this person's. */
async function asked(stage, tab, name) {
  const client = await Client.register(stage.broker, name);
  await tab.goto(await client.authorizationUrl('mcp:read mcp:write'));
  return client;
}

async function sendPassword(tab, address) {
  await tab.page.locator(form.name).fill(address);
  await tab.page.locator(form.password).fill(address);
  await tab.leave(form.send);
}

/** A client of somebody who signs in by address. */
async function signIn(stage, tab, address, name = 'First client') {
  const client = await asked(stage, tab, name);
  await tab.page.locator('input[name=email]').fill(address);
  await tab.leave(find);
  await sendPassword(tab, address);
  return client;
}

/** Who is signed in, as our page says. */
const shown = tab => tab.page.locator('main').innerText();

const requests = stage => stage.servers.reduce((sum, server) => sum + server.requests.length, 0);

/** Signs out on our page and at the provider, and comes back. */
async function signOut(stage, tab, { endAccess = false } = {}) {
  await tab.goto(`${stage.broker.issuer}/oauth/logout`);
  assert.match(await shown(tab), /olga@okta\.example/);
  if (endAccess) {
    await tab.page.locator('input[name=end_access]').check();
  }
  await tab.leave('main button');
  assert(tab.page.url().startsWith(stage.servers[1].origin), `sign-out led to ${tab.address}`);
  await tab.leave('button[name=logout]');
  assert.equal(tab.address, `${stage.broker.issuer}/oauth/logout/done`);
  assert.match(await shown(tab), /signed out.*left Okta/s);
}

export const sessions = [
  {
    name: 'a second client asks who is signed in to allow it, and no provider is asked',
    run: stage =>
      withBrowser(async tab => {
        const first = await signIn(stage, tab, 'olga@okta.example');
        const { sub } = await first.redeem();
        const before = requests(stage);
        const second = await asked(stage, tab, 'Second client');
        assert.match(await shown(tab), /Second client.*signed in as olga@okta\.example \(Okta\)/s);
        await tab.leave(allowButton);
        assert.equal((await second.redeem()).sub, sub);
        const third = await asked(stage, tab, 'Third client');
        await tab.leave('button[name=action][value=deny]');
        assert.equal(await third.refusal(), 'access_denied');
        assert.equal(requests(stage), before, 'a provider was asked');
        tab.assertClean();
        await Promise.all([first, second, third].map(client => client.close()));
      }),
  },
  {
    name: 'who is signed in can use another account, at another provider and at the same',
    run: stage =>
      withBrowser(async tab => {
        const first = await signIn(stage, tab, 'olga@okta.example');
        const olga = await first.redeem();
        const second = await asked(stage, tab, 'Second client');
        const others = tab.page.locator('details button[name=upstream]');
        assert.equal(await others.first().isVisible(), false, 'the other ways in are not folded');
        await tab.page.locator('details summary').click();
        assert.equal(await others.count(), 4);
        await tab.leave('details button[name=upstream][value=sso]');
        await sendPassword(tab, 'anna@acme.example');
        const anna = await second.redeem();
        assert.notEqual(anna.sub, olga.sub);
        // The other account is the one that is signed in now.
        const third = await asked(stage, tab, 'Third client');
        assert.match(await shown(tab), /signed in as anna@acme\.example \(Acme SSO\)/);
        // Okta still has olga's session, and must ask all the same.
        await tab.page.locator('details summary').click();
        await tab.leave('details button[name=upstream][value=okta]');
        assert(await tab.page.locator(form.password).isVisible(), `nobody was asked who they are: ${tab.address}`);
        await sendPassword(tab, 'olga@okta.example');
        assert.equal((await third.redeem()).sub, olga.sub);
        await first.refresh();
        await Promise.all([first, second, third].map(client => client.close()));
      }),
  },
  {
    name: 'who is denied can use another account, and the client gets its answer',
    run: stage =>
      withBrowser(async tab => {
        const client = await signIn(stage, tab, 'otto@okta.example', 'Denied at first');
        await noAccess(tab, client);
        await tab.leave('main a:has-text("Use another account")');
        await tab.leave('button[name=upstream][value=okta]');
        assert(await tab.page.locator(form.password).isVisible(), `nobody was asked who they are: ${tab.address}`);
        await sendPassword(tab, 'olga@okta.example');
        // The provider ends otto's session first, by a page that sends itself.
        await tab.page.waitForURL(url => url.href.startsWith(`${client.callback.redirectUri}?`));
        await client.redeem();
        await client.close();
      }),
  },
  {
    name: 'sign-out ends the session here and at the provider, and what was connected stays',
    run: stage =>
      withBrowser(async tab => {
        const first = await signIn(stage, tab, 'olga@okta.example');
        await first.redeem();
        await signOut(stage, tab);
        await first.refresh();
        const second = await asked(stage, tab, 'Second client');
        assert.equal(await tab.page.locator(allowButton).count(), 0, 'somebody is still signed in');
        await tab.leave('button[name=upstream][value=okta]');
        await sendPassword(tab, 'olga@okta.example');
        await second.redeem();
        tab.assertClean();
        await Promise.all([first, second].map(client => client.close()));
      }),
  },
  {
    name: 'sign-out ends the access of all clients for who asks for it',
    run: stage =>
      withBrowser(async tab => {
        const first = await signIn(stage, tab, 'olga@okta.example');
        await first.redeem();
        await signOut(stage, tab, { endAccess: true });
        assert.equal(await first.refusedRefresh(), '400 invalid_grant');
        await first.close();
      }),
  },
];

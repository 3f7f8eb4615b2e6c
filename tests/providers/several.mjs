// One broker with four upstreams, each node-oidc-provider in another shape, and Chromium on its page.
import { strict as assert } from 'node:assert';
import { scopes } from '../clients/support.mjs';
import { looks } from '../clients/browser.mjs';
import { brokerAddress, startBroker } from './broker.mjs';
import { Client } from './client.mjs';
import { OpenIdServer, allow, form, version } from './openid_server.mjs';
import { sessions } from './sessions.mjs';
import { approve, noAccess, withBrowser } from './visit.mjs';

const tenant = '8f14e45f-ceea-467f-9575-0a1b2c3d4e5f';
const groups = { claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] } };
const asksForGroups = ['openid', 'email', 'profile', 'groups'];
const reason = 'Contractors use https://portal.okta.example instead.';

/** Who is where: one provider for each domain. An address is the login, too. */
const places = [
  {
    upstream: { id: 'google', name: 'Google Workspace', preset: 'google', allowed_domains: ['google.example'] },
    shape: { claims: { email: ['email', 'email_verified', 'hd'], profile: ['name'] } },
    people: { 'gus@google.example': { hd: 'google.example' } },
  },
  {
    upstream: { id: 'okta', name: 'Okta', preset: 'okta', scopes: asksForGroups, allowed_domains: ['okta.example', 'okta-two.example'] },
    shape: groups,
    people: { 'olga@okta.example': { groups: ['platform'] }, 'otto@okta.example': { groups: ['contractors'] } },
  },
  {
    upstream: { id: 'entra', name: 'Microsoft', preset: 'entra', allowed_domains: ['entra.example'] },
    shape: {
      path: `/${tenant}/v2.0`,
      claims: { email: ['email', 'xms_edov'], profile: ['name', 'tid', 'oid'] },
    },
    people: { 'emma@entra.example': { tid: tenant, oid: 'c20ad4d7-6fe9-7759-aa27-a0c99bff6710', xms_edov: true } },
  },
  {
    upstream: { id: 'sso', name: 'Acme SSO', preset: 'oidc', scopes: asksForGroups },
    shape: groups,
    people: { 'anna@acme.example': { groups: ['platform'] }, 'olga@okta.example': { groups: ['platform'] } },
  },
];
const marks = ['G', 'O', 'M', 'A'];

const access = {
  default_scopes: ['mcp:read'],
  rules: [
    { groups: ['platform'], scopes: ['mcp:write'] },
    { upstreams: ['okta'], groups: ['contractors'], deny: true, reason },
  ],
};

const emailField = 'input[name=email]';
const findButton = 'button[name=action][value=find]';

/** How often each provider has been asked. */
const counts = stage => stage.servers.map(({ requests }) => requests.length);

/** The provider whose page this is. */
const whose = (stage, tab) => stage.servers.findIndex(({ origin }) => tab.page.url().startsWith(`${origin}/`));

/** Types the address and continues. */
async function find(tab, address) {
  await tab.page.locator(emailField).fill(address);
  await tab.leave(findButton);
}

/** Sends the password at the provider, which already knows whom to expect. */
async function sendPasswordOf(tab, address) {
  assert.equal(await tab.page.locator(form.name).inputValue(), address);
  await tab.page.locator(form.password).fill(address);
  await tab.leave(form.send);
  // Where the broker had the provider ask for consent.
  if (await tab.page.locator(allow).count()) {
    await tab.leave(allow);
  }
}

/** A person at our page, asked by a client of this name. */
async function atOurPage(stage, name, body, more) {
  await withBrowser(async tab => {
    const client = await Client.register(stage.broker, name);
    await tab.goto(await client.authorizationUrl('mcp:read mcp:write', more));
    await body(tab, client);
    tab.assertClean();
    await client.close();
  });
}

const page = [
  {
    name: 'every upstream has a button with its name and its mark, on every screen',
    run: stage =>
      atOurPage(stage, 'Looking around', async tab => {
        for (const { name, viewport, colorScheme } of looks) {
          await tab.page.setViewportSize(viewport);
          await tab.page.emulateMedia({ colorScheme });
          const buttons = await tab.page.locator('button[name=upstream]').all();
          const shown = await Promise.all(
            buttons.map(async button => ({
              id: await button.getAttribute('value'),
              mark: await button.locator('.mark').innerText(),
              colour: await button.locator('.mark').evaluate(mark => getComputedStyle(mark).backgroundColor),
              text: (await button.innerText()).replace(/\s+/g, ' '),
              box: await button.boundingBox(),
            })),
          );
          assert.deepEqual(shown.map(({ id }) => id), places.map(({ upstream }) => upstream.id), name);
          assert.deepEqual(shown.map(({ mark }) => mark), marks, name);
          shown.forEach(({ text }, at) => assert(text.endsWith(`Continue with ${places[at].upstream.name}`), text));
          assert.equal(new Set(shown.map(({ colour }) => colour)).size, shown.length, `${name}: two marks of one colour`);
          for (const [at, { box }] of shown.entries()) {
            assert(box.x >= 0 && box.x + box.width <= viewport.width, `${name}: a button leaves the screen`);
            assert(at === 0 || shown[at - 1].box.y + shown[at - 1].box.height <= box.y, `${name}: buttons overlap`);
          }
        }
        assert.deepEqual(counts(stage), [0, 0, 0, 0], 'a provider heard of somebody who only looked');
      }),
  },
  {
    name: 'an address finds its provider, and arrives there as login_hint',
    async run(stage) {
      for (const [at, { people, upstream }] of places.entries()) {
        if (!upstream.allowed_domains) {
          continue;
        }
        await atOurPage(stage, 'Finder', async (tab, client) => {
          const before = counts(stage);
          const [address] = Object.keys(people);
          await find(tab, address);
          assert.equal(whose(stage, tab), at, `${address} led to ${tab.address}`);
          assert.deepEqual(counts(stage), before.map((count, other) => count + (other === at ? 1 : 0)));
          assert.equal(stage.servers[at].requests.at(-1).login_hint, address);
          await sendPasswordOf(tab, address);
          await client.redeem();
          const wanted = upstream.id === 'okta' ? 'mcp:read mcp:write' : 'mcp:read';
          assert.deepEqual(scopes(client.tokens.scope), scopes(wanted), address);
        });
      }
    },
  },
  {
    name: 'whom the client expects stands in the field, and goes along with any button',
    run: stage =>
      atOurPage(
        stage,
        'Expecting',
        async (tab, client) => {
          assert.equal(await tab.page.locator(emailField).inputValue(), 'anna@acme.example');
          await tab.leave('button[name=upstream][value=sso]');
          assert.equal(stage.servers[3].requests.at(-1).login_hint, 'anna@acme.example');
          await sendPasswordOf(tab, 'anna@acme.example');
          await client.redeem();
        },
        { login_hint: 'anna@acme.example' },
      ),
  },
  {
    name: 'an unknown domain says so, and the page stays',
    run: stage =>
      atOurPage(stage, 'Patient client', async (tab, client) => {
        const before = counts(stage);
        for (const address of ['eve@nowhere.example', 'eve@evil-okta.example', 'eve@sub.okta.example']) {
          await find(tab, address);
          const { page: shown } = await tab.outcome(client.callback.redirectUri);
          assert(shown.url.startsWith(`${stage.broker.issuer}/`), `${address} led to ${shown.url}`);
          assert(shown.text.includes('Patient client'), 'the page no longer says who asks');
          const alert = await tab.page.locator('[role=alert]').innerText();
          assert.match(alert, /does not tell where you sign in/);
          const told = places.flatMap(({ upstream }) => upstream.allowed_domains ?? []).filter(domain => shown.text.includes(domain));
          assert.deepEqual(told, [], 'the page tells which domains there are');
          assert.equal(await tab.page.evaluate(selector => document.activeElement.matches(selector), emailField), true);
        }
        assert.deepEqual([counts(stage), client.callback.received.length], [before, 0]);
        // The same page still works.
        await find(tab, 'olga@okta.example');
        await sendPasswordOf(tab, 'olga@okta.example');
        await client.redeem();
      }),
  },
  {
    name: 'who is denied reads the reason of the rule, and can return',
    run: stage =>
      atOurPage(stage, 'Denied client', async (tab, client) => {
        await find(tab, 'otto@okta.example');
        await sendPasswordOf(tab, 'otto@okta.example');
        const text = await noAccess(tab, client);
        for (const words of [reason, 'otto@okta.example', 'Okta', 'Acme notes', 'it-desk@example.com']) {
          assert(text.includes(words), `${words} is missing: ${text}`);
        }
        await tab.page.setViewportSize({ width: 320, height: 640 });
        const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
        assert(width <= 320, `the page is ${width} px wide on a screen of 320 px`);
        assert(await tab.page.getByText(reason).isVisible());
        await tab.leave('main a:has-text("Return to")');
        assert.equal(await client.refusal(), 'access_denied');
      }),
  },
  {
    name: 'people of a listed domain come through their own provider alone',
    run: stage =>
      withBrowser(async tab => {
        const client = await Client.register(stage.broker, 'Side door');
        await approve(tab, client, { upstream: 'sso' });
        await tab.page.locator(form.name).fill('olga@okta.example');
        await tab.page.locator(form.password).fill('olga@okta.example');
        await tab.leave(form.send);
        assert.match(await noAccess(tab, client), /people of okta\.example sign in with another identity provider/);
        await client.close();
      }),
  },
];

export const several = {
  name: 'several-upstreams',
  needs: [],
  version: () => `four times ${version}`,
  scenarios: [...page, ...sessions],
  async start(binary) {
    const address = await brokerAddress();
    const servers = await Promise.all(
      places.map(async ({ upstream, shape, people }) => {
        const whole = Object.entries(people).map(([email, claims]) => [email, { email, name: email, ...claims }]);
        const server = await OpenIdServer.start(Object.fromEntries(whole), shape);
        server.admit(`${address.issuer}/oauth/callback/${upstream.id}`);
        return server;
      }),
    );
    const upstreams = places.map(({ upstream }, at) => ({ ...upstream, issuer: servers[at].issuer }));
    const broker = await startBroker(binary, { address, upstreams, access });
    return {
      broker,
      servers,
      tails: () => [broker.tail(), ...servers.map(server => server.tail())],
      stop: () => Promise.all([broker, ...servers].map(program => program.stop())),
    };
  },
};

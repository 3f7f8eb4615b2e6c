// Our pages in real Chromium: consent, no access, error; their policy, keyboard, narrow screens, second tries.
import { strict as assert } from 'node:assert';
import { createHash, randomBytes } from 'node:crypto';
import { Tab, closeBrowser, looks, newProfile } from './browser.mjs';
import { Callback, Trace, main, readOptions, step } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const trace = new Trace();
const openTab = (context, name) => Tab.open(context, { screenshotsDir, name: `pages-${name}`, looks });

// As long and as odd as VS Code's (INT-48).
const newState = () => `${randomBytes(48).toString('base64')}/a=b&c+d%20`;

async function readJson(url, init) {
  const response = await trace.fetch(url, init);
  assert(response.ok, `${init?.method ?? 'GET'} ${url} -> ${response.status}`);
  return response.json();
}

const resourceMetadata = () => readJson(new URL(`/.well-known/oauth-protected-resource${mcpUrl.pathname}`, mcpUrl));

async function serverMetadata() {
  const { authorization_servers } = await resourceMetadata();
  return readJson(new URL('/.well-known/oauth-authorization-server', authorization_servers[0]));
}

/** A client of our own: a callback, a registration, and fresh authorization URLs. */
async function newClient(server, host) {
  const callback = await Callback.open(host);
  const { client_id } = await readJson(server.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Browser pages',
      redirect_uris: [callback.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }),
  });
  const authorizeUrl = (state = newState(), id = client_id) => {
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: id,
      redirect_uri: callback.redirectUri,
      code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
      code_challenge_method: 'S256',
      resource: mcpUrl.href,
      scope: 'mcp:read mcp:write',
      state,
    });
    return url.href;
  };
  return { callback, authorizeUrl, redirectUri: callback.redirectUri };
}

/** Gives `body` a tab in a fresh profile. */
async function inTab(name, body) {
  const context = await newProfile();
  try {
    return await body(await openTab(context, name), context);
  } finally {
    await context.close();
  }
}

const continueButton = 'button[name=upstream][value=demo]';
const consentForm = 'form[action$="/oauth/consent"]';
const codes = callback => callback.received.filter(query => query.has('code')).length;

/** The query that the browser brought to the client; it must be the only one since `before`. */
async function returnedTo({ callback, redirectUri }, tab, before) {
  const { page } = await tab.outcome(redirectUri);
  assert(!page, `ended at ${page?.url} with status ${page?.status}: ${page?.heading}`);
  assert.equal(callback.received.length, before + 1, 'answers to the client');
  return callback.received.at(-1);
}

/** What every page owes a person: a language, a title, one heading, and no scrolling sideways at 320 px. */
async function assertReadable(tab) {
  const found = await tab.page.evaluate(() => ({
    language: document.documentElement.lang,
    title: document.title,
    headings: document.querySelectorAll('h1').length,
  }));
  assert(found.language, `no language on ${tab.address}`);
  assert(found.title, `no title on ${tab.address}`);
  assert.equal(found.headings, 1, `headings on ${tab.address}`);
  await tab.page.setViewportSize({ width: 320, height: 640 });
  const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
  await tab.page.setViewportSize(looks[0].viewport);
  assert(width <= 320, `${tab.address} is ${width} px wide on a screen of 320 px`);
}

/** Tabs to the element and presses Enter, as a person without a mouse does. */
async function keyTo(tab, selector) {
  for (let presses = 1; presses <= 40; presses += 1) {
    await tab.page.keyboard.press('Tab');
    const there = await tab.page.evaluate(
      wanted => document.activeElement?.matches(wanted) && document.activeElement.matches(':focus-visible'),
      selector,
    );
    if (there) {
      await tab.leave(selector, () => tab.page.keyboard.press('Enter'));
      return presses;
    }
  }
  throw new Error(`40 presses of Tab never reached ${selector} at ${tab.address}`);
}

/**
 * Clicks twice before the first click is answered: the first request reaches the server, whose answer is returned here;
 * the browser then follows only the second.
 */
async function doubleClick(tab, selector, requests, fetchOptions) {
  const button = tab.page.locator(selector);
  await button.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await button.boundingBox();
  const click = () => tab.page.mouse.click(x + width / 2, y + height / 2);
  let settle;
  const answered = new Promise((resolve, reject) => (settle = { resolve, reject }));
  let first = true;
  await tab.page.route(requests, route => {
    if (route.request().method() !== 'POST' || !first) {
      return route.continue();
    }
    first = false;
    return route.fetch(fetchOptions).then(settle.resolve, settle.reject);
  });
  await Promise.all([tab.page.waitForRequest(request => request.method() === 'POST'), click()]);
  const answer = await answered;
  await tab.leave(selector, click);
  await tab.page.unroute(requests);
  return answer;
}

/** A page that a person can act on: a heading, and a status that is not a fault of ours. */
function assertUnderstandable(page) {
  assert(page.heading, `no heading at ${page.url}: ${page.text.slice(0, 200)}`);
  assert(page.status < 500, `status ${page.status} at ${page.url}`);
}

await main(timeoutMs, trace, async () => {
  const server = await serverMetadata();
  const client = await newClient(server, '127.0.0.1');
  const named = await newClient(server, 'localhost');
  const atBroker = url => url.startsWith(`${server.issuer}/`);

  for (const whom of [client, named]) {
    const host = new URL(whom.redirectUri).hostname;
    await step(
      `consent leads to a live callback at ${host} under its policy (INT-71)`,
      () =>
        inTab(`approve-${host}`, async tab => {
          const state = newState();
          const before = whom.callback.received.length;
          await tab.goto(whom.authorizeUrl(state));
          assert.equal(tab.document.status, 200);
          const policy = tab.document.headers['content-security-policy'];
          assert(policy, 'the consent page has no Content-Security-Policy');
          assert(!/form-action 'self'\s*(;|$)/.test(policy), `the policy stops the redirect: ${policy}`);
          assert.match(tab.document.headers['cache-control'] ?? '', /no-store/);
          await tab.screenshot('consent');
          await assertReadable(tab);
          await tab.approve();
          assert(!atBroker(tab.page.url()), `the button led to ${tab.address}`);
          await tab.screenshot('provider');
          await assertReadable(tab);
          await tab.become('alice');
          const query = await returnedTo(whom, tab, before);
          assert(query.get('code'), 'no code');
          assert.match(query.get('code'), /^[A-Za-z0-9._~-]+$/, 'the code needs encoding (INT-49)');
          assert.equal(query.get('iss'), server.issuer);
          assert.equal(query.get('state'), state);
          tab.assertClean();
        }),
      'consent',
    );
  }

  await step('the consent page names the client, the host of the answer and the scopes', () =>
    inTab('content', async tab => {
      await tab.goto(client.authorizeUrl());
      const { page } = await tab.outcome();
      for (const wanted of ['Browser pages', '127.0.0.1']) {
        assert(page.text.includes(wanted), `the consent page does not say ${wanted}: ${page.text}`);
      }
      assert.match(await tab.page.locator(continueButton).innerText(), /^Continue with /);
      tab.assertClean();
    }),
  );

  await step('a second GET of the consent URL does not invalidate the first (INT-71)', () =>
    inTab('second-get', async (tab, context) => {
      const url = client.authorizeUrl();
      const before = client.callback.received.length;
      await tab.goto(url);
      // The same browser again, and a client that only looks (fastmcp).
      const other = await openTab(context, 'second-get-other');
      await other.goto(url);
      assert.equal((await trace.fetch(url)).status, 200);
      await tab.approve();
      await tab.become('alice');
      assert((await returnedTo(client, tab, before)).get('code'), 'no code');
      tab.assertClean();
      other.assertClean();
    }),
  );

  await step(
    'the keyboard alone approves',
    () =>
      inTab('keyboard', async tab => {
        const before = client.callback.received.length;
        await tab.goto(client.authorizeUrl());
        await keyTo(tab, continueButton);
        await keyTo(tab, 'button[name=person][value=alice]');
        assert((await returnedTo(client, tab, before)).get('code'), 'no code');
        tab.assertClean();
      }),
    'keyboard',
  );

  await step('who is signed in is asked on our page alone, and signs out there', () =>
    inTab('signed-in', async tab => {
      const before = client.callback.received.length;
      await tab.goto(client.authorizeUrl());
      await tab.approve();
      await tab.become('alice');
      assert((await returnedTo(client, tab, before)).get('code'), 'no code');
      await tab.goto(client.authorizeUrl());
      await tab.screenshot('allow');
      const { page } = await tab.outcome(client.redirectUri);
      assert(page.text.includes('You are signed in as alice@'), page.text);
      await tab.allow();
      assert((await returnedTo(client, tab, before + 1)).get('code'), 'no code by the session');
      await tab.goto(`${server.issuer}/oauth/logout`);
      await tab.screenshot('sign-out');
      await tab.leave('main form button');
      assert.equal((await tab.outcome()).page.heading, 'You are signed out');
      await tab.goto(client.authorizeUrl());
      assert.equal(await tab.page.locator('button[value=allow]').count(), 0);
      tab.assertClean();
    }),
  );

  await step(
    'deny answers access_denied with iss and state',
    () =>
      inTab('deny', async tab => {
        const state = newState();
        const before = client.callback.received.length;
        await tab.goto(client.authorizeUrl(state));
        await tab.deny();
        const query = await returnedTo(client, tab, before);
        assert.equal(query.get('error'), 'access_denied');
        assert.equal(query.get('iss'), server.issuer);
        assert.equal(query.get('state'), state);
        assert.equal(query.get('code'), null);
        tab.assertClean();
      }),
    'deny',
  );

  await step(
    'a double click gives at most one code',
    () =>
      inTab('double-click', async tab => {
        const before = codes(client.callback);
        await tab.goto(client.authorizeUrl());
        const consented = await doubleClick(tab, continueButton, '**/oauth/consent', { maxRedirects: 0 });
        assert(consented.status() < 400, `the first click was answered with ${consented.status()}`);
        const second = (await tab.outcome(client.redirectUri)).page;
        assert(second, 'a code without a sign-in');
        assertUnderstandable(second);
        await tab.screenshot('second-consent');
        if (!atBroker(second.url)) {
          await tab.become('alice');
        }
        const got = codes(client.callback) - before;
        assert(got <= 1, `${got} codes`);
        return `the second click shows "${second.heading}" (${second.status}), ${got} code`;
      }),
    'double clicks',
  );

  await step('a double click at the provider gives one code', () =>
    inTab('double-return', async tab => {
      const before = codes(client.callback);
      await tab.goto(client.authorizeUrl());
      await tab.approve();
      // The first click is followed to the client; the second brings the same state again.
      await doubleClick(tab, 'button[name=person][value=alice]', url => !atBroker(url.href));
      const { page } = await tab.outcome(client.redirectUri);
      if (page) {
        assertUnderstandable(page);
        await tab.screenshot('second-return');
      }
      assert.equal(codes(client.callback) - before, 1, 'codes');
      return page
        ? `the second click shows "${page.heading}" (${page.status})`
        : 'the second click gives no other code';
    }),
  );

  await step(
    'going back and approving again shows an understandable page',
    () =>
      inTab('back', async tab => {
        const before = client.callback.received.length;
        await tab.goto(client.authorizeUrl());
        const used = await tab.page
          .locator(consentForm)
          .first()
          .evaluate(form =>
            [...form.querySelectorAll('input[type=hidden]')].map(({ name, value }) => ({ name, value })),
          );
        await tab.approve();
        await tab.become('alice');
        assert((await returnedTo(client, tab, before)).get('code'), 'no code');
        await tab.page.goBack({ waitUntil: 'load' });
        await tab.page.goBack({ waitUntil: 'load' });
        assert(atBroker(tab.page.url()), `two steps back is ${tab.address}`);
        if (await tab.page.locator(continueButton).count()) {
          await tab.approve();
        }
        const { page } = await tab.outcome(client.redirectUri);
        assert(page, 'an answer to the client without another sign-in');
        assertUnderstandable(page);
        await tab.screenshot('after-back');

        // The very form that was used, as a browser that kept the page would send it.
        await tab.goto(client.authorizeUrl());
        await tab.page.locator(consentForm).first().evaluate((form, values) => {
          for (const { name, value } of values) {
            form.elements[name].value = value;
          }
        }, used);
        await tab.leave(`${consentForm} button >> nth=0`);
        const again = (await tab.outcome(client.redirectUri)).page;
        assert(again, 'the used form led to the client');
        assert(atBroker(again.url), `the used form led to ${again.url}`);
        assertUnderstandable(again);
        await tab.screenshot('used-form');
        await assertReadable(tab);
        assert.equal(client.callback.received.length, before + 1);
        return `"${page.heading}", then "${again.heading}" (${again.status})`;
      }),
    'going back',
  );

  await step(
    'eve has no access and reads why and whom to ask',
    () =>
      inTab('no-access', async tab => {
        const before = client.callback.received.length;
        await tab.goto(client.authorizeUrl());
        await tab.approve();
        await tab.become('eve');
        const { returned, page } = await tab.outcome(client.redirectUri);
        assert(!returned, 'eve was sent to the client');
        assert(atBroker(page.url), `eve ended at ${page.url}`);
        assert.match(page.heading, /access/i);
        assert.match(page.text, /\b(ask|contact)\b/i, `whom to ask is not said: ${page.text}`);
        assert(page.status >= 200 && page.status < 500, `status ${page.status}`);
        assert.equal(client.callback.received.length, before);
        await tab.screenshot('no-access');
        await assertReadable(tab);
        tab.assertClean();
        return `"${page.heading}" (${page.status})`;
      }),
    'no access',
  );

  await step('an unknown client is a page of status 400 (INT-45)', () =>
    inTab('unknown-client', async tab => {
      const before = client.callback.received.length;
      await tab.goto(client.authorizeUrl(newState(), 'no-such-client'));
      const { page } = await tab.outcome(client.redirectUri);
      assert(page, 'the browser was sent to an unknown client');
      assert.equal(page.status, 400);
      assertUnderstandable(page);
      await tab.screenshot('unknown-client');
      await assertReadable(tab);
      assert.equal(client.callback.received.length, before);
      tab.assertClean();
      return `"${page.heading}"`;
    }),
  );

  await client.callback.close();
  await named.callback.close();
  await closeBrowser();
});

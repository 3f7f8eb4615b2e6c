// The MCP Inspector's web interface in Chromium: the person clicks, its page goes to the sign-in and comes back.
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Broker, expired } from './broker.mjs';
import { Tab, closeBrowser, newProfile } from './browser.mjs';
import { Program, environment, freePort, inspectorLauncher, node22, temporaryDirectory } from './program.mjs';
import { fingerprint, main, readOptions, scopes, step } from './support.mjs';

const { mcpUrl, control, screenshotsDir, timeoutMs } = readOptions();
const broker = new Broker(control);
const home = temporaryDirectory();
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;

/** Its server, with one entry that asks for the everyday scopes; left alone it asks for every one that is listed. */
function serve() {
  const config = path.join(home, 'servers.json');
  const notes = { type: 'streamable-http', url: mcpUrl.href, oauth: { scopes: 'mcp:read mcp:write' } };
  writeFileSync(config, JSON.stringify({ mcpServers: { notes } }));
  const env = environment(home, {
    CLIENT_PORT: String(port),
    MCP_SANDBOX_PORT: '0',
    MCP_STORAGE_DIR: home,
    MCP_INSPECTOR_SECRET_STORE: 'file',
    MCP_AUTO_OPEN_ENABLED: 'false',
  });
  return new Program(path.join(node22, 'node'), [inspectorLauncher, '--web', '--config', config], env);
}

/** The tokens that its server keeps. */
function tokens() {
  const { secrets } = JSON.parse(readFileSync(path.join(home, 'secrets.json'), 'utf8'));
  const key = Object.keys(secrets).find(name => name.includes(':tokens:'));
  return JSON.parse(secrets[key]);
}

/** One tab of one person, who has signed in nowhere yet. */
class Inspector {
  /** Every authorization request that the page went to. */
  asked = [];

  static async open() {
    const inspector = new Inspector();
    inspector.context = await newProfile();
    inspector.tab = await Tab.open(inspector.context, { screenshotsDir, name: 'inspector-web', elsewhere: origin });
    inspector.page = inspector.tab.page;
    inspector.page.on('request', request => {
      const url = new URL(request.url());
      if (request.isNavigationRequest() && url.pathname === '/oauth/authorize') {
        inspector.asked.push(url.searchParams);
      }
    });
    await inspector.tab.goto(origin);
    return inspector;
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** Waits for our page, to which the Inspector has sent the tab. */
  atConsent() {
    return this.page.waitForURL(url => url.pathname === '/oauth/authorize');
  }

  /** Consent, sign-in, and the way back. */
  async signIn(label) {
    await this.atConsent();
    await this.tab.screenshot(label);
    await this.tab.approve();
    await this.tab.become('alice');
    await this.page.waitForURL(url => url.origin === origin);
  }

  /** Whoever is signed in in this browser only allows. */
  async allow(label) {
    await this.atConsent();
    await this.tab.screenshot(label);
    await this.tab.allow();
    await this.page.waitForURL(url => url.origin === origin);
  }

  async openTool(name) {
    await this.page.getByText('Tools', { exact: true }).first().click();
    await this.button(name).click();
  }

  /** Calls a tool that has no arguments. */
  async execute(name) {
    await this.openTool(name);
    await this.button('Execute Tool').click();
  }

  /** What whoami answers, as the page shows it. */
  async whoami() {
    await this.execute('whoami');
    await this.page.getByText('"alice@example.com"').first().waitFor();
    await this.button('Close results').click();
  }
}

await main(timeoutMs, undefined, async () => {
  const server = serve();
  await server.stdout.heard(/up and running/, server.ended);
  const inspector = await Inspector.open();

  await step(
    'alice: connect, 401, discovery, registration, browser, connected',
    async () => {
      await inspector.page.getByLabel('Connect or disconnect "notes"').click({ force: true });
      await inspector.signIn('consent');
      await inspector.page.getByText('Connected', { exact: true }).first().waitFor();
      const [asked] = inspector.asked;
      assert.match(asked.get('client_id'), /^glc_/);
      assert.equal(asked.get('resource'), mcpUrl.href);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      await inspector.tab.screenshot('connected');
      return `asked for ${asked.get('scope')}`;
    },
    'registration: dynamic',
    'sign-in: yes',
  );

  await step('alice: call whoami', () => inspector.whoami());

  await step(
    'alice: the broker restarts between two calls',
    async () => {
      const before = tokens();
      await broker.restartShort();
      await inspector.whoami();
      assert.equal(tokens().access_token, before.access_token);
      assert.equal(inspector.asked.length, 1, 'the page went to the sign-in');
    },
    'broker restarted: next call',
  );

  await step(
    'alice: step-up in the browser, then reset_notes',
    async () => {
      await inspector.execute('reset_notes');
      const dialog = inspector.page.getByRole('dialog');
      await dialog.getByRole('button', { name: /authorize|continue|proceed/i }).click();
      await inspector.allow('step-up');
      assert.deepEqual(scopes(inspector.asked[1].get('scope')), ['mcp:admin', 'mcp:read', 'mcp:write']);
      await inspector.page.getByText('Connected', { exact: true }).first().waitFor();
      assert.deepEqual(scopes(tokens().scope), ['mcp:admin', 'mcp:read', 'mcp:write']);
      await inspector.tab.screenshot('stepped-up');
      await inspector.execute('reset_notes');
      await inspector.page.getByText('All notes are as they were in the beginning.').first().waitFor();
      await inspector.button('Close results').click();
      return `granted ${tokens().scope}`;
    },
    'step-up: yes',
  );

  await step(
    'alice: an expired access token is refreshed at the restarted broker',
    async () => {
      const before = tokens();
      await expired(before.access_token);
      await inspector.whoami();
      const after = tokens();
      assert.notEqual(after.access_token, before.access_token);
      assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
      assert.equal(inspector.asked.length, 2, 'the page went to the sign-in');
      return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}`;
    },
    'refresh: expired',
    'broker restarted: refresh',
  );

  await step(
    'alice: the grant is revoked, the token ends, and the page goes to the sign-in',
    async () => {
      const { access_token: token } = tokens();
      await broker.revoke(token);
      await expired(token);
      await inspector.execute('whoami');
      await inspector.allow('revoked');
      await inspector.page.getByText('Connected', { exact: true }).first().waitFor();
      await inspector.whoami();
      const [first, , last] = inspector.asked.map(asked => asked.get('client_id'));
      assert.equal(last, first, 'the client registered again');
    },
    'grants revoked: signs in again',
  );

  inspector.tab.assertClean();
  server.child.kill();
  await server.ended;
  await closeBrowser();
});

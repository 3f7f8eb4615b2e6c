// mcp-remote between a stdio client that knows no OAuth and the MCP server.
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Broker, expired } from './broker.mjs';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { Listener, environment, freePort, temporaryDirectory } from './program.mjs';
import { argumentsFor, fingerprint, main, readOptions, scopes, spoilt, step, textOf } from './support.mjs';

const { mcpUrl, control, screenshotsDir, timeoutMs } = readOptions();
const broker = new Broker(control);
const script = fileURLToPath(import.meta.resolve('mcp-remote/dist/proxy.js', import.meta.url));

/** What one person has of mcp-remote: a directory and a port; and the process that runs now. */
class Remote {
  visits = 0;

  static async of(person, ...always) {
    return Object.assign(new Remote(), { person, always, home: temporaryDirectory(), port: await freePort() });
  }

  /** A stdio client whose server is mcp-remote. `connected` waits for whatever sign-in is needed. */
  start() {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [script, mcpUrl.href, String(this.port), ...this.always],
      env: environment(this.home, { MCP_REMOTE_CONFIG_DIR: this.home }),
      stderr: 'pipe',
    });
    this.log = new Listener().listen(transport.stderr);
    this.client = new Client({ name: 'gatelodge-mcp-remote', version: '1.0.0' });
    this.connected = this.client.connect(transport);
    this.connected.catch(() => {});
    return this.connected;
  }

  /** Walks the URL that it prints while `waiting` waits for the sign-in; what was asked for. */
  async signIn(waiting) {
    // A failure must not wait for a URL that never comes.
    const gone = waiting.then(() => new Promise(() => {}));
    const from = this.said ?? 0;
    const [, url] = await this.log.heard(/visiting:\s+(\S+)/, gone, from);
    this.said = this.log.text.length;
    this.visits += 1;
    await signInAndReturn(url, { person: this.person, screenshotsDir, name: `mcp-remote-${this.person}-${this.visits}` });
    return new URL(url).searchParams;
  }

  async call(name, args = {}) {
    return textOf(await this.client.callTool({ name, arguments: args }));
  }

  async whoami() {
    assert.match(await this.call('whoami'), new RegExp(this.person));
  }

  /** What it keeps: the tokens, and where to put them back. */
  stored() {
    const [name] = readdirSync(this.home, { recursive: true }).filter(file => file.endsWith('tokens.json'));
    const file = path.join(this.home, name);
    return {
      tokens: JSON.parse(readFileSync(file, 'utf8')),
      put: tokens => writeFileSync(file, JSON.stringify(tokens)),
    };
  }

  /** A call without a browser that changes both tokens. */
  async refreshed(before) {
    await this.whoami();
    const { tokens: after } = this.stored();
    assert.notEqual(after.access_token, before.access_token);
    assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
    assert(!this.log.text.slice(this.said ?? 0).includes('/oauth/authorize'), `it wanted a browser:\n${this.log.text}`);
    return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}`;
  }

  async end() {
    await this.client.close();
    this.said = 0;
  }
}

await main(timeoutMs, undefined, async () => {
  const alice = await Remote.of('alice');
  let client;

  await step(
    'alice: 401, discovery, registration, browser, connected',
    async () => {
      const asked = await alice.signIn(alice.start());
      client = asked.get('client_id');
      assert.match(client, /^glc_/);
      assert.equal(asked.get('resource'), mcpUrl.href);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      await alice.connected;
      return `asked for ${asked.get('scope')}`;
    },
    'registration: dynamic',
    'sign-in: yes',
  );

  await step('alice: list tools, call whoami, write_note, read_note', async () => {
    const { tools } = await alice.client.listTools();
    const call = (name, text) =>
      alice.call(
        name,
        argumentsFor(
          tools.find(tool => tool.name === name),
          text,
        ),
      );
    await alice.whoami();
    await call('write_note', 'written through mcp-remote');
    assert.match(await call('read_note', 'written through mcp-remote'), /through mcp-remote/);
  });

  await step(
    'alice: step-up in the browser, then reset_notes',
    async () => {
      const call = alice.call('reset_notes');
      const asked = await alice.signIn(call);
      await call;
      assert.deepEqual(scopes(asked.get('scope')), ['mcp:admin', 'mcp:read', 'mcp:write']);
      assert.deepEqual(scopes(alice.stored().tokens.scope), ['mcp:admin', 'mcp:read', 'mcp:write']);
      return `asked for ${asked.get('scope')}`;
    },
    'step-up: yes',
  );

  await step(
    'alice: the broker restarts between two calls',
    async () => {
      const { tokens } = alice.stored();
      await broker.restartShort();
      await alice.whoami();
      assert.equal(alice.stored().tokens.access_token, tokens.access_token);
    },
    'broker restarted: next call',
  );

  await step(
    'alice: a refused access token is refreshed at the next start',
    async () => {
      await alice.end();
      const { tokens, put } = alice.stored();
      put({ ...tokens, access_token: spoilt(tokens.access_token) });
      await alice.start();
      return alice.refreshed(tokens);
    },
    'refresh: refused',
    'broker restarted: refresh',
  );

  await step(
    'alice: an expired access token is refreshed',
    async () => {
      const { tokens } = alice.stored();
      await expired(tokens.access_token);
      return alice.refreshed(tokens);
    },
    'refresh: expired',
  );

  await step(
    'alice: the grant is revoked, the token ends, and mcp-remote signs in again at the next start',
    async () => {
      const { tokens } = alice.stored();
      // At the next start: while it runs, a listening stream that has ended and a call would both find the grant
      // gone, and mcp-remote hands what the second is told to the call.
      await alice.end();
      await broker.revoke(tokens.access_token);
      await expired(tokens.access_token);
      const asked = await alice.signIn(alice.start());
      await alice.connected;
      await alice.whoami();
      assert.equal(asked.get('client_id'), client, 'the client registered again');
    },
    'grants revoked: signs in again',
  );

  await alice.end();

  await step(
    'bob: 401, document, browser, whoami',
    async () => {
      const { document } = await broker.facts();
      const bob = await Remote.of('bob', '--client-metadata-url', document);
      const asked = await bob.signIn(bob.start());
      assert.equal(asked.get('client_id'), document);
      await bob.connected;
      await bob.whoami();
      await bob.end();
    },
    'registration: document',
  );

  await closeBrowser();
});

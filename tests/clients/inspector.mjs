// The MCP Inspector's CLI: one process a call. It signs in by itself, keeps its tokens in a directory of its own, refreshes.
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Broker, expired } from './broker.mjs';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { Program, environment, freePort, inspectorLauncher, node22, temporaryDirectory } from './program.mjs';
import { assertIncludes, fingerprint, main, readOptions, scopes, spoilt, step } from './support.mjs';

const { mcpUrl, control, screenshotsDir, timeoutMs } = readOptions();
const broker = new Broker(control);
// Its usual callback is a fixed port; --callback-url says another.
const port = await freePort();

/** One installation of the CLI, with a home of its own. */
class Installation {
  visits = 0;

  /** Left alone it asks for every scope that is listed; `oauth` is what its configuration says instead. */
  constructor(person, { oauth, always = [] } = {}) {
    this.person = person;
    this.home = temporaryDirectory();
    this.secrets = path.join(this.home, 'secrets.json');
    const config = path.join(this.home, 'servers.json');
    const notes = { type: 'streamable-http', url: mcpUrl.href, oauth };
    writeFileSync(config, JSON.stringify({ mcpServers: { notes } }));
    const callback = `http://127.0.0.1:${port}/oauth/callback`;
    this.always = ['--cli', '--config', config, '--server', 'notes', '--callback-url', callback, ...always];
  }

  /** `--cli` against the server; without a terminal it signs in only when told that a browser can be opened. */
  call(tool, ...args) {
    const env = environment(this.home, {
      MCP_STORAGE_DIR: this.home,
      MCP_INSPECTOR_SECRET_STORE: 'file',
      MCP_AUTO_OPEN_ENABLED: 'true',
    });
    const asked = ['--format', 'json', '--method', 'tools/call', '--tool-name', tool];
    const all = [inspectorLauncher, ...this.always, ...asked, ...args];
    return new Program(path.join(node22, 'node'), all, env);
  }

  /** A call that must get along with what is stored; the tool's answer. */
  async silently(tool) {
    const program = this.call(tool, '--stored-auth-only');
    program.child.stdin.end();
    return structured(await program.output());
  }

  /** A call that prints a URL, which the browser walks; what was asked for, and the tool's answer. */
  async signingIn(tool, answers = '') {
    const program = this.call(tool);
    program.child.stdin.end(answers);
    const [, url] = await program.stderr.heard(/Please navigate to: (\S+)/, program.ended);
    this.visits += 1;
    await signInAndReturn(url, { person: this.person, screenshotsDir, name: `inspector-${this.person}-${this.visits}` });
    return { asked: new URL(url).searchParams, answer: structured(await program.output()) };
  }

  /** What it keeps: the tokens, and where to put them back. */
  stored() {
    const file = JSON.parse(readFileSync(this.secrets, 'utf8'));
    const [key] = Object.keys(file.secrets).filter(name => name.includes(':tokens:'));
    return {
      tokens: JSON.parse(file.secrets[key]),
      put: tokens => {
        file.secrets[key] = JSON.stringify(tokens);
        writeFileSync(this.secrets, JSON.stringify(file));
      },
    };
  }

  /** A call that no browser saves, and that changes both tokens. */
  async refreshed(before) {
    assert.equal((await this.silently('whoami')).email, `${this.person}@example.com`);
    const { tokens: after } = this.stored();
    assert.notEqual(after.access_token, before.access_token);
    assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
    return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}`;
  }
}

/** The tool's answer out of the CLI's JSON. */
function structured(output) {
  const { result } = JSON.parse(output);
  assert(!result.isError, output);
  return result.structuredContent ?? result.content;
}

await main(timeoutMs, undefined, async () => {
  let client;
  const alice = new Installation('alice', { oauth: { scopes: 'mcp:read mcp:write' } });

  await step(
    'alice: 401, discovery, registration, browser, whoami',
    async () => {
      const { asked, answer } = await alice.signingIn('whoami');
      client = asked.get('client_id');
      assert.match(client, /^glc_/);
      assert.equal(asked.get('resource'), mcpUrl.href);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      assert.equal(answer.email, 'alice@example.com');
      assertIncludes(answer.scopes, scopes(asked.get('scope')), 'granted scopes');
      return `asked for ${asked.get('scope')}`;
    },
    'registration: dynamic',
    'sign-in: yes',
  );

  await step(
    'alice: step-up in the browser, then reset_notes',
    async () => {
      const { asked } = await alice.signingIn('reset_notes', 'y\n');
      assert.deepEqual(scopes(asked.get('scope')), ['mcp:admin', 'mcp:read', 'mcp:write']);
      const { scope } = alice.stored().tokens;
      assert.deepEqual(scopes(scope), ['mcp:admin', 'mcp:read', 'mcp:write']);
      return `granted ${scope}`;
    },
    'step-up: yes',
  );

  await step(
    'alice: the broker restarts between two calls',
    async () => {
      const { tokens } = alice.stored();
      await broker.restartShort();
      assert.equal((await alice.silently('whoami')).email, 'alice@example.com');
      assert.equal(alice.stored().tokens.access_token, tokens.access_token);
    },
    'broker restarted: next call',
  );

  await step(
    'alice: a refused access token is refreshed at the restarted broker',
    () => {
      const { tokens, put } = alice.stored();
      put({ ...tokens, access_token: spoilt(tokens.access_token) });
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
    'alice: the grant is revoked, the token ends, and the CLI signs in again',
    async () => {
      const { tokens } = alice.stored();
      await broker.revoke(tokens.access_token);
      await expired(tokens.access_token);
      const { asked, answer } = await alice.signingIn('whoami');
      assert.equal(answer.email, 'alice@example.com');
      assert.equal(asked.get('client_id'), client, 'the client registered again');
    },
    'grants revoked: signs in again',
  );

  await step(
    'bob: 401, document, browser, whoami',
    async () => {
      const { document } = await broker.facts();
      const bob = new Installation('bob', { always: ['--client-metadata-url', document] });
      const { asked, answer } = await bob.signingIn('whoami');
      assert.equal(asked.get('client_id'), document);
      assert.deepEqual(scopes(asked.get('scope')), ['mcp:admin', 'mcp:read', 'mcp:write']);
      assert.deepEqual([...answer.scopes].sort(), ['mcp:read', 'mcp:write']);
    },
    'registration: document',
  );

  await closeBrowser();
});

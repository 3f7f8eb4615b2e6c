// mcp-remote between a stdio client that knows no OAuth and the demo's MCP server.
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { Listener, environment, freePort, temporaryDirectory } from './program.mjs';
import { argumentsFor, fingerprint, main, readOptions, spoilt, step, textOf } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const home = temporaryDirectory();
const callbackPort = await freePort();
const script = fileURLToPath(import.meta.resolve('mcp-remote/dist/proxy.js', import.meta.url));

/** A stdio client whose server is mcp-remote. `connected` waits for whatever sign-in is needed. */
function start() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [script, mcpUrl.href, String(callbackPort)],
    env: environment(home, { MCP_REMOTE_CONFIG_DIR: home }),
    stderr: 'pipe',
  });
  const log = new Listener().listen(transport.stderr);
  const client = new Client({ name: 'gatelodge-mcp-remote', version: '1.0.0' });
  return { client, log, connected: client.connect(transport) };
}

/** What it keeps: the tokens, and where to put them back. */
function stored() {
  const [name] = readdirSync(home, { recursive: true }).filter(file => file.endsWith('tokens.json'));
  const file = path.join(home, name);
  return {
    tokens: JSON.parse(readFileSync(file, 'utf8')),
    put: tokens => writeFileSync(file, JSON.stringify(tokens)),
  };
}

const whoami = async client => textOf(await client.callTool({ name: 'whoami', arguments: {} }));

/** Starts with changed tokens, calls a tool, and answers what was said; no browser may be wanted. */
async function refreshed(change) {
  const { tokens: before, put } = stored();
  put(change(before));
  const { client, log, connected } = start();
  await connected;
  assert.match(await whoami(client), /alice/);
  await client.close();
  const { tokens: after } = stored();
  assert.notEqual(after.access_token, before.access_token);
  assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
  assert(!log.text.includes('/oauth/authorize'), `it wanted a browser:\n${log.text}`);
  return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}`;
}

await main(timeoutMs, undefined, async () => {
  const { client, log, connected } = start();

  await step(
    'alice: 401, discovery, registration, browser, connected',
    async () => {
      // A failure to connect must not wait for a URL that never comes.
      const gone = connected.then(() => new Promise(() => {}));
      const [, url] = await log.heard(/visiting:\s+(\S+)/, gone);
      const asked = new URL(url).searchParams;
      assert.equal(asked.get('resource'), mcpUrl.href);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      await signInAndReturn(url, { person: 'alice', screenshotsDir, name: 'mcp-remote-alice' });
      await connected;
      return `asked for ${asked.get('scope')}`;
    },
    'dynamic registration',
    'sign-in',
  );

  await step(
    'alice: list tools, call whoami, write_note, read_note',
    async () => {
      const { tools } = await client.listTools();
      const call = async (name, text) => {
        const tool = tools.find(candidate => candidate.name === name);
        return textOf(await client.callTool({ name, arguments: argumentsFor(tool, text) }));
      };
      assert.match(await whoami(client), /alice/);
      await call('write_note', 'written through mcp-remote');
      assert.match(await call('read_note', 'written through mcp-remote'), /through mcp-remote/);
      await client.close();
    },
    'tool call',
  );

  await step(
    'alice: an expired access token is refreshed at the next start',
    () => refreshed(tokens => ({ ...tokens, expires_at: 1 })),
    'refresh',
  );

  await step('alice: a refused access token is refreshed', () =>
    refreshed(tokens => ({ ...tokens, access_token: spoilt(tokens.access_token) })),
  );

  await closeBrowser();
});

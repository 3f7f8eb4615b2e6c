// The MCP Inspector's CLI: it signs in by itself, keeps its tokens in a directory of its own, and refreshes.
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { Program, environment, freePort, node22, temporaryDirectory } from './program.mjs';
import { assertIncludes, fingerprint, main, readOptions, scopes, spoilt, step } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const home = temporaryDirectory();
const secrets = path.join(home, 'secrets.json');
// Its usual callback is a fixed port; --callback-url says another.
const callbackUrl = `http://127.0.0.1:${await freePort()}/oauth/callback`;

/** `--cli` against the demo; without a terminal it signs in only when told that a browser can be opened. */
function inspect(...args) {
  const script = path.join(
    node22,
    'node_modules',
    '@modelcontextprotocol',
    'inspector',
    'clients',
    'launcher',
    'build',
    'index.js',
  );
  const fixed = ['--cli', mcpUrl.href, '--transport', 'http', '--callback-url', callbackUrl, '--format', 'json'];
  const env = environment(home, {
    MCP_STORAGE_DIR: home,
    MCP_INSPECTOR_SECRET_STORE: 'file',
    MCP_AUTO_OPEN_ENABLED: 'true',
  });
  return new Program(path.join(node22, 'node'), [script, ...fixed, ...args], env);
}

const callWhoami = ['--method', 'tools/call', '--tool-name', 'whoami'];

/** The tool's answer out of the CLI's JSON. */
function structured(output) {
  const { result } = JSON.parse(output);
  assert(!result.isError, output);
  return result.structuredContent;
}

/** The URL that it prints, walked in the browser. */
async function signInTo(program) {
  const [, url] = await program.stderr.heard(/Please navigate to: (\S+)/, program.ended);
  await signInAndReturn(url, { person: 'alice', screenshotsDir, name: 'inspector-alice' });
  return new URL(url).searchParams;
}

/** What it keeps: the tokens, and where to put them back. */
function stored() {
  const file = JSON.parse(readFileSync(secrets, 'utf8'));
  const [key] = Object.keys(file.secrets).filter(name => name.includes(':tokens:'));
  return {
    tokens: JSON.parse(file.secrets[key]),
    put(tokens) {
      file.secrets[key] = JSON.stringify(tokens);
      writeFileSync(secrets, JSON.stringify(file));
    },
  };
}

await main(timeoutMs, undefined, async () => {
  let first;

  await step(
    'alice: 401, discovery, registration, browser, whoami',
    async () => {
      const program = inspect(...callWhoami);
      const asked = await signInTo(program);
      assert.equal(asked.get('resource'), mcpUrl.href);
      assert.equal(asked.get('code_challenge_method'), 'S256');
      first = structured(await program.output());
      assert.equal(first.email, 'alice@example.com');
      assertIncludes(first.scopes, scopes(asked.get('scope')), 'granted scopes');
      return `asked for ${asked.get('scope')}`;
    },
    'dynamic registration',
    'sign-in',
    'tool call',
  );

  await step(
    'alice: a refused access token is refreshed, without a browser',
    async () => {
      const { tokens: before, put } = stored();
      put({ ...before, access_token: spoilt(before.access_token) });
      const program = inspect(...callWhoami, '--stored-auth-only');
      assert.deepEqual(structured(await program.output()), first);
      const { tokens: after } = stored();
      assert.notEqual(after.access_token, before.access_token);
      assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
      return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}`;
    },
    'refresh',
  );

  await closeBrowser();
});

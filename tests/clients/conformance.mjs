// The MCP conformance suite as a judge of the authorization server: it prints a URL, the browser walks it.
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { Program, environment, freePort, node22, temporaryDirectory } from './program.mjs';
import { main, readOptions, step } from './support.mjs';

const { mcpUrl, screenshotsDir, timeoutMs } = readOptions();
const home = temporaryDirectory();
const port = await freePort();

const json = async (url, init) => (await fetch(url, init)).json();

/** What the suite wants beforehand: the issuer, and a client registered with its callback. */
async function registered() {
  const resource = await json(new URL(`/.well-known/oauth-protected-resource${mcpUrl.pathname}`, mcpUrl));
  const [issuer] = resource.authorization_servers;
  const metadata = await json(`${issuer}/.well-known/oauth-authorization-server`);
  const { client_id: clientId } = await json(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'MCP conformance suite',
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
      token_endpoint_auth_method: 'none',
    }),
  });
  return { issuer, metadata, clientId };
}

/** The checks that the suite wrote down. */
function checks() {
  return readdirSync(home, { recursive: true })
    .filter(file => path.basename(file) === 'checks.json')
    .flatMap(file => JSON.parse(readFileSync(path.join(home, file), 'utf8')));
}

await main(timeoutMs, undefined, async () => {
  const { issuer, metadata, clientId } = await registered();
  const script = path.join(node22, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js');
  const options = { url: issuer, 'client-id': clientId, resource: mcpUrl.href, port, 'output-dir': home };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);

  await step('both scenarios run to their end', async () => {
    const suite = new Program(path.join(node22, 'node'), [script, 'authorization', ...args], environment(home));
    const [url] = await suite.stdout.heard(/http\S+\?response_type=code\S+/, suite.ended);
    await signInAndReturn(url, { person: 'alice', screenshotsDir, name: 'conformance' });
    await suite.output();
  });

  for (const id of ['authorization-server-metadata', 'authorization-code-grant']) {
    await step(
      `the suite passes ${id}`,
      () => {
        const found = checks().filter(check => check.id === id);
        assert.deepEqual(
          found.map(({ status, errorMessage }) => [status, errorMessage]),
          [['SUCCESS', undefined]],
        );
      },
      `\`${id}\``,
    );
  }

  // It warns of a server that does not announce client ID metadata documents.
  const announced = 'client_id_metadata_document_supported' in metadata;
  await step(
    'the suite warns of nothing else',
    () => {
      const rest = checks().filter(({ status }) => status !== 'SUCCESS');
      const allowed = announced ? [] : ['WARNING authorization-server-metadata-cimd'];
      const seen = rest.map(({ status, id }) => `${status} ${id}`);
      assert.deepEqual(seen, allowed);
      return seen.join(', ');
    },
    ...(announced ? ['no warning'] : ['one warning: no client ID metadata documents']),
  );

  await closeBrowser();
});

// The TypeScript SDK v1 through the whole flow: 401, discovery, registration, browser, tools, refresh, step-up.
import { strict as assert } from 'node:assert';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Broker } from './broker.mjs';
import { closeBrowser, signInAndReturn } from './browser.mjs';
import { endings } from './endings.mjs';
import {
  Callback,
  MemoryProvider,
  Trace,
  argumentsFor,
  assertIncludes,
  challengeParam,
  fingerprint,
  main,
  readOptions,
  scopes,
  step,
  textOf,
} from './support.mjs';

const { mcpUrl, control, screenshotsDir, toolsAlike, timeoutMs } = readOptions();
const broker = new Broker(control);
const trace = new Trace();

/** One person at one client: their provider, callback and connection. */
class Session {
  /** `document` is the identifier of a client that has one; without it the SDK registers. */
  static async open(person, document) {
    const session = new Session();
    session.person = person;
    session.callback = await Callback.open('127.0.0.1');
    session.provider = new MemoryProvider(session.callback.redirectUri, `TypeScript SDK v1 (${person})`);
    session.provider.clientMetadataUrl = document;
    return session;
  }

  newTransport() {
    this.transport = new StreamableHTTPClientTransport(mcpUrl, { authProvider: this.provider, fetch: trace.fetch });
    return this.transport;
  }

  async connect() {
    this.client = new Client({ name: 'gatelodge-ts-sdk-v1', version: '1.0.0' });
    await this.client.connect(this.newTransport());
  }

  /** The browser walks the URL that the SDK wanted opened; the SDK redeems what came back. */
  async authorize(name) {
    const url = this.provider.redirects.at(-1);
    const returned = await signInAndReturn(url, { person: this.person, screenshotsDir, name: `ts-v1-${name}` });
    const query = await this.callback.next();
    assert.equal(returned.searchParams.get('state'), query.get('state'));
    assert.equal(query.get('error'), null, 'the answer is an error');
    assert.equal(query.get('state'), this.provider.expectedState, 'state came back changed');
    assert(query.get('iss'), 'no iss in the answer');
    await this.transport.finishAuth(query.get('code'));
    return query;
  }

  call(name, args = {}) {
    return this.client.callTool({ name, arguments: args });
  }

  async close() {
    await this.client?.close();
    await this.callback.close();
  }
}

/** Connects without a token and checks what the SDK found on its way to the browser. */
async function firstContact(session) {
  const mark = trace.mark();
  await assert.rejects(session.connect(), UnauthorizedError);
  const [first, ...rest] = trace.since(mark);
  assert.equal(first.status, 401);
  assert.match(first.challenge, /^Bearer /);
  const metadataUrl = challengeParam(first.challenge, 'resource_metadata');
  assert(metadataUrl, 'no resource_metadata in the challenge');
  assert(
    rest.some(({ url, status }) => url === metadataUrl && status === 200),
    'the protected resource metadata was not read where the challenge says',
  );
  assert(
    rest.some(({ url, status }) => url.includes('/.well-known/oauth-authorization-server') && status === 200),
    'no authorization server metadata',
  );
  const registered = rest.filter(({ url }) => url.endsWith('/oauth/register'));
  assert.deepEqual(
    registered.map(({ status }) => status),
    session.provider.clientMetadataUrl ? [] : [201],
  );
  assert.equal(session.provider.redirects.length, 1, 'the SDK opened no browser');
  const authorize = session.provider.redirects[0].searchParams;
  assert.equal(authorize.get('code_challenge_method'), 'S256');
  assert.equal(authorize.get('resource'), mcpUrl.href);
  assert.deepEqual(scopes(authorize.get('scope')), scopes(challengeParam(first.challenge, 'scope')));
  return authorize;
}

await main(timeoutMs, trace, async () => {
  const alice = await Session.open('alice');
  const { document } = await broker.facts();
  const bob = await Session.open('bob', document);
  let tools;

  await step(
    'alice: 401, discovery, registration',
    async () => {
      const authorize = await firstContact(alice);
      return `scope ${authorize.get('scope')}`;
    },
    'registration: dynamic',
  );

  await step(
    'alice: browser, code, tokens',
    async () => {
      const query = await alice.authorize('alice');
      const tokens = alice.provider.tokens();
      assert.equal(query.get('iss'), tokens.issuer, 'iss is not the advertised issuer');
      assert.equal(tokens.token_type, 'Bearer');
      assert(Number.isInteger(tokens.expires_in) && tokens.expires_in > 300, `expires_in is ${tokens.expires_in}`);
      assert(tokens.refresh_token, 'no refresh token');
      assertIncludes(scopes(tokens.scope), ['mcp:read', 'mcp:write'], 'granted scopes');
      return `granted ${tokens.scope}, ${tokens.expires_in} s`;
    },
    'sign-in: yes',
  );

  await step('alice: connect', async () => {
    await alice.connect();
    return `${alice.client.getServerVersion().name}, protocol ${alice.transport.protocolVersion}`;
  });

  await step('alice: list tools', async () => {
    ({ tools } = await alice.client.listTools());
    const names = tools.map(tool => tool.name);
    assertIncludes(names, ['whoami', 'read_note', 'write_note'], 'tools');
    return names.join(' ');
  });

  const tool = name => tools.find(candidate => candidate.name === name);
  const note = 'written by the TypeScript SDK v1';

  await step(
    'alice: call whoami, write_note, read_note',
    async () => {
      assert.match(textOf(await alice.call('whoami')), /alice/);
      textOf(await alice.call('write_note', argumentsFor(tool('write_note'), note)));
      assert.match(textOf(await alice.call('read_note', argumentsFor(tool('read_note'), note))), /TypeScript SDK v1/);
    },
  );

  if (!toolsAlike) {
    // With a refresh token at hand v1 refreshes on a 403, which cannot widen anything. It must stop there.
    await step('alice: reset_notes alone ends in one refresh and a 403', async () => {
      const mark = trace.mark();
      await assert.rejects(
        alice.call('reset_notes'),
        error => error instanceof StreamableHTTPError && error.code === 403,
      );
      const [refusal] = trace.since(mark, exchange => exchange.status === 403);
      assert.equal(challengeParam(refusal.challenge, 'error'), 'insufficient_scope');
      const wanted = scopes(challengeParam(refusal.challenge, 'scope'));
      assertIncludes(wanted, ['mcp:admin', 'mcp:read', 'mcp:write'], 'scopes of the challenge');
      assert.equal(trace.since(mark, exchange => exchange.grant === 'refresh_token').length, 1);
      assert.equal(alice.provider.redirects.length, 1, 'the SDK opened a browser');
      return `wanted ${wanted.join(' ')}`;
    });

    await step(
      'alice: step-up in the browser, then reset_notes',
      async () => {
        // A call that succeeds makes the transport forget the challenge that it gave up on.
        textOf(await alice.call('whoami'));
        alice.provider.dropRefreshToken();
        await assert.rejects(alice.call('reset_notes'), UnauthorizedError);
        assert.equal(alice.provider.redirects.length, 2);
        assertIncludes(scopes(alice.provider.redirects[1].searchParams.get('scope')), ['mcp:admin'], 'scopes asked for');
        await alice.authorize('alice-step-up');
        const granted = scopes(alice.provider.tokens().scope);
        assertIncludes(granted, ['mcp:admin', 'mcp:read', 'mcp:write'], 'granted scopes');
        textOf(await alice.call('reset_notes'));
        assert.equal(alice.provider.registrations, 1, 'the client registered again');
        return `granted ${granted.join(' ')}`;
      },
      'step-up: without a refresh token',
    );
  }

  await endings({ session: alice, broker, trace, Unauthorized: UnauthorizedError });

  await step(
    'bob: 401, document, browser, whoami',
    async () => {
      const asked = await firstContact(bob);
      assert.equal(asked.get('client_id'), document);
      await bob.authorize('bob');
      await bob.connect();
      assert.match(textOf(await bob.call('whoami')), /bob/);
      return `granted ${bob.provider.tokens().scope}`;
    },
    'registration: document',
  );

  if (!toolsAlike) {
    await step('bob: step-up ends without mcp:admin', async () => {
      bob.provider.dropRefreshToken();
      await assert.rejects(bob.call('reset_notes'), UnauthorizedError);
      assertIncludes(scopes(bob.provider.redirects[1].searchParams.get('scope')), ['mcp:admin'], 'scopes asked for');
      await bob.authorize('bob-step-up');
      const granted = scopes(bob.provider.tokens().scope);
      assert(!granted.includes('mcp:admin'), `bob was granted ${granted.join(' ')}`);
      await assert.rejects(bob.call('reset_notes'), error => error instanceof StreamableHTTPError && error.code === 403);
      assert.equal(bob.provider.redirects.length, 2, 'the SDK opened a third browser');
      textOf(await bob.call('write_note', argumentsFor(tool('write_note'), note)));
      return `granted ${granted.join(' ')}`;
    });
  }

  await alice.close();
  await bob.close();
  await closeBrowser();
});

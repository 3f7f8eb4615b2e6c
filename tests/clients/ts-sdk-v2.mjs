// The TypeScript SDK v2 through the whole flow, with its own step-up and its checks of issuer and iss.
import { strict as assert } from 'node:assert';
import {
  Client,
  InsufficientScopeError,
  OAuthError,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { Broker } from './broker.mjs';
import { closeBrowser, signIn, signInAndReturn } from './browser.mjs';
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

/** v2 binds the answer to the authorization server that it found before the redirect. */
class DiscoveringProvider extends MemoryProvider {
  #discovered;

  saveDiscoveryState(state) {
    this.#discovered = state;
  }

  discoveryState() {
    return this.#discovered;
  }
}

/** One person at one client: their provider, callback and connection. */
class Session {
  /** `document` is the identifier of a client that has one; without it the SDK registers. */
  static async open(person, document) {
    const session = new Session();
    session.person = person;
    session.callback = await Callback.open('localhost');
    session.provider = new DiscoveringProvider(session.callback.redirectUri, `TypeScript SDK v2 (${person})`);
    session.provider.clientMetadataUrl = document;
    return session;
  }

  async connect({ mode = 'auto', onInsufficientScope } = {}) {
    this.transport = new StreamableHTTPClientTransport(mcpUrl, {
      authProvider: this.provider,
      fetch: trace.fetch,
      onInsufficientScope,
    });
    this.client = new Client({ name: 'gatelodge-ts-sdk-v2', version: '1.0.0' }, { versionNegotiation: { mode } });
    await this.client.connect(this.transport);
  }

  /** The browser walks the URL that the SDK wanted opened; the SDK checks and redeems what came back. */
  async authorize(name) {
    const url = this.provider.redirects.at(-1);
    await signInAndReturn(url, { person: this.person, screenshotsDir, name: `ts-v2-${name}` });
    const query = await this.callback.next();
    assert.equal(query.get('state'), this.provider.expectedState, 'state came back changed');
    await this.transport.finishAuth(query);
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
  const metadataUrl = challengeParam(first.challenge, 'resource_metadata');
  assert(
    rest.some(({ url, status }) => url === metadataUrl && status === 200),
    'the protected resource metadata was not read where the challenge says',
  );
  const { authorizationServerUrl, authorizationServerMetadata, resourceMetadata } = session.provider.discoveryState();
  assert.equal(authorizationServerMetadata.issuer, authorizationServerUrl);
  assert.equal(authorizationServerMetadata.authorization_response_iss_parameter_supported, true);
  assert.equal(resourceMetadata.resource, mcpUrl.href);
  const registered = rest.filter(({ url }) => url.endsWith('/oauth/register'));
  assert.deepEqual(
    registered.map(({ status }) => status),
    session.provider.clientMetadataUrl ? [] : [201],
  );
  assert.equal(session.provider.redirects.length, 1, 'the SDK opened no browser');
  const authorize = session.provider.redirects[0].searchParams;
  assert.equal(authorize.get('code_challenge_method'), 'S256');
  assert.equal(authorize.get('resource'), mcpUrl.href);
  assertIncludes(scopes(authorize.get('scope')), scopes(challengeParam(first.challenge, 'scope')), 'scopes asked for');
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
    'alice: deny reaches the SDK as access_denied',
    async () => {
      const url = alice.provider.redirects[0];
      const { returned } = await signIn(url, { approve: false, screenshotsDir, name: 'ts-v2-deny' });
      assert(returned, 'deny did not lead back to the client');
      const query = await alice.callback.next();
      assert.equal(query.get('state'), alice.provider.expectedState);
      const refused = await alice.transport.finishAuth(query).catch(error => error);
      assert(refused instanceof OAuthError, `finishAuth ended with ${refused}`);
      assert.equal(refused.code, 'access_denied');
    },
  );

  await step(
    'alice: browser, code, iss, tokens',
    async () => {
      await assert.rejects(alice.connect(), UnauthorizedError);
      const query = await alice.authorize('alice');
      const tokens = alice.provider.tokens();
      assert.equal(query.get('iss'), tokens.issuer);
      assert.equal(tokens.token_type, 'Bearer');
      assert(Number.isInteger(tokens.expires_in) && tokens.expires_in > 300, `expires_in is ${tokens.expires_in}`);
      assert(tokens.refresh_token, 'no refresh token');
      assertIncludes(scopes(tokens.scope), ['mcp:read', 'mcp:write'], 'granted scopes');
      assert.equal(alice.provider.registrations, 1, 'the client registered again');
      return `granted ${tokens.scope}, ${tokens.expires_in} s`;
    },
    'sign-in: yes',
    'sign-in: deny',
  );

  await step('alice: connect as a 2025 client', async () => {
    await alice.connect({ mode: 'legacy' });
    assert.match(textOf(await alice.call('whoami')), /alice/);
    const version = alice.client.getNegotiatedProtocolVersion();
    await alice.client.close();
    return `protocol ${version}`;
  });

  await step('alice: connect', async () => {
    await alice.connect();
    assert.equal(alice.client.getNegotiatedProtocolVersion(), '2026-07-28');
    return `${alice.client.getServerVersion()?.name}, protocol 2026-07-28`;
  });

  await step('alice: list tools', async () => {
    ({ tools } = await alice.client.listTools());
    const names = tools.map(tool => tool.name);
    assertIncludes(names, ['whoami', 'read_note', 'write_note'], 'tools');
    return names.join(' ');
  });

  const tool = name => tools.find(candidate => candidate.name === name);
  const note = 'written by the TypeScript SDK v2';

  await step(
    'alice: call whoami, write_note, read_note',
    async () => {
      assert.match(textOf(await alice.call('whoami')), /alice/);
      textOf(await alice.call('write_note', argumentsFor(tool('write_note'), note)));
      assert.match(textOf(await alice.call('read_note', argumentsFor(tool('read_note'), note))), /TypeScript SDK v2/);
    },
  );

  if (!toolsAlike) {
    await step('alice: reset_notes asks for a step-up', async () => {
      const browsers = alice.provider.redirects.length;
      const mark = trace.mark();
      await assert.rejects(alice.call('reset_notes'), UnauthorizedError);
      const [refusal] = trace.since(mark, exchange => exchange.status === 403);
      assert.equal(challengeParam(refusal.challenge, 'error'), 'insufficient_scope');
      assertIncludes(
        scopes(challengeParam(refusal.challenge, 'scope')),
        ['mcp:admin', 'mcp:read', 'mcp:write'],
        'scopes of the challenge',
      );
      assert.equal(trace.since(mark, exchange => exchange.grant).length, 0, 'the SDK tried a refresh');
      assert.equal(alice.provider.redirects.length, browsers + 1);
      const asked = alice.provider.redirects.at(-1).searchParams.get('scope');
      assertIncludes(scopes(asked), ['mcp:admin', 'mcp:read', 'mcp:write'], 'scopes asked for');
      return `scope ${asked}`;
    });

    await step(
      'alice: step-up in the browser, then reset_notes',
      async () => {
        await alice.authorize('alice-step-up');
        const granted = alice.provider.tokens().scope;
        assertIncludes(scopes(granted), ['mcp:admin', 'mcp:read', 'mcp:write'], 'granted scopes');
        textOf(await alice.call('reset_notes'));
        assert.equal(alice.provider.registrations, 1, 'the client registered again');
        return `granted ${granted}`;
      },
      'step-up: yes',
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
      await assert.rejects(bob.call('reset_notes'), UnauthorizedError);
      assert.equal(bob.provider.redirects.length, 2);
      await bob.authorize('bob-step-up');
      const granted = scopes(bob.provider.tokens().scope);
      assert(!granted.includes('mcp:admin'), `bob was granted ${granted.join(' ')}`);
      await bob.client.close();
      await bob.connect({ onInsufficientScope: 'throw' });
      await assert.rejects(
        bob.call('reset_notes'),
        error => error instanceof InsufficientScopeError && scopes(error.requiredScope).includes('mcp:admin'),
      );
      assert.equal(bob.provider.redirects.length, 2, 'the SDK opened a third browser');
      textOf(await bob.call('write_note', argumentsFor(tool('write_note'), note)));
      return `granted ${granted.join(' ')}`;
    });
  }

  await alice.close();
  await bob.close();
  await closeBrowser();
});

// What every script here shares: arguments, numbered-by-name steps, the loopback callback, the record of exchanges.
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

/**
 * `--mcp-url`, `--control`, `--screenshots` and `--timeout`, or the variables of the same meaning. `--tools-alike` says
 * that no tool of the server needs more than another.
 */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      'mcp-url': { type: 'string', default: process.env.MCP_URL },
      control: { type: 'string', default: process.env.CONTROL },
      screenshots: { type: 'string', default: process.env.SCREENSHOTS },
      timeout: { type: 'string', default: process.env.TIMEOUT ?? '150' },
      'tools-alike': { type: 'boolean', default: false },
    },
  });
  if (!values['mcp-url']) {
    console.error('usage: --mcp-url URL [--control URL] [--screenshots DIR] [--timeout SECONDS] [--tools-alike]');
    process.exit(2);
  }
  return {
    mcpUrl: new URL(values['mcp-url']),
    control: values.control,
    screenshotsDir: values.screenshots,
    toolsAlike: values['tools-alike'],
    timeoutMs: Number(values.timeout) * 1000,
  };
}

/** Runs `body`; a failure or the overall timeout ends the process with 1 and shows what was exchanged. */
export async function main(timeoutMs, trace, body) {
  const timer = setTimeout(() => fail(`nothing finished within ${timeoutMs / 1000} s`, trace), timeoutMs);
  try {
    await body();
  } catch (error) {
    fail(error, trace);
  } finally {
    clearTimeout(timer);
  }
}

let current = 'start';

function fail(error, trace) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : error;
  console.log(`not ok: ${current}: ${text}`);
  if (error instanceof Error && error.stack) {
    console.error(error.stack);
  }
  for (const line of trace?.lines() ?? []) {
    console.error(`  ${line}`);
  }
  process.exit(1);
}

/** One thing that must hold. What `body` returns is shown beside its name; each `did` goes into a table of docs/clients.md, a client's as `column: text`. */
export async function step(name, body, ...did) {
  current = name;
  const detail = await body();
  console.log(`ok: ${name}${typeof detail === 'string' ? ` (${detail})` : ''}`);
  for (const what of did) {
    console.log(`did: ${what}`);
  }
}

/** Names a secret without showing it. */
export function fingerprint(secret) {
  return createHash('sha256').update(secret).digest('hex').slice(0, 8);
}

/** A space-separated scope string as a sorted list. */
export function scopes(text) {
  return (text ?? '').split(' ').filter(Boolean).sort();
}

export function assertIncludes(actual, wanted, what) {
  for (const item of wanted) {
    assert(actual.includes(item), `${what}: ${item} is missing from [${actual.join(' ')}]`);
  }
}

/** A parameter of a `WWW-Authenticate` header. */
export function challengeParam(header, name) {
  return new RegExp(`(?:^|[ ,])${name}="([^"]*)"`).exec(header ?? '')?.[1];
}

/** Records every request that an SDK makes. Tokens and codes are not kept, refused answers are. */
export class Trace {
  exchanges = [];

  fetch = async (input, init) => {
    const response = await fetch(input, init);
    const exchange = {
      method: init?.method ?? 'GET',
      url: String(input?.url ?? input),
      status: response.status,
      challenge: response.headers.get('www-authenticate') ?? undefined,
      grant: init?.body instanceof URLSearchParams ? (init.body.get('grant_type') ?? undefined) : undefined,
      body: response.ok ? undefined : await response.clone().text(),
    };
    this.exchanges.push(exchange);
    return response;
  };

  mark() {
    return this.exchanges.length;
  }

  /** The exchanges since `mark` that `wanted` picks. */
  since(mark, wanted = () => true) {
    return this.exchanges.slice(mark).filter(wanted);
  }

  lines() {
    return this.exchanges.map(({ method, url, status, challenge, grant, body }) =>
      [
        method,
        url,
        grant && `[${grant}]`,
        '->',
        status,
        challenge && `WWW-Authenticate: ${challenge}`,
        body?.slice(0, 400),
      ]
        .filter(Boolean)
        .join(' '),
    );
  }
}

/** The client's own listener on a port that the kernel chooses, where the browser ends. */
export class Callback {
  /** The query of every request that arrived. */
  received = [];
  #waiting = [];
  #taken = 0;

  static async open(host = '127.0.0.1') {
    const callback = new Callback();
    callback.server = createServer((request, response) => callback.#answer(request, response));
    await new Promise((resolve, reject) => {
      callback.server.once('error', reject);
      callback.server.listen(0, '127.0.0.1', resolve);
    });
    callback.redirectUri = `http://${host}:${callback.server.address().port}/callback`;
    return callback;
  }

  #answer(request, response) {
    const url = new URL(request.url, this.redirectUri);
    if (url.pathname !== '/callback') {
      response.writeHead(404, { connection: 'close' }).end();
      return;
    }
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8', connection: 'close' })
      .end(
        '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">' +
          '<title>Back at the client</title><h1>Back at the client</h1>',
      );
    this.received.push(url.searchParams);
    this.#waiting.shift()?.();
  }

  /** The query of the next request that nobody has taken yet. */
  async next() {
    if (this.#taken === this.received.length) {
      await new Promise(resolve => this.#waiting.push(resolve));
    }
    return this.received[this.#taken++];
  }

  close() {
    this.server.closeAllConnections();
    return new Promise(resolve => this.server.close(resolve));
  }
}

/** An access token whose signature is broken, so that the server refuses it and the client must refresh. */
export function spoilt(token) {
  const [header, claims, signature] = token.split('.');
  return [header, claims, (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)].join('.');
}

/** An OAuth client provider that keeps everything in memory; the interface is the same in both SDKs. */
export class MemoryProvider {
  /** Every authorization URL that the SDK wanted to open. */
  redirects = [];
  registrations = 0;
  #client;
  #tokens;
  #verifier;

  constructor(redirectUri, clientName) {
    this.redirectUri = redirectUri;
    this.clientName = clientName;
  }

  get redirectUrl() {
    return this.redirectUri;
  }

  get clientMetadata() {
    return {
      client_name: this.clientName,
      redirect_uris: [this.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    // As long and as odd as VS Code's (INT-48).
    this.expectedState = `${Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64')}/a=b`;
    return this.expectedState;
  }

  clientInformation() {
    return this.#client;
  }

  saveClientInformation(information) {
    this.registrations += 1;
    this.#client = information;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
  }

  redirectToAuthorization(url) {
    this.redirects.push(url);
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') {
      this.#client = undefined;
    }
    if (what === 'all' || what === 'tokens') {
      this.#tokens = undefined;
    }
  }

  spoilAccessToken() {
    this.#tokens = { ...this.#tokens, access_token: spoilt(this.#tokens.access_token) };
  }

  /** Forgets the refresh token and keeps the access token. */
  dropRefreshToken() {
    const { refresh_token: _, ...rest } = this.#tokens;
    this.#tokens = rest;
  }
}

/** Arguments for a tool from its own schema: the text for every required string. */
export function argumentsFor(tool, text) {
  const { properties = {}, required = Object.keys(properties) } = tool.inputSchema ?? {};
  return Object.fromEntries(
    required.filter(name => [properties[name]?.type].flat().includes('string')).map(name => [name, text]),
  );
}

/** The text of a tool's answer; an answer that is an error is a failure. */
export function textOf(result) {
  const text = (result.content ?? []).map(part => part.text ?? '').join('\n');
  assert(!result.isError, `the tool answered with an error: ${text}`);
  return text;
}

// node-oidc-provider on loopback, with its own pages for the password and for consent, and in
// whatever shape a product gives it: its claims, its issuer, its oddities.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import Provider, { interactionPolicy } from 'oidc-provider';
import { clientId, clientSecret } from './broker.mjs';

export const version = `oidc-provider ${createRequire(import.meta.url)('oidc-provider/package.json').version}`;

/** What its password page is made of. */
export const form = { name: 'input[name=login]', password: 'input[name=password]', send: 'button', refusal: /not your password/ };

/** What its page for consent is answered with. */
export const allow = 'button[name=answer][value=allow]';

const generators = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
};

async function newKey(alg, kid) {
  const pair = await crypto.subtle.generateKey(generators[alg], true, ['sign', 'verify']);
  const { key_ops: _, ext: __, ...jwk } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  return { ...jwk, kid, use: 'sig', alg };
}

/** What the provider keeps, also when it is made anew with another key or another redirect URI. */
function newAdapter() {
  const kept = new Map();
  return class {
    constructor(model) {
      this.model = model;
    }
    find = id => kept.get(`${this.model}:${id}`);
    findByUid = uid => [...kept.values()].find(payload => payload.kind === this.model && payload.uid === uid);
    upsert = (id, payload) => void kept.set(`${this.model}:${id}`, payload);
    consume = id => void (this.find(id).consumed = Math.floor(Date.now() / 1000));
    destroy = id => void kept.delete(`${this.model}:${id}`);
    revokeByGrantId = grant =>
      kept.forEach(({ grantId }, key) => key.startsWith(`${this.model}:`) && grantId === grant && kept.delete(key));
  };
}

/** What a shape may say; here, what a plain provider is like. */
const plain = {
  /** The issuer's path. */
  path: '',
  alg: 'RS256',
  /** Scope → the claims that it brings. */
  claims: { email: ['email', 'email_verified'], profile: ['name'] },
  /** Does the ID token leave these to userinfo? */
  thin: false,
  /** Claims that it leaves to userinfo in any case. */
  idTokenLacks: [],
  /** `pairwise`: another `sub` for each application. */
  subject: 'public',
  /** RFC 9207: `iss` in the authorization response. Most products do not send it. */
  namesItself: true,
  /** Parameters beside the standard ones. */
  parameters: [],
  /** What it makes of its metadata and of each of its keys, by its own origin. */
  metadata: body => body,
  key: key => key,
  /** The issuer of a person's ID token, where that is not the server's. */
  tokenIssuer: undefined,
  /** Answers requests that are not OpenID's, by path. */
  api: {},
};

export class OpenIdServer {
  /** The parameters of each authorization request. */
  requests = [];
  /** What the person is asked beside the password. */
  asksForConsent = false;
  #keys = [];
  #adapter = newAdapter();
  #faults = [];

  /** `people` are claims by login, which is the password and, without a `sub`, the subject, too. */
  static async start(people, shape = {}) {
    const server = new OpenIdServer();
    server.people = people;
    server.shape = { ...plain, ...shape };
    server.server = createServer((request, response) => server.#answer(request, response)).listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    server.origin = `http://127.0.0.1:${server.server.address().port}`;
    server.issuer = server.origin + server.shape.path;
    server.redirectUris = ['http://127.0.0.1/not-yet'];
    await server.rotateKeys();
    return server;
  }

  /** Registers our client with these redirect URIs, and no others any more. */
  admit(...redirectUris) {
    this.redirectUris = redirectUris;
    this.#renew();
  }

  /** A new key signs; the old ones are still published. */
  async rotateKeys() {
    this.#keys.unshift(await newKey(this.shape.alg, `key-${this.#keys.length + 1}`));
    this.#renew();
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }

  /** What went wrong in it. */
  tail() {
    return this.#faults.join('\n');
  }

  #renew() {
    const { shape } = this;
    const policy = interactionPolicy.base();
    policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);
    const scopes = Object.keys(shape.claims);
    this.provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: this.redirectUris,
          post_logout_redirect_uris: this.redirectUris.map(uri => new URL('/oauth/logout/done', uri).href),
          grant_types: ['authorization_code'],
          response_types: ['code'],
          id_token_signed_response_alg: shape.alg,
          subject_type: shape.subject,
        },
      ],
      jwks: { keys: this.#keys },
      adapter: this.#adapter,
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
      // Cookies do not know ports: two servers of one browser would take each other's.
      cookies: { keys: ['a key for the cookies of a test'], names: { session: `session-${this.server.address().port}` } },
      scopes: ['openid', ...scopes],
      claims: shape.claims,
      conformIdTokenClaims: shape.thin,
      subjectTypes: ['public', 'pairwise'],
      pairwiseIdentifier: (_, accountId, client) => `pairwise-${client.clientId}-${accountId}`,
      extraParams: shape.parameters,
      findAccount: (_, login) => ({
        accountId: this.#subject(login),
        claims: use => this.#claims(login, use),
      }),
      loadExistingGrant: context => (this.asksForConsent ? undefined : this.#grantWithoutAsking(context)),
      features: { devInteractions: { enabled: false }, rpInitiatedLogout: { logoutSource } },
      interactions: { policy, url: (_, { uid }) => `/interaction/${uid}` },
    });
    for (const event of ['server_error', 'authorization.error', 'end_session.error', 'grant.error']) {
      this.provider.on(event, (context, error) => this.#faults.push(`${event} at ${context.path}: ${error.stack}`));
    }
    this.provider.on('authorization.success', (_, answer) => shape.namesItself || delete answer.iss);
    this.provider.use((context, next) => this.#disguise(context, next));
  }

  /** A login, or the subject that it has. */
  #person(login) {
    return this.people[login] ?? Object.values(this.people).find(({ sub }) => sub === login);
  }

  #subject(login) {
    return this.#person(login)?.sub ?? login;
  }

  #claims(login, use) {
    const claims = { sub: this.#subject(login), email_verified: true, ...this.#person(login) };
    const lacks = name => claims[name] === undefined || (use === 'id_token' && this.shape.idTokenLacks.includes(name));
    return Object.fromEntries(Object.entries(claims).filter(([name]) => !lacks(name)));
  }

  async #grantWithoutAsking({ oidc }) {
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope(['openid', ...Object.keys(this.shape.claims)].join(' '));
    await grant.save();
    return grant;
  }

  /** What the product does and node-oidc-provider has no setting for. */
  async #disguise(context, next) {
    const { shape, provider } = this;
    const at = context.path.replace(/.*\//, '');
    if (at === 'auth') {
      this.requests.push({ ...context.query });
    }
    if (at !== 'token' || !shape.tokenIssuer) {
      await next();
    } else {
      // Read where the token is signed, and nowhere else on the way. One sign-in at a time.
      const own = provider.issuer;
      provider.issuer = shape.tokenIssuer(this);
      await next().finally(() => (provider.issuer = own));
    }
    if (at === 'openid-configuration') {
      const { authorization_response_iss_parameter_supported: announced, ...body } = context.body;
      const said = shape.namesItself ? { ...body, authorization_response_iss_parameter_supported: announced } : body;
      context.body = shape.metadata(said, this.origin);
    }
    if (at === 'jwks' && context.body?.keys) {
      context.body = { keys: context.body.keys.map(key => shape.key(key, this.origin)) };
    }
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    const { path } = this.shape;
    const failed = error => {
      this.#faults.push(error.stack);
      response.writeHead(500).end();
    };
    if (pathname.startsWith('/interaction/')) {
      this.#interact(request, response).catch(failed);
      return;
    }
    const api = Object.entries(this.shape.api).find(([prefix]) => pathname.startsWith(prefix));
    if (api) {
      const { status = 200, body } = api[1](request, this);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}));
      return;
    }
    // The issuer's last slash, if it has one, is no part of a path below it.
    const mounted = path.replace(/\/$/, '');
    if (pathname.startsWith(`${mounted}/`)) {
      request.originalUrl = request.url;
      request.url = request.url.slice(mounted.length);
      this.provider.callback()(request, response);
    } else {
      response.writeHead(404).end();
    }
  }

  /** The pages that node-oidc-provider leaves to whoever runs it. */
  async #interact(request, response) {
    const { prompt, params } = await this.provider.interactionDetails(request, response);
    const show = html => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
    if (request.method !== 'POST') {
      return show(prompt.name === 'consent' ? consentPage : passwordPage(params.login_hint));
    }
    const sent = new URLSearchParams(await text(request));
    if (prompt.name === 'consent') {
      const denied = { error: 'access_denied', error_description: 'denied' };
      const answer = sent.get('answer') === 'allow' ? { consent: {} } : denied;
      return this.provider.interactionFinished(request, response, answer, { mergeWithLastSubmission: true });
    }
    const login = sent.get('login');
    if (!Object.hasOwn(this.people, login) || sent.get('password') !== login) {
      return show(passwordPage(login, '<p>That is not your password.</p>'));
    }
    this.signedIn = this.people[login];
    return this.provider.interactionFinished(request, response, {
      login: { accountId: this.#subject(login) },
      select_account: {},
    });
  }
}

const page = body =>
  `<!doctype html><html lang="en"><title>Acme sign-in</title><link rel="icon" href="data:,"><main>${body}</main></html>`;
const escaped = words => words.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);
const passwordPage = (login = '', refusal = '') =>
  page(
    `${refusal}<form method="post"><input name="login" value="${escaped(login)}">` +
      '<input name="password" type="password"><button>Sign in</button></form>',
  );
const logoutSource = (context, logoutForm) => {
  context.body = page(`${logoutForm}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
};
const consentPage = page(
  '<form method="post"><button name="answer" value="allow">Allow</button><button name="answer" value="deny">Deny</button></form>',
);

// Back-channel logout: what ends at Keycloak ends here.
//
// What Keycloak 26.7.3 really sends, seen here:
// - one logout token for each session that ends, before it answers whoever ended it: the person, or
//   an administrator who ends one session or all of a person's;
// - `typ` is `logout+jwt`, `sub` always stands in it, `sid` only with the client's setting "Backchannel
//   logout session required"; it lives for two minutes;
// - `iss` is the realm's as the session knows it, by whatever address the administrator came.
// It sends nothing when a person is disabled or deleted, when their password is reset, when "Sign out
// all active sessions" ends those of the whole realm, or when a not-before date is pushed. What the
// broker refuses is not sent again, and the session has ended all the same.
import { strict as assert } from 'node:assert';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { ended, signIn, signInAt } from './keycloak_realm.mjs';
import { withBrowser } from './visit.mjs';

/** Stands where Keycloak posts: keeps what each logout token says, and passes it on to the broker. */
class Post {
  /** The claims, and what the broker answered. */
  received = [];

  static async open() {
    const post = new Post();
    post.server = createServer((request, response) => post.#pass(request, response)).listen(0, '127.0.0.1');
    await once(post.server, 'listening');
    post.url = `http://127.0.0.1:${post.server.address().port}/logout`;
    return post;
  }

  async #pass(request, response) {
    const body = await text(request);
    const [, payload] = new URLSearchParams(body).get('logout_token').split('.');
    const headers = { 'content-type': request.headers['content-type'] };
    const answer = await fetch(this.target, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) });
    this.received.push({ claims: JSON.parse(Buffer.from(payload, 'base64url')), status: answer.status });
    response.writeHead(answer.status).end(await answer.text());
  }

  /** What has come so far: so many tokens, each of which the broker took. */
  tokens(count) {
    assert.deepEqual(this.received.map(({ status }) => status), Array(count).fill(200));
    return this.received.map(({ claims }) => claims);
  }

  close() {
    this.server.closeAllConnections();
    return new Promise(resolve => this.server.close(resolve));
  }
}

/** A broker that is told of the end of sessions. `sid`: does the token name the session? */
async function told(realm, { sid }, body) {
  const post = await Post.open();
  const attributes = issuer => {
    post.target = `${issuer}/oauth/backchannel-logout/keycloak`;
    return { 'backchannel.logout.url': post.url, 'backchannel.logout.session.required': String(sid) };
  };
  const access = { default_scopes: ['mcp:read'] };
  try {
    await realm.lodge({ attributes, access }, broker => body(broker, post));
  } finally {
    await realm.admin.changeClient(client => ({ attributes: { ...client.attributes, 'backchannel.logout.url': '' } }));
    await post.close();
  }
}

/** Two sign-ins of one person in two browsers, and the name of the first one's session. */
async function twoSessions(realm, broker, username) {
  const first = await signIn(broker, username);
  const [session, ...none] = await realm.sessions(username);
  assert.equal(none.length, 0);
  const second = await signIn(broker, username);
  assert.equal((await realm.sessions(username)).length, 2);
  assert.equal(first.claims.sub, second.claims.sub);
  return { first, second, session };
}

export const logout = [
  {
    name: 'SEC-060: the end of one session ends its tokens at once, and no other session\'s',
    run: ({ realm }) =>
      told(realm, { sid: true }, async (broker, post) => {
        const { first, second, session } = await twoSessions(realm, broker, 'hana');
        const other = await signIn(broker, 'igor');
        await first.refresh();
        await realm.endSession(session);
        const [claims] = post.tokens(1);
        assert.deepEqual([claims.sid, claims.sub], [session, await realm.userId('hana')]);
        await ended(first);
        await second.refresh();
        await other.refresh();
        await Promise.all([first, second, other].map(client => client.close()));
      }),
  },
  {
    name: 'SEC-060: a person who signs out at Keycloak is signed out here, in that browser alone',
    run: ({ realm }) =>
      told(realm, { sid: true }, (broker, post) =>
        withBrowser(async tab => {
          const elsewhere = await signIn(broker, 'june');
          const here = await signInAt(broker, tab, 'june');
          await tab.goto(`${realm.admin.issuer}/protocol/openid-connect/logout`);
          await tab.leave('#kc-logout');
          const [claims] = post.tokens(1);
          assert(claims.sid, 'the logout token names no session');
          await ended(here);
          await elsewhere.refresh();
            await Promise.all([elsewhere.close(), here.close()]);
        }),
      ),
  },
  {
    name: 'SEC-060: the end of all sessions of a person ends all their tokens',
    run: ({ realm }) =>
      told(realm, { sid: true }, async (broker, post) => {
        const { first, second } = await twoSessions(realm, broker, 'kai');
        const other = await signIn(broker, 'igor');
        await realm.endAllSessions('kai');
        const tokens = post.tokens(2);
        assert.equal(new Set(tokens.map(({ sid }) => sid)).size, 2);
        await ended(first);
        await ended(second);
        await other.refresh();
        await Promise.all([first, second, other].map(client => client.close()));
      }),
  },
  {
    name: 'SEC-060: a logout token that names the person alone ends all their tokens',
    run: ({ realm }) =>
      told(realm, { sid: false }, async (broker, post) => {
        const { first, second, session } = await twoSessions(realm, broker, 'lena');
        const other = await signIn(broker, 'igor');
        await realm.endSession(session);
        const [claims] = post.tokens(1);
        assert.deepEqual([claims.sid, claims.sub], [undefined, await realm.userId('lena')]);
        await ended(first);
        await ended(second);
        await other.refresh();
        await Promise.all([first, second, other].map(client => client.close()));
      }),
  },
];

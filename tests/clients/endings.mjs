// How things end for a session of the TypeScript SDKs: a restarted broker, an expired token, a revoked grant.
import { strict as assert } from 'node:assert';
import { expired } from './broker.mjs';
import { challengeParam, fingerprint, step, textOf } from './support.mjs';

/**
 * `session` is signed in and connected: `call`, `authorize` and `provider` are its own. `Unauthorized` is what the SDK
 * throws when it has sent the person to the browser.
 */
export async function endings({ session, broker, trace, Unauthorized }) {
  const { person, provider } = session;
  const whoami = async () => assert.match(textOf(await session.call('whoami')), new RegExp(person));
  const browsers = provider.redirects.length;

  /** A call whose token is refused, and that one refresh saves. */
  async function refreshed() {
    const before = provider.tokens();
    const mark = trace.mark();
    await whoami();
    const after = provider.tokens();
    const [refusal] = trace.since(mark, exchange => exchange.status === 401);
    assert.equal(challengeParam(refusal?.challenge, 'error'), 'invalid_token');
    assert.equal(trace.since(mark, exchange => exchange.grant === 'refresh_token').length, 1);
    assert.notEqual(after.access_token, before.access_token);
    assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
    assert.equal(provider.redirects.length, browsers, 'the SDK opened a browser');
    return `${fingerprint(before.access_token)} -> ${fingerprint(after.access_token)}, ${after.expires_in} s`;
  }

  await step(
    `${person}: the broker restarts between two calls`,
    async () => {
      await whoami();
      const { access_token: token } = provider.tokens();
      const mark = trace.mark();
      await broker.restartShort();
      await whoami();
      assert.equal(provider.tokens().access_token, token);
      assert.deepEqual(
        trace.since(mark, ({ status, grant }) => status >= 400 || grant),
        [],
      );
    },
    'broker restarted: next call',
  );

  await step(
    `${person}: a refused access token is refreshed at the restarted broker`,
    () => {
      provider.spoilAccessToken();
      return refreshed();
    },
    'refresh: refused',
    'broker restarted: refresh',
  );

  await step(
    `${person}: an expired access token is refreshed`,
    async () => {
      await expired(provider.tokens().access_token);
      return refreshed();
    },
    'refresh: expired',
  );

  await step(
    `${person}: the grant is revoked, the token ends, and the SDK is back at the sign-in`,
    async () => {
      const { client_id: id } = provider.clientInformation();
      const { access_token: token } = provider.tokens();
      // Whichever comes first is refused: this call, or the SDK's listening stream, which opens itself again.
      const mark = trace.mark();
      await broker.revoke(token);
      await expired(token);
      await assert.rejects(session.call('whoami'), Unauthorized);
      const [refresh] = trace.since(mark, exchange => exchange.grant === 'refresh_token');
      assert.equal(refresh.status, 400);
      assert.equal(JSON.parse(refresh.body).error, 'invalid_grant');
      assert(provider.redirects.length > browsers, 'the SDK opened no browser');
      await session.authorize('revoked');
      await whoami();
      assert.equal(provider.clientInformation().client_id, id, 'the client registered again');
    },
    'grants revoked: signs in again',
  );
}

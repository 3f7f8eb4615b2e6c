// What the strict OAuth clients share: a browser that answers, and refusals that must be exactly so.
import { strict as assert } from 'node:assert';
import { signIn, signInAndReturn } from './browser.mjs';
import { Callback } from './support.mjs';

/** The loopback callback of a client, and the browser that ends there. */
export class Agent {
  static async open(name, screenshotsDir) {
    const agent = new Agent();
    Object.assign(agent, { name, screenshotsDir, visits: 0, callback: await Callback.open('127.0.0.1') });
    return agent;
  }

  get redirectUri() {
    return this.callback.redirectUri;
  }

  #options() {
    this.visits += 1;
    return { person: 'alice', screenshotsDir: this.screenshotsDir, name: `${this.name}-${this.visits}` };
  }

  /** Consent and sign-in; the URL that came back. */
  approve(url) {
    return signInAndReturn(url, this.#options());
  }

  /** Says no; the URL that came back. */
  deny(url) {
    return signInAndReturn(url, { ...this.#options(), approve: false });
  }

  /** A URL that must end on a page of status 400 and go nowhere. */
  async stopped(url) {
    const before = this.callback.received.length;
    const { page } = await signIn(url, { ...this.#options(), follow: false });
    assert.equal(page?.status, 400, `the browser ended with ${JSON.stringify(page)}`);
    assert.equal(this.callback.received.length, before, 'the browser was sent on');
    return page.heading;
  }

  close() {
    return this.callback.close();
  }
}

/** `attempt` must end with this status and OAuth error, as the library itself reports it. */
export async function refused(attempt, status, error) {
  await assert.rejects(attempt, failure => {
    assert.equal(failure.status, status, failure.stack);
    assert.equal(failure.error, error, failure.stack);
    return true;
  });
  return `${status} ${error}`;
}

/** What a token endpoint must have answered to a client that may refresh. */
export function assertTokens(tokens) {
  assert.equal(tokens.token_type.toLowerCase(), 'bearer');
  assert(Number.isInteger(tokens.expires_in) && tokens.expires_in > 300, `expires_in is ${tokens.expires_in}`);
  assert(tokens.refresh_token, 'no refresh token');
  assert(tokens.scope, 'no scope');
  return `granted ${tokens.scope}, ${tokens.expires_in} s`;
}

/** The two answers differ in both tokens. */
export function assertRotated(before, after) {
  assert.notEqual(after.access_token, before.access_token, 'the access token did not change');
  assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token was not rotated');
}

// The broker as an operator has it in hand: restarted and revoked through the run that started it.
import { strict as assert } from 'node:assert';
import { setTimeout as pause } from 'node:timers/promises';

export class Broker {
  /** `control` is what the run gives every script as `--control`. */
  constructor(control) {
    assert(control, 'no --control: run.mjs starts what this client needs');
    this.control = control;
  }

  async #ask(method, path, body) {
    const response = await fetch(new URL(path, this.control), { method, body });
    assert(response.ok, `${method} ${path}: ${response.status} ${response.ok || (await response.text())}`);
    return response.json();
  }

  /** `document`: the identifier of a client that has one; `introspector`: a server that may ask about tokens. */
  facts() {
    return this.#ask('GET', '/');
  }

  /** Ends it and starts it again on its store. */
  restart() {
    return this.#ask('POST', '/restart');
  }

  /** The same, and from then on access tokens end within seconds. */
  restartShort() {
    return this.#ask('POST', '/restart?life=short');
  }

  /** Ends the grant of this access token; the broker is back afterwards, and tokens live as long as usual. */
  revoke(accessToken) {
    return this.#ask('POST', '/revoke', accessToken);
  }
}

/** Waits until this token has expired. */
export async function expired(accessToken) {
  const { exp } = JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url'));
  const left = exp * 1000 - Date.now();
  assert(left < 10_000, `the token lives for ${left} ms more`);
  // A little later: the server compares whole seconds.
  await pause(Math.max(left, 0) + 50);
}

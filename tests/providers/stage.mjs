// A broker in front of one shaped provider, and sign-ins through both that are over in a moment.
import { strict as assert } from 'node:assert';
import { scopes } from '../clients/support.mjs';
import { brokerAddress, startBroker } from './broker.mjs';
import { Client } from './client.mjs';
import { OpenIdServer, version } from './openid_server.mjs';
import { everything } from './visit.mjs';
import { Walker } from './walker.mjs';

/** Who signs in at a broker, and what comes of it. */
class Lodge {
  constructor(broker, client, server) {
    Object.assign(this, { broker, client, server });
  }

  /** Walks from the client's request to wherever it ends. */
  async #arrive(login, { upstream, hint, scope = everything }) {
    const walker = new Walker();
    const before = this.client.callback.received.length;
    await walker.go(await this.client.authorizationUrl(scope, hint && { login_hint: hint }));
    const button = upstream ?? /name="upstream" value="([^"]*)"/.exec(walker.page.html)?.[1];
    assert(button, `no button: ${walker.page.text}`);
    await walker.send({ upstream: button });
    if (walker.page.url.startsWith(`${this.server.origin}/`)) {
      await walker.send({ login, password: login });
    }
    // Where the broker had the provider ask for consent.
    if (walker.page.html.includes('name="answer"')) {
      await walker.send({ answer: 'allow' });
    }
    return { returned: this.client.callback.received.length > before, page: walker.page };
  }

  /** The access token's claims of somebody who gets in. */
  async signIn(login, options = {}) {
    const { returned, page } = await this.#arrive(login, options);
    assert(returned, `${login} ended at ${page.url}, ${page.status}: ${page.text}`);
    return this.client.redeem();
  }

  /** Exactly these scopes, in the token answer as in the access token. */
  async gets(login, wanted, options) {
    const claims = await this.signIn(login, options);
    assert.deepEqual(scopes(claims.scope), scopes(wanted), login);
    assert.deepEqual(scopes(this.client.tokens.scope), scopes(wanted), login);
    return claims;
  }

  /** Everybody of `table`, whose values are scopes, or what the page says to those who get none. */
  async judges(table, options) {
    for (const [login, wanted] of Object.entries(table)) {
      await (wanted instanceof RegExp ? this.refuses(login, wanted, 403, options) : this.gets(login, wanted, options));
    }
  }

  /** The page at the end, of this status and with these words; the client hears nothing. */
  async refuses(login, words, status = 403, options = {}) {
    const { returned, page } = await this.#arrive(login, options);
    assert(!returned, `${login} was let in`);
    assert.deepEqual([page.status, new URL(page.url).origin], [status, this.broker.issuer], `${login}: ${page.text}`);
    assert.match(page.text, words, login);
  }

  /** The parameters of the newest authorization request. */
  get asked() {
    return this.server.requests.at(-1);
  }

  async close() {
    await this.client.close();
    await this.broker.stop();
  }
}

/** A suite of `shape`: a provider of this shape with these `people`, and what must hold of it. */
export const suite = ({ name, shape, people, scenarios }) => ({
  name: `as-${name}`,
  needs: [],
  version: () => `${version} in the shape of ${name}`,
  scenarios,
  async start(binary) {
    const server = await OpenIdServer.start(people, shape);
    const broken = [];
    /**
     * Runs `body` with a broker of its own. `upstreams` are entries without `id` and `issuer`, or one
     * such entry: they are `idp`, `idp-2` and so on, and this server's.
     */
    const lodge = async ({ upstreams, ...settings }, body) => {
      const address = await brokerAddress();
      const entries = [upstreams].flat().map((entry, at) => ({
        id: at ? `idp-${at + 1}` : 'idp',
        name: `Sign-in ${at + 1}`,
        issuer: server.issuer,
        ...entry,
      }));
      server.admit(...entries.map(({ id }) => `${address.issuer}/oauth/callback/${id}`));
      const broker = await startBroker(binary, { address, upstreams: entries, ...settings });
      const opened = new Lodge(broker, await Client.register(broker, 'Notebook'), server);
      try {
        return await body(opened);
      } catch (error) {
        broken.push(broker.tail());
        throw error;
      } finally {
        await opened.close();
      }
    };
    return { binary, server, lodge, tails: () => [...broken.splice(0), server.tail()], stop: () => server.stop() };
  },
});

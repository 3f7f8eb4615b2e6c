// A realm of Keycloak's for the scenarios that need their own people: `works`, made by the
// administrator's interface as docs/providers/keycloak.md says.
import { strict as assert } from 'node:assert';
import { brokerAddress, clientId, clientSecret, startBroker } from './broker.mjs';
import { Admin, form } from './keycloak_server.mjs';
import { sendPassword } from './pages.mjs';
import { begin, withBrowser } from './visit.mjs';

function person(username, more = {}) {
  const name = username[0].toUpperCase() + username.slice(1);
  const credentials = [{ type: 'password', value: username, temporary: false }];
  const email = `${username}@example.com`;
  // Who is imported has the roles that are named, and no others; this one holds `offline_access`.
  const realmRoles = ['default-roles-works', ...(more.realmRoles ?? [])];
  const rest = { emailVerified: true, enabled: true, firstName: name, lastName: 'Works', credentials };
  return { username, email, ...rest, ...more, realmRoles };
}

const representation = {
  enabled: true,
  sslRequired: 'external',
  editUsernameAllowed: false,
  groups: [{ name: 'admin' }, { name: 'a', subGroups: [{ name: 'admin' }] }, { name: 'platform' }],
  roles: { realm: [{ name: 'editor' }], client: { wiki: [{ name: 'editor' }] } },
  users: [
    person('ada', { groups: ['/admin'] }),
    person('ben', { groups: ['/a/admin'] }),
    person('cleo', { realmRoles: ['editor'] }),
    person('dora', { clientRoles: { wiki: ['editor'] } }),
    person('emil', { groups: ['/admin'], realmRoles: ['editor'], clientRoles: { wiki: ['editor'] } }),
    person('fay', { emailVerified: false }),
    person('olaf', { groups: ['/platform'] }),
    ...['gil', 'hana', 'igor', 'june', 'kai', 'lena', 'milo', 'nora', 'pia', 'quin', 'rosa'].map(name => person(name)),
  ],
  clients: [
    { clientId: 'wiki', enabled: true, protocol: 'openid-connect', publicClient: true, standardFlowEnabled: false },
    {
      clientId,
      enabled: true,
      protocol: 'openid-connect',
      publicClient: false,
      clientAuthenticatorType: 'client-secret',
      secret: clientSecret,
      standardFlowEnabled: true,
      directAccessGrantsEnabled: false,
      attributes: { 'pkce.code.challenge.method': 'S256' },
      protocolMappers: [
        {
          name: 'groups',
          protocol: 'openid-connect',
          protocolMapper: 'oidc-group-membership-mapper',
          config: { 'claim.name': 'groups', 'full.path': 'true', 'id.token.claim': 'true' },
        },
      ],
    },
  ],
};

/** Step 3 of the page: the roles are in access tokens alone unless somebody says otherwise. */
async function rolesIntoIdTokens(admin) {
  const scope = (await admin.call('GET', '/client-scopes')).find(({ name }) => name === 'roles');
  const place = `/client-scopes/${scope.id}/protocol-mappers/models`;
  for (const mapper of await admin.call('GET', place)) {
    if (['realm roles', 'client roles'].includes(mapper.name)) {
      await admin.call('PUT', `${place}/${mapper.id}`, { ...mapper, config: { ...mapper.config, 'id.token.claim': 'true' } });
    }
  }
}

export class Realm {
  static async make(origin, binary) {
    const realm = new Realm();
    realm.binary = binary;
    realm.admin = new Admin(origin, 'works');
    await realm.admin.create(representation);
    await rolesIntoIdTokens(realm.admin);
    return realm;
  }

  /**
   * Runs `body` with a broker of its own, which the realm knows. `attributes` are our client's there,
   * `more` is what its configuration says of the realm besides.
   */
  async lodge({ attributes, more, ...settings }, body) {
    const address = await brokerAddress();
    await this.admin.changeClient(client => ({
      redirectUris: [`${address.issuer}/oauth/callback/keycloak`],
      attributes: { ...client.attributes, ...attributes?.(address.issuer) },
    }));
    const upstream = {
      id: 'keycloak', name: 'Works SSO', preset: 'keycloak', issuer: this.admin.issuer, allowed_domains: ['example.com'], ...more,
    };
    const broker = await startBroker(this.binary, { address, upstreams: [upstream], ...settings });
    try {
      return await body(broker);
    } catch (error) {
      error.stack += `\nthe broker's last lines:\n${broker.tail()}`;
      throw error;
    } finally {
      await broker.stop();
    }
  }

  async userId(username) {
    const [user] = await this.admin.call('GET', `/users?exact=true&username=${username}`);
    return user.id;
  }

  /** Changes what the realm knows of somebody. */
  async change(username, change) {
    const place = `/users/${await this.userId(username)}`;
    await this.admin.call('PUT', place, { ...(await this.admin.call('GET', place)), ...change });
  }

  /** Puts somebody into a group, or takes them out. */
  async setMember(username, group, isMember) {
    const { id } = await this.admin.call('GET', `/group-by-path${group}`);
    await this.admin.call(isMember ? 'PUT' : 'DELETE', `/users/${await this.userId(username)}/groups/${id}`);
  }

  async remove(username) {
    await this.admin.call('DELETE', `/users/${await this.userId(username)}`);
  }

  /** The names of the sessions of somebody. */
  async sessions(username) {
    const sessions = await this.admin.call('GET', `/users/${await this.userId(username)}/sessions`);
    return sessions.map(({ id }) => id);
  }

  endSession(id) {
    return this.admin.call('DELETE', `/sessions/${id}`);
  }

  async endAllSessions(username) {
    return this.admin.call('POST', `/users/${await this.userId(username)}/logout`);
  }
}

/** Somebody signs in with a client of their own, in the browser of this tab. */
export async function signInAt(broker, tab, username, options) {
  const client = await begin(broker, tab, `Client of ${username}`, options);
  await sendPassword(tab, form, username, username);
  client.claims = await client.redeem();
  return client;
}

/** The same in a browser that is gone afterwards; the session at Keycloak stays. */
export const signIn = (broker, username, options) => withBrowser(tab => signInAt(broker, tab, username, options));

/** The tokens have ended: the next refresh is refused. */
export const ended = async client => assert.equal(await client.refusedRefresh(), '400 invalid_grant');

// Auth0, by https://auth0.com/docs/secure/tokens/id-tokens/id-token-structure, …/manage-users/organizations/using-tokens and
// …/secure/tokens/json-web-tokens/create-custom-claims: the issuer ends with a slash; `sub` names the connection;
// custom claims are namespaced; `org_id` is that of the login; `email_verified` is false where the
// connection says nothing.
import { strict as assert } from 'node:assert';

const namespaced = 'https://example.com/groups';
const account = (sub, more = {}) => ({
  sub, email: 'bob@example.com', name: 'Bob Baker', nickname: 'bob', picture: 'https://s.gravatar.com/avatar/0.png',
  updated_at: '2026-01-01T00:00:00.000Z', ...more,
});

const people = {
  bob: account('auth0|507f1f77bcf86cd799439011', { org_id: 'org_acme', [namespaced]: ['platform'] }),
  social: account('google-oauth2|103547991597142817347', { org_id: 'org_acme' }),
  enterprise: account('samlp|acme-saml|bob', { org_id: 'org_acme', email_verified: false }),
  outside: account('auth0|507f1f77bcf86cd799439012', { org_id: 'org_evil' }),
  alone: account('auth0|507f1f77bcf86cd799439013'),
  // What is not namespaced is the person's own user_metadata here.
  boastful: account('auth0|507f1f77bcf86cd799439014', { org_id: 'org_acme', groups: ['platform'] }),
};

const shape = {
  path: '/',
  claims: {
    email: ['email', 'email_verified'],
    profile: ['name', 'nickname', 'picture', 'updated_at', 'org_id', 'groups', namespaced],
  },
  parameters: ['organization', 'connection'],
};

const upstreams = { preset: 'auth0', allowed_domains: ['example.com'] };
const access = { default_scopes: ['mcp:read'] };
const noneOfOurs = /none of the organisations/;

export const auth0 = {
  name: 'auth0',
  people,
  shape,
  scenarios: [
    {
      name: 'IDP-auth0: the slash belongs to the issuer',
      run: ({ lodge, server }) => {
        assert(server.issuer.endsWith('/'));
        const without = { ...upstreams, issuer: server.issuer.slice(0, -1) };
        return lodge({ upstreams: [upstreams, without], access }, async it => {
          await it.gets('bob', 'mcp:read', { upstream: 'idp' });
          await it.refuses('bob', /./, 503, { upstream: 'idp-2' });
        });
      },
    },
    {
      name: 'IDP-auth0: the organisation is asked for, and checked all the same',
      run: ({ lodge }) =>
        lodge({ upstreams: { preset: 'auth0', organizations: ['org_acme'], idp_hint: 'acme-saml' }, access }, async it => {
          await it.judges({ bob: 'mcp:read', enterprise: 'mcp:read', outside: noneOfOurs, alone: noneOfOurs });
          assert.deepEqual([it.asked.organization, it.asked.connection], ['org_acme', 'acme-saml']);
        }),
    },
    {
      name: 'IDP-auth0: a namespaced claim is found by its whole name',
      run: ({ lodge }) => {
        const rules = [{ groups: ['platform'], scopes: ['mcp:write'] }];
        return lodge({ upstreams: { ...upstreams, groups_claim: namespaced }, access: { ...access, rules } }, it =>
          it.judges({ bob: 'mcp:read mcp:write', social: 'mcp:read', boastful: 'mcp:read' }),
        );
      },
    },
    {
      name: 'IDP-auth0: one address over two connections is two accounts; one that nobody verified is none',
      run: ({ lodge }) =>
        lodge({ upstreams, access: { ...access, admin_users: ['bob@example.com'], admin_scopes: ['mcp:admin'] } }, async it => {
          // Whoever brings the admin's address first is the admin; the other connection's is not.
          const bob = await it.gets('bob', 'mcp:read mcp:write mcp:admin');
          const social = await it.gets('social', 'mcp:read');
          assert.notEqual(social.sub, bob.sub);
          await it.refuses('enterprise', /vouches for no organisation domain/);
        }),
    },
  ],
};

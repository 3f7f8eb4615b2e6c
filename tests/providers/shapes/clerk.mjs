// Clerk, by https://clerk.com/docs/guides/configure/auth-strategies/oauth/single-sign-on and its changelog of
// 2026-05-14: the Frontend API is the issuer; access tokens are opaque; with `user:org:read` the person
// chooses an organisation, whose `org_id` is in the ID token, while its name and slug are userinfo's.
import { strict as assert } from 'node:assert';

const account = (id, org, more = {}) => ({
  sub: `user_${id}`, email: `${id}@example.com`, name: id, preferred_username: id, ...org, ...more,
});
const acme = { org_id: 'org_2acme', org_name: 'Acme', org_slug: 'acme' };

const people = {
  bob: account('2bob', acme),
  outside: account('2eve', { org_id: 'org_2evil', org_name: 'Evil', org_slug: 'evil' }),
  // Names and slugs are whatever the organisation's owner types.
  pretender: account('2mallory', { org_id: 'org_2evil', org_name: 'org_2acme', org_slug: 'org_2acme' }),
  shouting: account('2carol', { org_id: 'ORG_2ACME', org_name: 'Acme', org_slug: 'acme' }),
  alone: account('2dave', {}),
  unverified: account('2erin', acme, { email_verified: false }),
};

const shape = {
  claims: {
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    'user:org:read': ['org_id', 'org_name', 'org_slug'],
  },
  namesItself: false,
  idTokenLacks: ['org_name', 'org_slug'],
};

const upstreams = { preset: 'clerk', organizations: ['org_2acme'] };
const access = { default_scopes: ['mcp:read'] };
const noneOfOurs = /none of the organisations/;
const table = {
  bob: 'mcp:read',
  outside: noneOfOurs,
  pretender: noneOfOurs,
  shouting: noneOfOurs,
  alone: noneOfOurs,
  // The organisation vouches; nothing asked for the address.
  unverified: 'mcp:read',
};

const organizationDecides = {
  name: 'IDP-clerk: the pinned organisation decides by its id, and no label does',
  run: ({ lodge }) =>
    lodge({ upstreams, access }, async it => {
      await it.judges(table);
      assert(it.asked.scope.split(' ').includes('user:org:read'), it.asked.scope);
    }),
};

export const clerk = {
  name: 'clerk',
  people,
  shape,
  scenarios: [
    organizationDecides,
    {
      name: 'IDP-clerk: domain and organisation must both hold where both are listed',
      run: ({ lodge }) =>
        lodge({ upstreams: { ...upstreams, allowed_domains: ['example.com'] }, access }, it =>
          it.judges({ bob: 'mcp:read', outside: noneOfOurs, unverified: /vouches for no organisation domain/ }),
        ),
    },
    {
      name: 'IDP-clerk: a rule may name an organisation, and a label is told by userinfo alone',
      run: ({ lodge }) => {
        const rules = [
          { claims: { org_id: ['org_2evil'] }, scopes: ['mcp:write'] },
          { claims: { org_slug: ['acme'] }, scopes: ['mcp:admin'] },
        ];
        const both = { ...upstreams, organizations: ['org_2acme', 'org_2evil'] };
        return lodge({ upstreams: both, access: { ...access, rules, scope_hierarchy: {} } }, it =>
          it.judges({ bob: 'mcp:read mcp:admin', outside: 'mcp:read mcp:write', alone: noneOfOurs }),
        );
      },
    },
  ],
};

/** An instance whose ID tokens leave everything to userinfo. */
export const clerkThin = { name: 'clerk-thin', people, shape: { ...shape, thin: true }, scenarios: [organizationDecides] };

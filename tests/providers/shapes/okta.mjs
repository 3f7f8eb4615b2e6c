// Okta, by https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/: an organisation's server and
// custom ones are issuers of their own; beside an access token the ID token is thin and userinfo has
// the rest; the groups claim goes by a filter and holds a hundred at most.
import { strict as assert } from 'node:assert';

/** What the groups claim lets through of somebody's groups. */
const cut = groups => groups.slice(0, 100);
const teams = count => Array.from({ length: count }, (_, n) => `team-${n}`);

const account = (id, login, groups) => ({
  sub: `00u${id}`, email: `${login}@example.com`, name: login, preferred_username: `${login}@example.com`,
  ver: 1, idp: '00o1a2b3c4', amr: ['pwd', 'mfa'], groups: cut(groups),
});

const people = {
  bob: account('1a2b3c4d5e6f7g8h9', 'bob', ['Everyone', 'platform']),
  carol: account('2a2b3c4d5e6f7g8h9', 'carol', ['Everyone', 'sales', 'Platform']),
  contractor: account('3a2b3c4d5e6f7g8h9', 'dan', ['Everyone', 'platform', 'contractors']),
  busy: account('4a2b3c4d5e6f7g8h9', 'erin', ['platform', ...teams(98)]),
  full: account('5a2b3c4d5e6f7g8h9', 'frank', ['platform', ...teams(99)]),
  'busy-contractor': account('6a2b3c4d5e6f7g8h9', 'grace', ['platform', ...teams(120), 'contractors']),
  'busy-member': account('7a2b3c4d5e6f7g8h9', 'heidi', [...teams(120), 'platform']),
  unverified: { ...account('8a2b3c4d5e6f7g8h9', 'ivan', ['platform']), email_verified: false },
};

const shape = {
  claims: {
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username', 'ver', 'idp', 'amr'],
    groups: ['groups'],
  },
  thin: true,
  namesItself: false,
};

const upstreams = {
  preset: 'okta', scopes: ['openid', 'email', 'profile', 'groups'], allowed_domains: ['example.com'],
};
const platformWrites = { groups: ['platform'], scopes: ['mcp:write'] };
const notAllGroups = /did not tell all groups/;

const groupsDecide = {
  name: 'IDP-okta: groups of a thin token come from userinfo and decide by name, byte for byte',
  run: ({ lodge }) =>
    lodge({ upstreams, access: { default_scopes: ['mcp:read'], rules: [platformWrites] } }, it =>
      it.judges({
        bob: 'mcp:read mcp:write',
        carol: 'mcp:read',
        unverified: /vouches for no organisation domain/,
      }),
    ),
};

const cutLists = [
  {
    name: 'IDP-okta: a rule that denies a group holds where a hundred groups are told',
    run: ({ lodge }) => {
      const deny = { groups: ['contractors'], deny: true, reason: 'Contractors use the portal.' };
      return lodge({ upstreams, access: { default_scopes: ['mcp:read'], rules: [platformWrites, deny] } }, it =>
        it.judges({
          bob: 'mcp:read mcp:write',
          busy: 'mcp:read mcp:write',
          contractor: /Contractors use the portal/,
          full: notAllGroups,
          'busy-contractor': notAllGroups,
        }),
      );
    },
  },
  {
    name: 'IDP-okta: of a cut list what is told grants, and what is not told grants nothing and says so',
    run: ({ lodge }) =>
      lodge({ upstreams, access: { rules: [platformWrites] } }, async it => {
        await it.judges({ full: 'mcp:read mcp:write', 'busy-contractor': 'mcp:read mcp:write', 'busy-member': notAllGroups });
        await it.refuses('carol', /^(?!.*did not tell all groups)/);
      }),
  },
];

export const okta = { name: 'okta', people, shape, scenarios: [groupsDecide, ...cutLists] };

/** A custom server, `default`, whose ID tokens hold everything (`Always` in its claims). */
export const oktaCustom = {
  name: 'okta-custom',
  people,
  shape: { ...shape, path: '/oauth2/default', thin: false },
  scenarios: [
    groupsDecide,
    {
      name: 'IDP-okta: the organisation\'s server is another issuer than a custom one',
      run: ({ lodge, server }) => {
        const access = { default_scopes: ['mcp:read'] };
        const organisation = { ...upstreams, issuer: server.origin };
        return lodge({ upstreams: [upstreams, organisation], access }, async it => {
          const { sub } = await it.gets('bob', 'mcp:read', { upstream: 'idp' });
          assert(sub);
          // Nothing is found at the organisation's own address, and nobody is let in by the other.
          await it.refuses('bob', /./, 503, { upstream: 'idp-2' });
        });
      },
    },
  ],
};

// Microsoft Entra, by https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference and
// …/optional-claims-reference: one endpoint for many tenants, whose metadata names a template; `tid` and `oid`
// are the account, `sub` is pairwise; addresses are what an administrator wrote; over 200 groups are a
// reference to Microsoft Graph; no `email_verified`; no `iss` in the authorization response.
import { strict as assert } from 'node:assert';

const ours = '8f14e45f-ceea-467f-9575-0a1b2c3d4e5f';
const foreign = '6512bd43-d9ca-a6e0-2c99-0b0a82652dca';
const platform = 'c51ce410-c124-a10e-0db5-e4b97fc2af39';
const sales = 'aab32389-22bc-c25a-6f60-6eb525ffdc56';

let made = 0;
function account(more = {}) {
  made += 1;
  const email = 'alice@example.com';
  return {
    sub: `account-${made}`, tid: ours, oid: `00000000-0000-0000-0000-0000000000${10 + made}`, ver: '2.0',
    name: 'Alice Archer', email, preferred_username: email, upn: email, email_verified: undefined, ...more,
  };
}

/** What a token says instead of more than 200 groups: the address is the retired Azure AD Graph's. */
const reference = {
  _claim_names: { groups: 'src1' },
  _claim_sources: { src1: { endpoint: `https://graph.windows.net/${ours}/users/0/getMemberObjects` } },
};

const people = {
  alice: account(),
  'alice-elsewhere': account({ oid: '00000000-0000-0000-0000-000000000011', email: 'renamed@example.com' }),
  stranger: account({ tid: foreign, xms_edov: true }),
  owner: account({ xms_edov: true }),
  'owner-as-text': account({ xms_edov: '1' }),
  'not-owner': account({ xms_edov: false, email_verified: true }),
  editor: account({ roles: ['editor'] }),
  member: account({ groups: [platform, sales] }),
  seller: account({ groups: [sales] }),
  'in-many': account(reference),
  'in-many-implicit': account({ hasgroups: true }),
  guest: account({ acct: 1, groups: [platform], idp: 'https://sts.windows.net/6512bd43-d9ca-a6e0-2c99-0b0a82652dca/' }),
  employee: account({ acct: 0, groups: [platform] }),
};

const tenantIssuer = (server, tenant) => `${server.origin}/${tenant}/v2.0`;
const template = origin => `${origin}/{tenantid}/v2.0`;

/** Microsoft Graph: what it answers is `server.graph`, pages or a status. */
function graph(request, server) {
  assert(request.headers.authorization?.startsWith('Bearer '), 'Graph is asked without a token');
  server.graphRequests = (server.graphRequests ?? 0) + 1;
  if (typeof server.graph === 'number') {
    return { status: server.graph, body: { error: { code: 'Authorization_RequestDenied' } } };
  }
  const at = Number(new URL(request.url, server.origin).searchParams.get('$skiptoken') ?? 0);
  const next = `${server.origin}/graph/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$skiptoken=${at + 1}`;
  const value = server.graph[at].map(id => ({ '@odata.type': '#microsoft.graph.group', id }));
  return { body: at + 1 < server.graph.length ? { value, '@odata.nextLink': next } : { value } };
}

const shape = {
  path: '/organizations/v2.0',
  subject: 'pairwise',
  namesItself: false,
  claims: {
    email: ['email', 'email_verified', 'xms_edov'],
    profile: ['name', 'preferred_username', 'upn', 'tid', 'oid', 'ver', 'roles', 'groups', 'hasgroups', 'acct', 'idp'],
    'User.Read': [],
  },
  parameters: ['domain_hint'],
  metadata: (body, origin) => ({ ...body, issuer: template(origin) }),
  key: (key, origin) => ({ ...key, issuer: template(origin) }),
  tokenIssuer: server => tenantIssuer(server, server.signedIn.tid),
  api: { '/graph/v1.0/me/transitiveMemberOf': graph },
};

const upstreams = { preset: 'entra', tenants: [ours] };
const withGraph = server => ({
  ...upstreams, scopes: ['openid', 'email', 'profile', 'User.Read'], api_url: `${server.origin}/graph/v1.0`,
});
const access = { default_scopes: ['mcp:read'] };
const platformWrites = { groups: [platform], scopes: ['mcp:write'] };
const notAllGroups = /did not tell all groups/;

export const entra = {
  name: 'entra',
  people,
  shape,
  scenarios: [
    {
      name: 'IDP-entra: a foreign tenant is denied, whatever address it brings',
      run: ({ lodge }) =>
        lodge({ upstreams, access }, it =>
          it.judges({ alice: 'mcp:read', owner: 'mcp:read', stranger: /a tenant that is not admitted/ }),
        ),
    },
    {
      name: 'IDP-entra: the account is tenant and object, and sub is another one for each application',
      run: ({ lodge }) =>
        lodge({ upstreams, access }, async it => {
          const alice = await it.gets('alice', 'mcp:read');
          assert.equal((await it.gets('alice-elsewhere', 'mcp:read')).sub, alice.sub);
          assert.notEqual((await it.gets('owner', 'mcp:read')).sub, alice.sub);
        }),
    },
    {
      name: 'IDP-entra: an address counts only where xms_edov is true',
      run: ({ lodge }) => {
        const nobodyVouches = /vouches for no organisation domain/;
        return lodge({ upstreams: { ...upstreams, allowed_domains: ['example.com'] }, access }, async it => {
          await it.judges({
            owner: 'mcp:read', alice: nobodyVouches, 'not-owner': nobodyVouches, 'owner-as-text': nobodyVouches,
          });
          await it.gets('owner', 'mcp:read', { hint: 'alice@example.com' });
          assert.deepEqual([it.asked.login_hint, it.asked.domain_hint], ['alice@example.com', 'example.com']);
        });
      },
    },
    {
      name: 'IDP-entra: app roles and group ids decide',
      run: ({ lodge }) => {
        const rules = [platformWrites, { roles: ['editor'], scopes: ['mcp:admin'] }];
        return lodge({ upstreams, access: { ...access, rules, scope_hierarchy: {} } }, it =>
          it.judges({ editor: 'mcp:read mcp:admin', member: 'mcp:read mcp:write', seller: 'mcp:read', alice: 'mcp:read' }),
        );
      },
    },
    {
      name: 'IDP-entra: groups that do not fit into the token come from Graph, all pages',
      run: ({ lodge, server }) =>
        lodge({ upstreams: withGraph(server), access: { ...access, rules: [platformWrites] } }, async it => {
          server.graph = [Array.from({ length: 250 }, (_, n) => `group-${n}`), [platform]];
          server.graphRequests = 0;
          await it.judges({ 'in-many': 'mcp:read mcp:write', 'in-many-implicit': 'mcp:read mcp:write' });
          assert.equal(server.graphRequests, 4);
          server.graph = [[sales]];
          await it.gets('in-many', 'mcp:read');
          // Whose groups are in the token is not asked for them.
          server.graphRequests = 0;
          await it.gets('member', 'mcp:read mcp:write');
          assert.equal(server.graphRequests, 0);
        }),
    },
    {
      name: 'IDP-entra: too many groups without Graph are never "no groups"',
      run: ({ lodge, server }) => {
        const deny = { groups: [sales], deny: true, reason: 'Sales uses the portal.' };
        const rules = [platformWrites, deny];
        return lodge({ upstreams: withGraph(server), access: { ...access, rules } }, async it => {
          server.graph = 403;
          await it.judges({ 'in-many': notAllGroups, 'in-many-implicit': notAllGroups, seller: /Sales uses the portal/ });
          await it.gets('alice', 'mcp:read');
          server.graph = 503;
          await it.refuses('in-many', /sign-in|sign in|try again/i, 503);
        });
      },
    },
    {
      name: 'IDP-entra: guests are what policy says of them',
      run: ({ lodge }) => {
        const reason = 'Guests write to it-desk@example.com first.';
        const rules = [platformWrites, { claims: { acct: ['1'] }, deny: true, reason }];
        return lodge({ upstreams, access: { ...access, rules } }, it =>
          it.judges({ guest: /Guests write to it-desk@example\.com first/, employee: 'mcp:read mcp:write' }),
        );
      },
    },
  ],
};

/** One tenant's own endpoint: no template, and no list of tenants. */
export const entraTenant = {
  name: 'entra-tenant',
  people,
  shape: { ...shape, path: `/${ours}/v2.0`, metadata: body => body, key: (key, origin) => ({ ...key, issuer: `${origin}/${ours}/v2.0` }) },
  scenarios: [
    {
      name: 'IDP-entra: one tenant\'s own issuer brings its own people alone',
      run: ({ lodge }) =>
        lodge({ upstreams: { preset: 'entra' }, access }, async it => {
          await it.gets('alice', 'mcp:read');
          await it.refuses('stranger', /sign-in/i, 502);
        }),
    },
  ],
};

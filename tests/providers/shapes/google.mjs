// Google, by https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload:
// `hd` only in accounts of a Workspace or Cloud organisation; the email address is any address that
// somebody made an account on; `iss` with or without its scheme; no groups anywhere.
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const account = (sub, email, more = {}) => ({ sub, email, name: email, given_name: email, locale: 'en', ...more });

const people = {
  alice: account('110169484474386276334', 'alice@example.com', { hd: 'example.com' }),
  bob: account('110169484474386276335', 'bob@example.com', { hd: 'example.com' }),
  'alice-anew': account('118234567890123456789', 'alice@example.com', { hd: 'example.com' }),
  // An account of the same Workspace on its second domain: the address differs from `hd`.
  alias: account('110169484474386276336', 'carol@example.net', { hd: 'example.com' }),
  consumer: account('112233445566778899001', 'bob@example.com'),
  gmail: account('112233445566778899002', 'someone@gmail.com'),
  elsewhere: account('112233445566778899003', 'eve@example.com', { hd: 'other.example' }),
  unverified: account('112233445566778899004', 'bob@example.com', { hd: 'example.com', email_verified: false }),
  robot: account('112233445566778899005', 'robot@build.iam.gserviceaccount.com'),
};

const shape = {
  claims: { email: ['email', 'email_verified', 'hd'], profile: ['name', 'given_name', 'picture', 'locale'] },
  parameters: ['hd', 'access_type'],
  namesItself: false,
  tokenIssuer: server => server.spelling ?? server.issuer,
};

const upstreams = { preset: 'google', allowed_domains: ['example.com'] };
const access = {
  default_scopes: ['mcp:read'],
  admin_users: ['alice@example.com'],
  admin_scopes: ['mcp:read', 'mcp:write', 'mcp:admin'],
};
const nobodyVouches = /vouches for no organisation domain/;

export const google = {
  name: 'google',
  shape,
  people,
  scenarios: [
    {
      name: 'IDP-google: hd decides, with a verified email, and the address does not',
      run: ({ lodge }) =>
        lodge({ upstreams, access }, it =>
          it.judges({
            bob: 'mcp:read',
            alias: 'mcp:read',
            consumer: nobodyVouches,
            unverified: nobodyVouches,
            elsewhere: /other\.example is not an allowed domain/,
            gmail: /gmail\.com is not an allowed domain/,
            robot: /build\.iam\.gserviceaccount\.com is not an allowed domain/,
          }),
        ),
    },
    {
      name: 'IDP-google: a service account comes in where its domain is listed',
      run: ({ lodge }) =>
        lodge(
          { upstreams: { ...upstreams, allowed_domains: ['example.com', 'build.iam.gserviceaccount.com'] }, access },
          it => it.judges({ robot: 'mcp:read', consumer: nobodyVouches }),
        ),
    },
    {
      name: 'IDP-google: an old address with a new subject is not the old account, nor its admin',
      run: ({ lodge }) =>
        lodge({ upstreams, access }, async it => {
          const alice = await it.gets('alice', 'mcp:read mcp:write mcp:admin');
          const anew = await it.gets('alice-anew', 'mcp:read');
          assert.notEqual(anew.sub, alice.sub);
          assert.equal((await it.gets('alice', 'mcp:read mcp:write mcp:admin')).sub, alice.sub);
        }),
    },
    {
      name: 'IDP-google: both spellings of the issuer are one account',
      run: ({ lodge, server }) =>
        lodge({ upstreams, access }, async it => {
          const whole = await it.gets('bob', 'mcp:read');
          server.spelling = 'accounts.google.com';
          assert.equal((await it.gets('bob', 'mcp:read')).sub, whole.sub);
          server.spelling = 'accounts.google.com.evil.example';
          await it.refuses('bob', /sign-in/i, 502);
        }).finally(() => (server.spelling = undefined)),
    },
    {
      name: 'IDP-google: the account chooser is shown, and hd is a hint for it',
      run: ({ lodge }) =>
        lodge({ upstreams, access }, async it => {
          await it.gets('bob', 'mcp:read', { hint: 'bob@example.com' });
          const { prompt, hd, login_hint } = it.asked;
          assert(prompt.split(' ').includes('select_account'), prompt);
          assert.deepEqual([hd, login_hint], ['example.com', 'bob@example.com']);
          // What was hinted proves nothing.
          await it.refuses('consumer', nobodyVouches, 403, { hint: 'bob@example.com' });
          await it.gets('bob', 'mcp:read', { hint: 'bob@other.example' });
          assert.equal(it.asked.hd, undefined);
        }),
    },
    {
      name: 'IDP-google: a rule that asks Google for a group, and Google without domains, are faults',
      async run({ binary, server }) {
        const checked = (more, rules) => {
          const folder = mkdtempSync(path.join(tmpdir(), 'gatelodge-'));
          const upstream = { id: 'idp', preset: 'google', issuer: server.issuer, client_id: 'c', client_secret: 's', ...more };
          const scopes = { 'mcp:read': 'Read' };
          const resources = [{ url: 'https://mcp.example.com/mcp', name: 'Notes', scopes }];
          const config = { issuer: 'http://127.0.0.1:9400', store: 'memory', upstreams: [upstream], resources, access: { rules } };
          writeFileSync(path.join(folder, 'gatelodge.yaml'), JSON.stringify(config));
          const { status, stdout, stderr } = spawnSync(binary, ['check', '--config', 'gatelodge.yaml'], {
            cwd: folder, encoding: 'utf8', timeout: 20_000, env: { ...process.env, NO_COLOR: '1' },
          });
          rmSync(folder, { recursive: true });
          return { status, said: stdout + stderr };
        };
        const domains = { allowed_domains: ['example.com'] };
        const good = checked(domains, [{ domains: ['example.com'], scopes: ['mcp:read'] }]);
        assert.equal(good.status, 0, good.said);
        for (const [what, fault] of [
          [/group/, checked(domains, [{ groups: ['platform'], scopes: ['mcp:read'] }])],
          [/anyone with a Google account/, checked({}, [{ domains: ['example.com'], scopes: ['mcp:read'] }])],
        ]) {
          assert.notEqual(fault.status, 0, fault.said);
          assert.match(fault.said, what);
        }
      },
    },
  ],
};

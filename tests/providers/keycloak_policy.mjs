// What Keycloak tells of people, and what policy makes of it.
import { strict as assert } from 'node:assert';
import { scopes } from '../clients/support.mjs';
import { signIn } from './keycloak_realm.mjs';
import { form } from './keycloak_server.mjs';
import { sendPassword } from './pages.mjs';
import { begin, noAccess, withBrowser } from './visit.mjs';

const settings = {
  scopes: {
    'mcp:read': 'Read the note', 'mcp:realm-editor': 'Edit as an editor of the realm',
    'mcp:wiki-editor': 'Edit as an editor of the wiki', 'mcp:admin': 'Administer', 'mcp:a-admin': 'Administer department A',
  },
  access: {
    default_scopes: ['mcp:read'],
    rules: [
      { roles: ['editor'], scopes: ['mcp:realm-editor'] },
      { roles: ['wiki/editor'], scopes: ['mcp:wiki-editor'] },
      { groups: ['/admin'], scopes: ['mcp:admin'] },
      { groups: ['/a/admin'], scopes: ['mcp:a-admin'] },
      // As somebody writes it who forgets that groups are paths: it fits nobody.
      { groups: ['admin'], scopes: ['mcp:admin', 'mcp:a-admin'] },
    ],
    scope_hierarchy: {},
  },
};

export const policy = [
  {
    name: 'IDP-keycloak: realm roles, client roles and group paths decide the scopes',
    run: ({ realm }) =>
      realm.lodge(settings, async broker => {
        const all = Object.keys(settings.scopes).join(' ');
        for (const [who, wanted] of [
          ['cleo', 'mcp:read mcp:realm-editor'],
          ['dora', 'mcp:read mcp:wiki-editor'],
          ['ada', 'mcp:read mcp:admin'],
          ['ben', 'mcp:read mcp:a-admin'],
          ['emil', 'mcp:read mcp:realm-editor mcp:wiki-editor mcp:admin'],
          ['gil', 'mcp:read'],
        ]) {
          const client = await signIn(broker, who, { scope: all });
          assert.deepEqual(scopes(client.tokens.scope), scopes(wanted), `the token answer of ${who}`);
          assert.deepEqual(scopes(client.claims.scope), scopes(wanted), `the access token of ${who}`);
          await client.close();
        }
      }),
  },
  {
    name: 'IDP-keycloak: an unverified email is denied, and the page says why',
    run: ({ realm }) =>
      realm.lodge(settings, broker =>
        withBrowser(async tab => {
          const client = await begin(broker, tab, 'Unproven', { scope: 'mcp:read' });
          await sendPassword(tab, form, 'fay', 'fay');
          const text = await noAccess(tab, client);
          assert.match(text, /vouches for no organisation domain/);
          assert.match(text, /it-desk@example\.com/);
          tab.assertClean();
          await client.close();
        }),
      ),
  },
];

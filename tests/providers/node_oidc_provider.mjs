// node-oidc-provider as an upstream, in a process of its own.
import path from 'node:path';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Program, answers, freePorts } from './process.mjs';
import { publishedKeys, sendPassword, sendWrongPassword } from './pages.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const form = { name: 'input[name=login]', password: 'input[name=password]', send: 'button', refusal: /not your password/ };

export const nodeOidcProvider = {
  name: 'node-oidc-provider',
  needs: [],
  version: () => `oidc-provider ${createRequire(import.meta.url)('oidc-provider/package.json').version}`,
  async start(brokerIssuer) {
    const [port] = await freePorts(1);
    const issuer = `http://127.0.0.1:${port}`;
    const upstream = {
      id: 'node',
      name: 'Acme SSO',
      preset: 'oidc',
      issuer,
      clientId: 'gatelodge',
      clientSecret: 'for-trying-out-only',
      scopes: ['openid', 'email', 'profile', 'groups'],
      platformGroup: 'platform',
    };
    const env = {
      ...process.env,
      PORT: String(port),
      CLIENT_SECRET: upstream.clientSecret,
      REDIRECT_URI: `${brokerIssuer}/oauth/callback/${upstream.id}`,
    };
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'];
    const program = new Program(process.execPath, [path.join(here, 'node_oidc_provider_server.mjs')], { env, stdio });
    await program.until('ready', () => answers(`${issuer}/.well-known/openid-configuration`), 20);
    const tell = async message => {
      program.child.send(message);
      await once(program.child, 'message');
    };
    return {
      upstream,
      tail: () => program.tail(),
      stop: () => program.stop(),
      signIn: (tab, person) => sendPassword(tab, form, person, person),
      failToSignIn: (tab, person, password) => sendWrongPassword(tab, form, person, password),
      asksForConsent: wanted => tell({ asksForConsent: wanted }),
      async deny(tab, person) {
        await sendPassword(tab, form, person, person);
        await tab.leave('button[name=answer][value=deny]');
      },
      signingKeys: () => publishedKeys(issuer),
      rotateKeys: () => tell({ rotateKeys: true }),
    };
  },
};

// Keycloak in development mode as an upstream, with the realm of docker-compose.yml.
import { existsSync, mkdirSync, readFileSync, copyFileSync, renameSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, answers, freePorts } from './process.mjs';
import { publishedKeys, sendPassword, sendWrongPassword } from './pages.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const compose = readFileSync(path.join(root, 'docker-compose.yml'), 'utf8');

/** The version that docker-compose.yml runs. */
export const version = /image: quay\.io\/keycloak\/keycloak:(\S+)/.exec(compose)[1];
export const home = path.join(root, 'target', `keycloak-${version}`);
export const form = { name: '#username', password: '#password', send: '#kc-login', refusal: /Invalid username or password/ };
const administrator = { KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: 'admin' };

/** Options that Keycloak builds itself for; the same at each start, so that it does so once. */
const builtFor = ['--db=dev-mem', '--health-enabled=true'];

function run(command, args, options) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 600_000, ...options });
  if (status !== 0) {
    const words = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-3).join('\n');
    throw new Error(`${command} ${args[0]}: ${error?.message ?? words}`);
  }
}

/** Unpacks Keycloak into `target`; answers nothing, or why it cannot be had. */
function install() {
  if (existsSync(home)) {
    return undefined;
  }
  try {
    const unpacked = `${home}.part`;
    rmSync(unpacked, { recursive: true, force: true });
    mkdirSync(unpacked, { recursive: true });
    console.log(`Keycloak ${version} from Maven Central`);
    const artifact = `org.keycloak:keycloak-quarkus-dist:${version}:zip`;
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
    run('mvn', ['-q', '-B', goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${unpacked}`]);
    run('unzip', ['-q', path.join(unpacked, `keycloak-quarkus-dist-${version}.zip`), '-d', unpacked]);
    renameSync(path.join(unpacked, `keycloak-${version}`), home);
    rmSync(unpacked, { recursive: true });
    mkdirSync(path.join(home, 'data', 'import'), { recursive: true });
    return undefined;
  } catch (error) {
    return error.message;
  }
}

/** The administrator's interface, as far as the scenarios need it. */
class Admin {
  constructor(origin) {
    this.origin = origin;
  }

  async #token() {
    const body = new URLSearchParams({
      grant_type: 'password', client_id: 'admin-cli', username: 'admin', password: 'admin',
    });
    const answer = await fetch(`${this.origin}/realms/master/protocol/openid-connect/token`, { method: 'POST', body });
    return (await answer.json()).access_token;
  }

  async call(method, place, body) {
    const headers = { authorization: `Bearer ${await this.#token()}`, 'content-type': 'application/json' };
    const options = { method, headers, body: body && JSON.stringify(body) };
    const answer = await fetch(`${this.origin}/admin/realms/acme${place}`, options);
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`Keycloak: ${method} ${place}: ${answer.status} ${text}`);
    }
    return text ? JSON.parse(text) : undefined;
  }

  async setConsentRequired(consentRequired) {
    const [client] = await this.call('GET', '/clients?clientId=gatelodge');
    await this.call('PUT', `/clients/${client.id}`, { ...client, consentRequired });
  }

  async #person(username) {
    const [person] = await this.call('GET', `/users?exact=true&username=${username}`);
    return person;
  }

  async setEnabled(username, enabled) {
    const { id } = await this.#person(username);
    await this.call('PUT', `/users/${id}`, { enabled });
  }

  async setMember(username, path, isMember) {
    const { id } = await this.#person(username);
    const group = await this.call('GET', `/group-by-path${path}`);
    await this.call(isMember ? 'PUT' : 'DELETE', `/users/${id}/groups/${group.id}`);
  }

  /** A new key of a higher priority, and the old ones out of use for signing. */
  async rotateKeys() {
    this.rotations = (this.rotations ?? 0) + 1;
    const { id: parentId } = await this.call('GET', '');
    await this.call('POST', '/components', {
      name: `rsa-${this.rotations}`,
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      parentId,
      config: { priority: [String(1000 + this.rotations)], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
    });
  }
}

export const keycloak = {
  name: 'keycloak',
  needs: [
    () => (spawnSync('java', ['-version']).status === 0 ? undefined : 'no java'),
    () => (existsSync(home) || spawnSync('mvn', ['-version']).status === 0 ? undefined : 'no mvn'),
    install,
  ],
  version: () => `Keycloak ${version}`,
  async start(brokerIssuer) {
    const [port, management] = await freePorts(2);
    const origin = `http://127.0.0.1:${port}`;
    const issuer = `${origin}/realms/acme`;
    const clientSecret = 'for-trying-out-only';
    copyFileSync(path.join(root, 'deploy/compose/keycloak-realm.json'), path.join(home, 'data/import/acme-realm.json'));
    const env = { ...process.env, ...administrator, GATELODGE_URL: brokerIssuer, GATELODGE_CLIENT_SECRET: clientSecret };
    const where = ['--http-host=127.0.0.1', `--http-port=${port}`, `--http-management-port=${management}`];
    const args = ['start-dev', '--import-realm', ...builtFor, ...where];
    const program = new Program(path.join(home, 'bin', 'kc.sh'), args, { env });
    await program.until('ready', () => answers(`http://127.0.0.1:${management}/health/ready`), 240);
    const admin = new Admin(origin);
    return {
      upstream: {
        id: 'keycloak',
        name: 'Acme SSO',
        preset: 'keycloak',
        issuer,
        clientId: 'gatelodge',
        clientSecret,
        scopes: ['openid', 'email', 'profile'],
        platformGroup: '/platform',
      },
      tail: () => program.tail(),
      stop: () => program.stop(),
      signIn: (tab, person) => sendPassword(tab, form, person, person),
      // A session that begins with `offline_access` is no session for the browser, since 26.1.
      async openSession(tab, person) {
        await tab.goto(`${issuer}/account`);
        await sendPassword(tab, form, person, person);
      },
      failToSignIn: (tab, person, password) => sendWrongPassword(tab, form, person, password),
      asksForConsent: wanted => admin.setConsentRequired(wanted),
      async deny(tab, person) {
        await sendPassword(tab, form, person, person);
        await tab.leave('[name=cancel]');
      },
      signingKeys: () => publishedKeys(issuer),
      rotateKeys: () => admin.rotateKeys(),
      people: {
        setEnabled: (person, enabled) => admin.setEnabled(person, enabled),
        setPlatform: (person, isMember) => admin.setMember(person, '/platform', isMember),
      },
    };
  },
};

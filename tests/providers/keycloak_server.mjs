// Keycloak in development mode: its process, and its administrator's interface.
import { existsSync, mkdirSync, readFileSync, copyFileSync, renameSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientId, clientSecret } from './broker.mjs';
import { Program, answers, freePorts } from './process.mjs';

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

/** The administrator's interface of one realm. */
export class Admin {
  #token;

  constructor(origin, realm) {
    this.origin = origin;
    this.realm = realm;
    this.issuer = `${origin}/realms/${realm}`;
  }

  /** A token of the master realm, used for less than the minute that it lives. */
  async #bearer() {
    if (!this.#token || Date.now() - this.#token.at > 30_000) {
      const body = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', username: 'admin', password: 'admin' });
      const options = { method: 'POST', body, signal: AbortSignal.timeout(30_000) };
      const answer = await fetch(`${this.origin}/realms/master/protocol/openid-connect/token`, options);
      this.#token = { text: (await answer.json()).access_token, at: Date.now() };
    }
    return this.#token.text;
  }

  async #send(method, url, body) {
    const headers = { authorization: `Bearer ${await this.#bearer()}`, 'content-type': 'application/json' };
    const options = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
    const answer = await fetch(url, options);
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`Keycloak: ${method} ${url}: ${answer.status} ${text}`);
    }
    return text ? JSON.parse(text) : undefined;
  }

  /** Makes the realm. */
  create(representation) {
    return this.#send('POST', `${this.origin}/admin/realms`, { realm: this.realm, ...representation });
  }

  call(method, place, body) {
    return this.#send(method, `${this.origin}/admin/realms/${this.realm}${place}`, body);
  }

  /** Changes what the realm knows of our client. */
  async changeClient(change) {
    const [client] = await this.call('GET', `/clients?clientId=${clientId}`);
    await this.call('PUT', `/clients/${client.id}`, { ...client, ...change(client) });
  }

  /** The providers of the RSA keys that sign. */
  async signers() {
    const components = await this.call('GET', '/components?type=org.keycloak.keys.KeyProvider');
    return components.filter(({ providerId, config }) => providerId === 'rsa-generated' && config.active?.[0] !== 'false');
  }

  /** A new key of a higher priority; `old` is what becomes of the ones before it, such as `{ active: ['false'] }`. */
  async rotateKeys(old) {
    const before = await this.signers();
    this.rotations = (this.rotations ?? 0) + 1;
    const { id: parentId } = await this.call('GET', '');
    await this.call('POST', '/components', {
      name: `rsa-${this.rotations}`,
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      parentId,
      config: { priority: [String(1000 + this.rotations)], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
    });
    for (const component of old ? before : []) {
      await this.call('PUT', `/components/${component.id}`, { ...component, config: { ...component.config, ...old } });
    }
  }
}

export const needs = [
  () => (spawnSync('java', ['-version']).status === 0 ? undefined : 'no java'),
  () => (existsSync(home) || spawnSync('mvn', ['-version']).status === 0 ? undefined : 'no mvn'),
  install,
];

/** Starts it with the realm of docker-compose.yml, `acme`, whose client is a broker at this address. */
export async function startKeycloak(brokerIssuer) {
  const [port, management] = await freePorts(2);
  const origin = `http://127.0.0.1:${port}`;
  copyFileSync(path.join(root, 'deploy/compose/keycloak-realm.json'), path.join(home, 'data/import/acme-realm.json'));
  const env = { ...process.env, ...administrator, GATELODGE_URL: brokerIssuer, GATELODGE_CLIENT_SECRET: clientSecret };
  const where = ['--http-host=127.0.0.1', `--http-port=${port}`, `--http-management-port=${management}`];
  const args = ['start-dev', '--import-realm', ...builtFor, ...where];
  const program = new Program(path.join(home, 'bin', 'kc.sh'), args, { env });
  await program.until('ready', () => answers(`http://127.0.0.1:${management}/health/ready`), 240);
  return { origin, tail: () => program.tail(), stop: () => program.stop() };
}

// `docker compose up`, then what a person and their client do; run inside a network of its own.
import { strict as assert } from 'node:assert';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Tab, closeBrowser, newProfile } from '../clients/browser.mjs';
import { Trace, main, step } from '../clients/support.mjs';
import { Visitor } from '../clients/visitor.mjs';
import * as keycloak from '../providers/keycloak_server.mjs';
import { sendPassword } from '../providers/pages.mjs';
import { Engine } from './engine.mjs';
import { buildOurs, importKeycloak, importRedis, root } from './images.mjs';

const mcpUrl = new URL('http://127.0.0.1:9402/mcp');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { screenshots: { type: 'string' } } });
const binary = path.resolve(positionals[0]);
const scratch = path.join(root, 'target', 'compose');
const note = { title: 'compose', text: 'from a container' };
const trace = new Trace();

const engine = await Engine.start();
const compose = (...args) => engine.run('docker-compose', ['--project-name', 'gatelodge', ...args], { cwd: root });

/** Our page, then Keycloak's; answers where the browser ended. */
async function signIn(visitor, person) {
  const context = await newProfile();
  const tab = await Tab.open(context, { screenshotsDir: values.screenshots, name: `compose-${person}` });
  await tab.goto(await visitor.wantsToSignIn());
  await tab.screenshot('consent');
  await tab.leave('button[name=upstream][value=keycloak]');
  await tab.screenshot('keycloak');
  await sendPassword(tab, keycloak.form, person, person);
  await tab.screenshot('after');
  const outcome = await tab.outcome(visitor.callback.redirectUri);
  await context.close();
  return outcome;
}

async function walk() {
  await step('the image of the last stage', () => {
    buildOurs(engine, binary, path.join(scratch, 'context'));
    const [image] = JSON.parse(engine.run('docker', ['image', 'inspect', 'gatelodge']));
    assert.equal(image.Config.User, '65532:65532');
    return `${(image.Size / 1e6).toFixed(1)} MB`;
  });
  await step('Redis and Keycloak under the names of the compose file', () => {
    const text = compose('config');
    const [redis] = /redis:[\d.]+(?=\n)/.exec(text);
    importRedis(engine, redis, path.join(scratch, 'redis'));
    const image = `quay.io/keycloak/keycloak:${keycloak.version}`;
    importKeycloak(engine, image, keycloak.home, path.join(scratch, 'keycloak'));
    return redis;
  });
  await step('docker compose up', () => void compose('up', '-d', '--no-build'));
  await step('Redis keeps what it is told', () => {
    const said = name => compose('exec', '-T', 'redis', 'redis-cli', 'CONFIG', 'GET', name).split(/\s+/)[1];
    assert.deepEqual([said('appendonly'), said('maxmemory-policy')], ['yes', 'noeviction']);
  });
  await step('the broker cannot write and has no privileges', () => {
    const id = compose('ps', '-q', 'gatelodge');
    const [container] = JSON.parse(engine.run('docker', ['inspect', id]));
    assert.equal(container.HostConfig.ReadonlyRootfs, true);
    assert.deepEqual(container.HostConfig.CapDrop, ['ALL']);
    assert.equal(container.State.Health.Status, 'healthy');
  });

  const bob = await Visitor.open(mcpUrl, 'Compose client', trace);
  await step('bob signs in at Keycloak and calls a tool', async () => {
    const { returned, page } = await signIn(bob, 'bob');
    assert(returned, `the browser ended at ${page?.url}: ${page?.heading}`);
    await bob.finish();
    const { tools } = await bob.client.listTools();
    assert.deepEqual(tools.map(tool => tool.name).sort(), ['read_note', 'reset_notes', 'whoami', 'write_note']);
    await bob.call('write_note', note);
    assert.match(await bob.call('read_note', { title: note.title }), /from a container/);
  });
  await step('a new broker container continues the session', async () => {
    compose('rm', '-sf', 'gatelodge');
    compose('up', '-d', '--no-build');
    const before = bob.provider.tokens().refresh_token;
    bob.provider.spoilAccessToken();
    assert.match(await bob.call('read_note', { title: note.title }), /from a container/);
    assert.notEqual(bob.provider.tokens().refresh_token, before);
    assert.equal(bob.provider.redirects.length, 1, 'bob had to sign in again');
  });
  await step('eve of another organisation reads why not', async () => {
    const eve = await Visitor.open(mcpUrl, 'Compose client', trace);
    const { page } = await signIn(eve, 'eve');
    assert.equal(page?.status, 403);
    assert(page.text.includes('it-desk@example.com'), page.text);
    await eve.close();
  });
  await bob.close();
  await step('docker compose down', () => void compose('down', '--volumes'));
  await step('the production file starts with its example', () => production());
}

/** deploy/production as a newcomer uses it, in a folder of its own. */
function production() {
  const folder = path.join(scratch, 'production');
  const from = path.join(root, 'deploy', 'production');
  engine.run('sh', ['-c', 'rm -rf "$1" && cp -r "$0" "$1" && cp "$1/gatelodge.yaml.example" "$1/gatelodge.yaml"', from, folder]);
  const secret = () => engine.run('docker', ['run', '--rm', '--network', 'none', 'gatelodge', 'secret']);
  const env = { GATELODGE_SECRET: secret(), REDIS_PASSWORD: secret(), UPSTREAM_CLIENT_SECRET: 'x' };
  const run = (...args) => engine.run('docker-compose', ['--project-name', 'production', ...args], { cwd: folder, env });
  run('config', '-q');
  run('up', '-d', '--no-build');
  // The store answers: the broker found `redis` by name and had the password.
  run('exec', '-T', 'gatelodge', '/gatelodge', 'health', '--ready');
  run('down', '--volumes');
}

try {
  await main(600_000, trace, walk);
} finally {
  await closeBrowser();
  await engine.stop();
}
console.log('the compose file works');

#!/usr/bin/env node
// docker-compose.yml for real: its images without a registry, an engine of our own, a browser.
// usage: node run.mjs PATH_TO_STATIC_GATELODGE [--screenshots DIR]
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs as keycloakNeeds } from '../providers/keycloak_server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const has = program => spawnSync('which', [program]).status === 0;
const needs = [
  () => (process.platform === 'linux' && process.getuid() === 0 ? undefined : 'only root on Linux can start an engine'),
  ...['dockerd', 'docker', 'docker-compose', 'unshare', 'ip', 'redis-server'].map(
    program => () => (has(program) ? undefined : `no ${program}`),
  ),
  () => (spawnSync('unshare', ['--net', '--pid', '--fork', 'true']).status === 0 ? undefined : 'network namespaces are not allowed here'),
  ...keycloakNeeds,
];

if (process.argv.length < 3) {
  console.error('usage: run.mjs PATH_TO_STATIC_GATELODGE [--screenshots DIR]');
  process.exit(2);
}
const missing = needs.map(need => need()).find(Boolean);
if (missing) {
  console.log(`skipped: ${missing}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}
// A network of our own: whatever else this machine publishes is not in the way. Processes of our
// own: when the walk ends, however it ends, so do the engine and all containers.
const script = 'ip link set lo up && exec "$@"';
const apart = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
const child = spawn('unshare', [...apart, 'sh', '-c', script, 'sh', process.execPath, path.join(here, 'walk.mjs'), ...process.argv.slice(2)], {
  stdio: 'inherit',
});
const [code] = await once(child, 'exit');
process.exitCode = code ?? 1;

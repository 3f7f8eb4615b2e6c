// What the clients need. A prerequisite answers nothing, or why it cannot be had; it is asked for once.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** `binary` is the `gatelodge` under test; what cargo builds beside it is looked for there. */
export function prerequisites(binary) {
  return {
    chromium: remember(() => (existsSync(chromium) ? undefined : `no Chromium at ${chromium}`)),
    npm: remember(() => installNodePackages('.')),
    'node-22': remember(installNode22),
    python: remember(() => installPythonPackages('python-sdk')),
    'python-1': remember(() => installPythonPackages('python-sdk-1')),
    fastmcp: remember(() => installPythonPackages('fastmcp')),
    authlib: remember(() => installPythonPackages('authlib')),
    proxies: remember(() => installPythonPackages('proxies')),
    nginx: remember(() => tryRun('nginx', ['-v'])),
    caddy: remember(() => tryRun('caddy', ['version'])),
    rmcp: remember(() => {
      const client = rmcpClient(binary);
      return existsSync(client) ? undefined : `no ${client}: cargo build --example rmcp-client`;
    }),
  };
}

/** The Rust client that cargo builds beside `gatelodge`. */
export function rmcpClient(binary) {
  return path.join(path.dirname(binary), 'examples', 'rmcp-client');
}

/** What cargo builds beside `gatelodge` for the stage: identity provider, short-lived tokens. */
export function stageProgram(binary) {
  return path.join(path.dirname(binary), 'examples', 'client-stage');
}

/** The interpreter of a virtual environment in `python/`. */
export function python(name) {
  return path.join(here, 'python', `.venv-${name}`, 'bin', 'python');
}

/** A proxy that PyPI has as a program. */
export function proxy(name) {
  return path.join(path.dirname(python('proxies')), name);
}

/** The version of Caddy that is installed. */
export function caddyVersion() {
  return spawnSync('caddy', ['version'], { encoding: 'utf8' }).stdout;
}

/** The version that a package of npm has in the lock of `dir`. */
export function npmVersion(name, dir = '.') {
  const lock = JSON.parse(readFileSync(path.join(here, dir, 'package-lock.json'), 'utf8'));
  return `${name} ${lock.packages[`node_modules/${name}`].version}`;
}

/** The version that a package of PyPI has in the lock `python/{lock}.txt`. */
export function pypiVersion(name, lock) {
  const text = readFileSync(path.join(here, 'python', `${lock}.txt`), 'utf8');
  return `${name} ${new RegExp(`^${name}==(.+)$`, 'm').exec(text)[1]}`;
}

/** The version that a crate has in the lock of the repository. */
export function crateVersion(name) {
  const text = readFileSync(path.join(here, '..', '..', 'Cargo.lock'), 'utf8');
  return `${name} ${new RegExp(`^name = "${name}"\nversion = "(.+)"$`, 'm').exec(text)[1]}`;
}

function remember(check) {
  let answer;
  return () => (answer ??= { reason: check() }).reason;
}

/** Runs a program to its end; answers nothing, or what went wrong. */
function tryRun(command, args, options = {}) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000, ...options });
  if (status === 0) {
    return undefined;
  }
  return `${command} ${args.join(' ')}: ${error?.message ?? (stderr?.trim().split('\n').at(-1) || `exit ${status}`)}`;
}

function installNodePackages(dir) {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    return `node ${process.versions.node} is older than 20`;
  }
  const cwd = path.join(here, dir);
  return unlessInstalled(path.join(cwd, 'package-lock.json'), path.join(cwd, 'node_modules'), () => {
    console.log(`npm ci in ${path.relative(process.cwd(), cwd) || '.'}`);
    return tryRun('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd });
  });
}

function installNode22() {
  return installNodePackages('node-22') ?? tryRun(path.join(here, 'node-22', 'node'), ['--version']);
}

function installPythonPackages(name) {
  const lock = path.join(here, 'python', `${name}.txt`);
  const venv = path.dirname(path.dirname(python(name)));
  return unlessInstalled(lock, venv, () => {
    console.log(`python3 -m venv, pip install -r ${name}.txt`);
    rmSync(venv, { recursive: true, force: true });
    return tryRun('python3', ['-m', 'venv', venv]) ?? tryRun(python(name), ['-m', 'pip', 'install', '-q', '-r', lock]);
  });
}

/** Installs unless `dir` was filled from this very `lock`. */
function unlessInstalled(lock, dir, install) {
  const wanted = readFileSync(lock, 'utf8');
  const stamp = path.join(dir, '.installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    return undefined;
  }
  const failed = install();
  if (!failed) {
    writeFileSync(stamp, wanted);
  }
  return failed;
}

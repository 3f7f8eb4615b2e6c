#!/usr/bin/env node
// Every real client in turn against one `gatelodge demo`. Needs node, npm, python3 and Chromium, nothing else.
// usage: node run.mjs PATH_TO_GATELODGE [--only NAME] [--screenshots DIR]
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const pythonDir = path.join(here, 'python');
const venv = path.join(pythonDir, '.venv');
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const inCi = process.env.CI === 'true';

// A prerequisite answers nothing, or why it cannot be had.
const prerequisites = {
  chromium: remember(() => (existsSync(chromium) ? undefined : `no Chromium at ${chromium}`)),
  npm: remember(installNodePackages),
  python: remember(installPythonPackages),
};

const clients = [
  {
    name: 'ts-sdk-v1',
    needs: ['chromium', 'npm'],
    version: () => `@modelcontextprotocol/sdk ${packageVersion('@modelcontextprotocol/sdk')}`,
    command: () => [process.execPath, 'ts-sdk-v1.mjs'],
  },
  {
    name: 'ts-sdk-v2',
    needs: ['chromium', 'npm'],
    version: () => `@modelcontextprotocol/client ${packageVersion('@modelcontextprotocol/client')}`,
    command: () => [process.execPath, 'ts-sdk-v2.mjs'],
  },
  {
    name: 'python-sdk',
    needs: ['chromium', 'npm', 'python'],
    version: () => `mcp ${/^mcp==(.+)$/m.exec(readFileSync(path.join(pythonDir, 'requirements.txt'), 'utf8'))[1]}`,
    command: () => [path.join(venv, 'bin', 'python'), path.join('python', 'client.py')],
  },
  {
    name: 'browser-pages',
    needs: ['chromium', 'npm'],
    version: () => spawnSync(chromium, ['--version'], { encoding: 'utf8' }).stdout.trim().replace(/ built on.*/, ''),
    command: () => [process.execPath, 'browser-pages.mjs'],
  },
];

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

function installNodePackages() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    return `node ${process.versions.node} is older than 20`;
  }
  const modules = path.join(here, 'node_modules');
  return unlessInstalled(path.join(here, 'package-lock.json'), modules, () => {
    console.log('npm ci');
    return tryRun('npm', ['ci', '--no-audit', '--no-fund'], { cwd: here });
  });
}

function installPythonPackages() {
  const requirements = path.join(pythonDir, 'requirements.txt');
  return unlessInstalled(requirements, venv, () => {
    console.log('python3 -m venv, pip install');
    rmSync(venv, { recursive: true, force: true });
    const python = path.join(venv, 'bin', 'python');
    return tryRun('python3', ['-m', 'venv', venv]) ?? tryRun(python, ['-m', 'pip', 'install', '-q', '-r', requirements]);
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

function packageVersion(name) {
  return JSON.parse(readFileSync(path.join(here, 'node_modules', name, 'package.json'), 'utf8')).version;
}

async function listen(port) {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A port P such that P, P+1 and P+2 are free: the kernel proposes P, we look at the rest. */
async function freeTriple() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const open = [];
    try {
      open.push(await listen(0));
      const { port } = open[0].address();
      open.push(await listen(port + 1), await listen(port + 2));
      return port;
    } catch {
      // One of the three is taken; the next proposal is elsewhere.
    } finally {
      await Promise.all(open.map(server => new Promise(resolve => server.close(resolve))));
    }
  }
  throw new Error('no three free ports in a row');
}

/** Starts `gatelodge demo` in an empty directory and waits for its `ready`. */
async function startDemo(binary) {
  const port = await freeTriple();
  const cwd = mkdtempSync(path.join(tmpdir(), 'gatelodge-demo-'));
  const child = spawn(binary, ['demo', '--port', String(port)], {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  child.stderr.setEncoding('utf8').on('data', text => log.push(text));
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit');
  exited.catch(() => {});
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.removeListener('exit', kill);
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(hard);
    }
    rmSync(cwd, { recursive: true, force: true });
  };
  const ready = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('gatelodge demo was not ready within 60 s')), 60_000);
    lines.on('line', line => {
      log.push(`${line}\n`);
      if (line === 'ready') {
        clearTimeout(timer);
        resolve();
      }
    });
    child.once('error', error => {
      clearTimeout(timer);
      reject(error);
    });
    exited.then(([code, signal]) => {
      clearTimeout(timer);
      reject(new Error(`gatelodge demo ended with ${code ?? signal}`));
    }, reject);
  });
  const tail = () => log.join('').split('\n').slice(-25).join('\n');
  try {
    await ready;
  } catch (error) {
    await stop().catch(() => {});
    throw new Error(`${error.message}\n${tail()}`);
  }
  return { mcpUrl: `http://127.0.0.1:${port + 2}/mcp`, stop, tail };
}

async function runClient(client, demo, screenshots) {
  const [command, ...args] = client.command();
  const child = spawn(command, [...args, '--mcp-url', demo.mcpUrl, '--screenshots', path.join(screenshots, client.name)], {
    cwd: here,
    stdio: 'inherit',
  });
  const hard = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(hard);
  return code === 0 ? { outcome: 'passed' } : { outcome: 'failed', why: `exit ${code ?? signal}` };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', multiple: true }, screenshots: { type: 'string' } },
});
const known = clients.map(client => client.name);
const unknown = (values.only ?? []).filter(name => !known.includes(name));
if (positionals.length !== 1 || unknown.length > 0) {
  console.error(`usage: run.mjs PATH_TO_GATELODGE [--only NAME]... [--screenshots DIR]\nnames: ${known.join(' ')}`);
  process.exit(2);
}
const binary = path.resolve(positionals[0]);
const screenshots = path.resolve(values.screenshots ?? mkdtempSync(path.join(tmpdir(), 'gatelodge-screenshots-')));
const rows = [];
let starting;

// An interrupted run takes its demo along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

for (const client of clients.filter(({ name }) => !values.only || values.only.includes(name))) {
  console.log(`\n== ${client.name}`);
  const missing = client.needs.map(need => prerequisites[need]()).find(Boolean);
  if (missing) {
    console.log(`skipped: ${missing}`);
    rows.push({ client: client.name, version: '', result: inCi ? 'failed' : 'skipped', why: missing });
    continue;
  }
  try {
    starting ??= startDemo(binary);
    const demo = await starting;
    const { outcome, why = '' } = await runClient(client, demo, screenshots);
    rows.push({ client: client.name, version: client.version(), result: outcome, why });
    if (outcome === 'failed') {
      console.error(`\nthe demo's last lines:\n${demo.tail()}`);
    }
  } catch (error) {
    console.log(`not ok: ${error.message}`);
    rows.push({ client: client.name, version: '', result: 'failed', why: error.message.split('\n')[0] });
  }
}
await starting?.then(demo => demo.stop()).catch(() => {});

const width = key => Math.max(key.length, ...rows.map(row => row[key].length));
const line = row => `${row.client.padEnd(width('client'))}  ${row.version.padEnd(width('version'))}  ${row.result} ${row.why}`;
console.log(`\n${line({ client: 'client', version: 'version', result: 'result', why: '' }).trimEnd()}`);
for (const row of rows) {
  console.log(line(row).trimEnd());
}
const count = result => rows.filter(row => row.result === result).length;
console.log(`\nscreenshots: ${screenshots}`);
const skipped = count('skipped');
console.log(`${count('passed')} passed, ${count('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = count('failed') === 0 ? 0 : 1;

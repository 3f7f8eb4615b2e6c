// One `gatelodge demo` for all clients, on three free ports, in a directory that disappears with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

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
export async function startDemo(binary) {
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

// A client that is a program of its own: started with nothing of this machine's but PATH, read line by line.
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where what needs Node.js 22 is installed. */
export const node22 = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node-22');

/** The MCP Inspector's one program: `--cli`, or its web interface. */
export const inspectorLauncher = path.join(
  node22,
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);

/** A directory that is gone when this process is. */
export function temporaryDirectory() {
  const directory = mkdtempSync(path.join(tmpdir(), 'gatelodge-client-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * The environment of a client: an own home, and `true` for a browser. The client believes that a
 * browser was opened; the scripted one walks the URL that the client prints.
 */
export function environment(home, variables = {}) {
  return { PATH: process.env.PATH, HOME: home, BROWSER: 'true', NO_COLOR: '1', ...variables };
}

/** A port that was free a moment ago, for clients that must be told one. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** What streams have said so far, and what they say next. */
export class Listener {
  text = '';
  #waiting = new Set();

  listen(stream) {
    stream.setEncoding('utf8').on('data', chunk => {
      this.text += chunk;
      this.#waiting.forEach(look => look());
    });
    return this;
  }

  /** The first match of `pattern` after `from`, as soon as it has been said; never, if `until` ends first. */
  heard(pattern, until = new Promise(() => {}), from = 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.text.slice(from));
        if (match) {
          this.#waiting.delete(look);
          resolve(match);
        }
      };
      this.#waiting.add(look);
      look();
      until.then(() => reject(new Error(`it ended without ${pattern}:\n${this.text}`)), reject);
    });
  }
}

/** A program that runs to its end. */
export class Program {
  constructor(command, args, env) {
    this.child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.stdout = new Listener().listen(this.child.stdout);
    this.stderr = new Listener().listen(this.child.stderr);
    const kill = () => this.child.kill('SIGKILL');
    process.once('exit', kill);
    this.ended = once(this.child, 'close').then(([code]) => {
      process.removeListener('exit', kill);
      return code;
    });
    // Whoever waits for the end sees it.
    this.ended.catch(() => {});
  }

  /** What it wrote to its standard output, when it ended well. */
  async output() {
    assert.equal(await this.ended, 0, `it failed:\n${this.stderr.text}\n${this.stdout.text}`);
    return this.stdout.text;
  }
}

// Programs that run beside a test: started, waited for, and taken along at the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const running = new Set();
process.once('exit', () => running.forEach(program => program.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

/** A program with its output kept; `stop` ends its whole process group. */
export class Program {
  #log = [];

  constructor(command, args, { signal = 'SIGTERM', ...options } = {}) {
    this.name = command.split('/').at(-1);
    this.signal = signal;
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', text => this.#log.push(text));
    }
    this.exited = once(this.child, 'exit').catch(error => [error.message]);
    running.add(this);
  }

  kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has ended already.
    }
  }

  /** Its last lines. */
  tail(lines = 25) {
    return this.#log.join('').split('\n').slice(-lines).join('\n');
  }

  /** Waits until `probe` answers something, for as long as the program lives. */
  async until(what, probe, seconds) {
    const end = Date.now() + seconds * 1000;
    let last;
    while (Date.now() < end) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`${this.name} ended before ${what}\n${this.tail()}`);
      }
      try {
        const answer = await probe();
        if (answer) {
          return answer;
        }
      } catch (error) {
        last = error;
      }
      await pause(100);
    }
    throw new Error(`${this.name}: not ${what} within ${seconds} s: ${last?.message ?? ''}\n${this.tail()}`);
  }

  async stop() {
    this.kill(this.signal);
    const hard = setTimeout(() => this.kill('SIGKILL'), 15_000);
    await this.exited;
    clearTimeout(hard);
    running.delete(this);
  }
}

/** Is there a 200 at this address? */
export async function answers(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  await response.body?.cancel();
  return response.ok;
}

/** What `promise` answers, if that takes no longer than so many seconds. */
export async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** As many free ports as asked, proposed by the kernel. */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(server => once(server, 'listening')));
  const ports = servers.map(server => server.address().port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
}

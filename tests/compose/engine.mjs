// A Docker engine of the test's own: its own folder, its own images, stopped at the end. The whole
// test runs in a network namespace of its own, so the published ports meet nobody's.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Program } from '../providers/process.mjs';

export class Engine {
  static async start() {
    const engine = new Engine();
    engine.folder = mkdtempSync(path.join(tmpdir(), 'gatelodge-engine-'));
    const at = name => path.join(engine.folder, name);
    const host = `unix://${at('docker.sock')}`;
    engine.env = { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0', COMPOSE_DOCKER_CLI_BUILD: '0' };
    engine.program = new Program('dockerd', [
      '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', host,
      '--iptables=false', '--ip6tables=false',
    ]);
    const answers = () => spawnSync('docker', ['info'], { env: engine.env }).status === 0;
    await engine.program.until('answering', answers, 60);
    return engine;
  }

  /** Runs a command against the engine; answers what it printed. */
  run(command, args, options = {}) {
    const { status, error, stdout, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      timeout: 400_000,
      maxBuffer: 2 ** 28,
      env: { ...this.env, ...options.env },
      cwd: options.cwd,
      input: options.input,
    });
    if (status !== 0) {
      const words = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-25).join('\n');
      throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}\n${words}`);
    }
    return stdout.trim();
  }

  async stop() {
    await this.program.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

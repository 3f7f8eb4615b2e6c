// The images that docker-compose.yml names, made without a registry: ours from the last stage of
// deploy/Dockerfile and a static binary, Redis and Keycloak from the programs of this machine.
import { spawnSync } from 'node:child_process';
import { cpSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The image of `deploy/Dockerfile`: its last stage, with what its first stage would have built. */
export function buildOurs(engine, binary, folder) {
  const text = readFileSync(path.join(root, 'deploy/Dockerfile'), 'utf8');
  const last = text.slice(text.lastIndexOf('\nFROM ') + 1).replaceAll('--from=build ', '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, 'out', 'data'), { recursive: true });
  copyFileSync(binary, path.join(folder, 'out', 'gatelodge'));
  copyFileSync('/etc/ssl/certs/ca-certificates.crt', path.join(folder, 'out', 'ca-certificates.crt'));
  writeFileSync(path.join(folder, 'Dockerfile'), last);
  engine.run('docker', ['build', '-q', '-t', 'gatelodge', folder]);
}

/** A root file system of programs of this machine, each with the libraries that it is linked with. */
class RootFs {
  #seen = new Set();

  constructor(folder) {
    this.folder = folder;
    rmSync(folder, { recursive: true, force: true });
    for (const name of ['usr/bin', 'usr/lib', 'tmp', 'data', 'etc']) {
      mkdirSync(path.join(folder, name), { recursive: true });
    }
    for (const name of ['bin', 'lib', 'lib64']) {
      symlinkSync(`usr/${name === 'bin' ? 'bin' : 'lib'}`, path.join(folder, name));
    }
    writeFileSync(path.join(folder, 'etc/passwd'), 'root:x:0:0:root:/:/bin/bash\n');
  }

  program(name) {
    const { stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    const source = realpathSync(stdout.trim());
    copyFileSync(source, path.join(this.folder, 'usr/bin', name));
    this.libraries(source);
  }

  /** What the dynamic linker says that a file needs, but for what lies in the folder `own`. */
  libraries(file, own = '/dev/null') {
    const { stdout } = spawnSync('ldd', [file], { encoding: 'utf8' });
    for (const [, library] of stdout.matchAll(/(\/\S+\.so\S*)/g)) {
      if (!this.#seen.has(library) && !library.startsWith(own) && existsSync(library)) {
        this.#seen.add(library);
        // /lib and /lib64 are one folder here.
        const target = path.join(this.folder, library.replace(/^\/lib(64)?\//, 'usr/lib/'));
        mkdirSync(path.dirname(target), { recursive: true });
        copyFileSync(realpathSync(library), target);
      }
    }
  }

  folderOf(source, target) {
    // Debian's Java links to packages that need not be installed.
    const options = { recursive: true, dereference: true, filter: file => existsSync(file) };
    cpSync(source, path.join(this.folder, target), options);
  }

  import(engine, name, changes) {
    const flags = changes.flatMap(change => ['--change', change]);
    engine.run('bash', ['-c', 'set -o pipefail; tar -C "$0" -c . | docker import "${@:2}" - "$1"', this.folder, name, ...flags]);
    rmSync(this.folder, { recursive: true });
  }
}

export function importRedis(engine, name, folder) {
  const files = new RootFs(folder);
  ['redis-server', 'redis-cli'].forEach(program => files.program(program));
  files.import(engine, name, ['WORKDIR /data', 'VOLUME /data']);
}

/** Keycloak from its unpacked distribution, on this machine's Java. */
export function importKeycloak(engine, name, home, folder) {
  const files = new RootFs(folder);
  const programs = ['bash', 'uname', 'dirname', 'readlink', 'sed', 'grep', 'xargs', 'printf', 'echo', 'cat', 'sleep'];
  programs.forEach(program => files.program(program));
  symlinkSync('bash', path.join(folder, 'usr/bin/sh'));
  const java = path.dirname(path.dirname(realpathSync(spawnSync('which', ['java'], { encoding: 'utf8' }).stdout.trim())));
  files.folderOf(java, 'opt/java');
  const shared = readdirSync(java, { recursive: true }).filter(file => file.endsWith('.so') || file === 'bin/java');
  shared.forEach(file => files.libraries(path.join(java, file), java));
  for (const part of ['bin', 'conf', 'lib', 'providers', 'themes']) {
    files.folderOf(path.join(home, part), `opt/keycloak/${part}`);
  }
  mkdirSync(path.join(folder, 'opt/keycloak/data/import'), { recursive: true });
  files.import(engine, name, ['ENV JAVA_HOME=/opt/java', 'ENV KC_RUN_IN_CONTAINER=true', 'ENTRYPOINT ["/opt/keycloak/bin/kc.sh"]']);
}

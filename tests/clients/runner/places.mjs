// Where a client meets a server: at the demo's, which checks tokens itself, or at one that checks nothing, made with an
// official SDK, behind what asks the broker.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../providers/process.mjs';
import { caddyVersion, here, npmVersion, proxy, pypiVersion, python } from './prerequisites.mjs';

const root = path.join(here, '..', '..');

/** The servers that check nothing. */
export const servers = {
  typescript: {
    title: 'TypeScript SDK',
    version: () => npmVersion('@modelcontextprotocol/server'),
    needs: ['npm'],
    command: port => [process.execPath, [path.join(here, 'servers', 'notes.mjs'), String(port)]],
  },
  python: {
    title: 'Python SDK',
    version: () => pypiVersion('mcp', 'python-sdk'),
    needs: ['python'],
    command: port => [python('python-sdk'), [path.join(here, 'servers', 'notes.py'), String(port)]],
  },
  everything: {
    title: 'TypeScript SDK',
    version: () => npmVersion('@modelcontextprotocol/server'),
    needs: ['npm'],
    command: port => [process.execPath, [path.join(here, 'servers', 'everything.mjs'), String(port)]],
  },
};

/**
 * What asks the broker. `program` makes a configuration of `deploy/` ready in `folder` and answers the command; the
 * gateway is the broker itself. Only there can tools need different scopes.
 */
export const guards = {
  gateway: { title: 'the gateway', needs: [], rulesForTools: true },
  // For a client that has no token: the gateway, reached by a name of the server's own.
  relay: {
    title: 'the gateway',
    needs: [],
    program: ({ port, broker }) => [process.execPath, [path.join(here, 'servers', 'relay.mjs'), String(port), broker]],
  },
  nginx: {
    title: 'nginx',
    needs: ['nginx'],
    program({ folder, port, broker, server }) {
      const config = filled('nginx.conf', {
        'listen 80;': `listen 127.0.0.1:${port};`,
        'set $public_host mcp.example.com;': `set $public_host 127.0.0.1:${port};`,
        '127.0.0.1:9400': broker,
        '127.0.0.1:8000': server,
      });
      const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
      const temporary = kept.map(kind => `${kind}_temp_path ${folder}/${kind};`).join('\n');
      const file = path.join(folder, 'nginx.conf');
      writeFileSync(
        file,
        `daemon off;\nmaster_process off;\npid ${folder}/pid;\nerror_log ${folder}/log;\nevents {}\n` +
          `http {\naccess_log off;\n${temporary}\n${config}\n}\n`,
      );
      return ['nginx', ['-p', folder, '-c', file]];
    },
  },
  caddy: {
    title: 'Caddy',
    needs: ['caddy'],
    program({ folder, port, broker, server }) {
      const config = filled('Caddyfile', {
        '\nmcp.example.com {': `\nhttp://127.0.0.1:${port} {`,
        ...(caddyVersion().includes('2.6.2') && { 'request_buffers 4MiB': 'buffer_requests' }),
        '127.0.0.1:9400': broker,
        '127.0.0.1:8000': server,
      });
      const file = path.join(folder, 'Caddyfile');
      writeFileSync(file, `{\n\tadmin off\n}\n${config}`);
      return ['caddy', ['run', '--adapter', 'caddyfile', '--config', file]];
    },
  },
  traefik: {
    title: 'Traefik',
    needs: ['proxies'],
    program({ folder, port, broker, server }) {
      const config = filled('traefik.yaml', {
        'Host(`mcp.example.com`)': 'Host(`127.0.0.1`)',
        '      tls: {}\n': '',
        '127.0.0.1:9400': broker,
        '127.0.0.1:8000': server,
      });
      const file = path.join(folder, 'traefik.yaml');
      writeFileSync(file, config);
      const quiet = ['--global.checkNewVersion=false', '--global.sendAnonymousUsage=false'];
      const entry = `--entryPoints.web.address=127.0.0.1:${port}`;
      return [proxy('traefik'), [entry, `--providers.file.filename=${file}`, ...quiet]];
    },
  },
  envoy: {
    title: 'Envoy',
    needs: ['proxies'],
    program({ folder, port, broker, server }) {
      const [at, to] = [broker, server].map(host => `port_value: ${host.split(':')[1]} }`);
      const config = filled('envoy.yaml', {
        'address: 0.0.0.0, port_value: 80 }': `address: 127.0.0.1, port_value: ${port} }`,
        '[mcp.example.com]': `["127.0.0.1:${port}"]`,
        'port_value: 9400 }': at,
        'port_value: 8000 }': to,
      });
      const file = path.join(folder, 'envoy.yaml');
      writeFileSync(file, config);
      return [proxy('envoy'), ['-c', file, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'warning']];
    },
  },
};

/** Every place that the configuration knows; `url` is what people type. */
export async function choosePlaces(broker) {
  const names = Object.keys(servers);
  const proxies = ['nginx', 'caddy', 'traefik', 'envoy'];
  const asking = proxies.flatMap(guard => ['typescript', 'python'].map(server => ({ guard, server })));
  const guarded = [...asking, { guard: 'relay', server: 'everything' }];
  const ports = await freePorts(names.length + guarded.length);
  const at = port => `http://127.0.0.1:${port}/mcp`;
  const behind = Object.fromEntries(names.map((name, index) => [name, { name, url: at(ports[index]), port: ports[index] }]));
  const places = [
    ...['typescript', 'python'].map(server => ({ guard: 'gateway', server, url: `${broker}/${server}` })),
    ...guarded.map((place, index) => {
      const port = ports[names.length + index];
      return { ...place, port, url: at(port) };
    }),
  ];
  const variables = [
    ...Object.values(behind).map(({ name, url }) => [name.toUpperCase(), url]),
    ...places.map(({ guard, server, url }) => [`${guard}_${server}`.toUpperCase(), url]),
  ];
  return { behind, places, variables: Object.fromEntries(variables) };
}

/** A file of `deploy/forward-auth`, with the places that an operator fills in. */
function filled(name, places) {
  const text = readFileSync(path.join(root, 'deploy', 'forward-auth', name), 'utf8');
  return Object.entries(places).reduce((text, [place, value]) => {
    if (!text.includes(place)) {
      throw new Error(`${name} has no ${place.trim()}`);
    }
    return text.replaceAll(place, value);
  }, text);
}

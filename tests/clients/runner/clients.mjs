// Who is run: each row is one script, what it needs, which version it is, and where it goes (without `place`, to the
// demo's server). `needs` names prerequisites; `version` answers for the table of docs/clients.md, `seen` for the run's
// own summary.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { guards, servers } from './places.mjs';
import { chromium, crateVersion, npmVersion, pypiVersion, python, rmcpClient } from './prerequisites.mjs';

// Three clients meet every guard and both kinds of server, and each guard meets both; others meet the gateway.
const behind = {
  'gateway/typescript': ['ts-sdk-v1', 'ts-sdk-v2', 'python-sdk', 'fastmcp', 'mcp-remote'],
  'gateway/python': ['ts-sdk-v1', 'ts-sdk-v2', 'python-sdk', 'rmcp'],
  'nginx/typescript': ['ts-sdk-v2', 'python-sdk'],
  'nginx/python': ['ts-sdk-v1'],
  'caddy/typescript': ['ts-sdk-v1'],
  'caddy/python': ['ts-sdk-v2', 'python-sdk'],
  'traefik/typescript': ['ts-sdk-v2'],
  'traefik/python': ['ts-sdk-v1', 'python-sdk'],
  'envoy/typescript': ['ts-sdk-v1', 'python-sdk'],
  'envoy/python': ['ts-sdk-v2'],
};

const node = script => () => [process.execPath, script];

/** `binary` is the `gatelodge` under test. */
export function clients(binary) {
  const everyone = atTheDemo(binary);
  const guarded = Object.entries(behind).flatMap(([name, who]) => {
    const [guard, server] = name.split('/');
    return who.map(client => atPlace(everyone.find(({ name }) => name === client), { guard, server }));
  });
  return [...everyone.filter(({ judge }) => !judge), ...guarded, ...everyone.filter(({ judge }) => judge)];
}

/** The same client in front of a server that checks nothing. */
function atPlace(client, place) {
  const { needs, rulesForTools } = guards[place.guard];
  return {
    ...client,
    name: `${client.name}/${place.guard}/${place.server}`,
    place,
    needs: [...client.needs, ...servers[place.server].needs, ...needs],
    command: () => [...client.command(), ...(rulesForTools ? [] : ['--tools-alike'])],
  };
}

function atTheDemo(binary) {
  return [
    {
      name: 'ts-sdk-v1',
      title: 'TypeScript SDK v1',
      needs: ['chromium', 'npm'],
      version: () => npmVersion('@modelcontextprotocol/sdk'),
      command: node('ts-sdk-v1.mjs'),
    },
    {
      name: 'ts-sdk-v2',
      title: 'TypeScript SDK v2',
      needs: ['chromium', 'npm'],
      version: () => npmVersion('@modelcontextprotocol/client'),
      command: node('ts-sdk-v2.mjs'),
    },
    {
      name: 'python-sdk-1',
      title: 'Python SDK 1',
      needs: ['chromium', 'npm', 'python-1'],
      version: () => pypiVersion('mcp', 'python-sdk-1'),
      command: () => [python('python-sdk-1'), path.join('python', 'python_sdk_1.py')],
    },
    {
      name: 'python-sdk',
      title: 'Python SDK 2',
      needs: ['chromium', 'npm', 'python'],
      version: () => pypiVersion('mcp', 'python-sdk'),
      command: () => [python('python-sdk'), path.join('python', 'python_sdk.py')],
    },
    {
      name: 'fastmcp',
      title: 'FastMCP client',
      needs: ['chromium', 'npm', 'fastmcp'],
      version: () => pypiVersion('fastmcp', 'fastmcp'),
      command: () => [python('fastmcp'), path.join('python', 'fastmcp_client.py')],
    },
    {
      name: 'rmcp',
      title: 'Rust SDK',
      needs: ['chromium', 'npm', 'rmcp'],
      version: () => crateVersion('rmcp'),
      command: () => [rmcpClient(binary)],
    },
    {
      name: 'inspector',
      title: 'MCP Inspector, CLI',
      needs: ['chromium', 'npm', 'node-22'],
      version: () => npmVersion('@modelcontextprotocol/inspector', 'node-22'),
      command: node('inspector.mjs'),
    },
    {
      name: 'inspector-web',
      title: 'MCP Inspector, web in Chromium',
      needs: ['chromium', 'npm', 'node-22'],
      version: () => npmVersion('@modelcontextprotocol/inspector', 'node-22'),
      command: node('inspector-web.mjs'),
    },
    {
      name: 'mcp-remote',
      title: 'mcp-remote, between a stdio client and the server',
      needs: ['chromium', 'npm'],
      version: () => npmVersion('mcp-remote'),
      command: node('mcp-remote.mjs'),
    },
    {
      name: 'conformance',
      judge: true,
      title: 'MCP conformance suite, authorization server',
      needs: ['chromium', 'npm', 'node-22'],
      version: () => npmVersion('@modelcontextprotocol/conformance', 'node-22'),
      command: node('conformance.mjs'),
    },
    {
      name: 'conformance-server',
      judge: true,
      place: { guard: 'relay', server: 'everything' },
      title: 'MCP conformance suite, a server behind the gateway',
      needs: ['npm', 'node-22'],
      version: () => npmVersion('@modelcontextprotocol/conformance', 'node-22'),
      command: node('conformance-server.mjs'),
    },
    {
      name: 'oauth4webapi',
      judge: true,
      title: 'strict OAuth client',
      needs: ['chromium', 'npm'],
      version: () => npmVersion('oauth4webapi'),
      command: node('oauth4webapi.mjs'),
    },
    {
      name: 'openid-client',
      judge: true,
      title: 'strict OAuth client',
      needs: ['chromium', 'npm'],
      version: () => npmVersion('openid-client'),
      command: node('openid-client.mjs'),
    },
    {
      name: 'authlib',
      judge: true,
      title: 'strict OAuth client and protected server',
      needs: ['chromium', 'npm', 'authlib'],
      version: () => pypiVersion('Authlib', 'authlib'),
      command: () => [python('authlib'), path.join('python', 'authlib_client.py')],
    },
    {
      name: 'browser-pages',
      judge: true,
      title: 'the pages alone',
      needs: ['chromium', 'npm'],
      // Debian's moves by itself: the table does not follow it.
      version: () => "Chromium, Debian's",
      seen: () =>
        spawnSync(chromium, ['--version'], { encoding: 'utf8' })
          .stdout.trim()
          .replace(/ built on.*/, ''),
      command: node('browser-pages.mjs'),
    },
  ];
}

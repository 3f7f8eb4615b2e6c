// `gatelodge serve` in front of identity providers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Program, answers, freePorts } from './process.mjs';

export const resource = 'https://mcp.example.com/mcp';

/** What every provider of these tests knows our client by. */
export const clientId = 'gatelodge';
export const clientSecret = 'for-trying-out-only';

/** What policy makes of the people: everybody reads, the platform team writes, alice administers. */
export const plainAccess = platformGroup => ({
  default_scopes: ['mcp:read'],
  rules: [{ groups: [platformGroup], scopes: ['mcp:write'] }],
  admin_users: ['alice@example.com'],
  admin_scopes: ['mcp:read', 'mcp:write', 'mcp:admin'],
});

/** Where a broker will listen; known before it starts, since a provider must know it, too. */
export async function brokerAddress() {
  const [port] = await freePorts(1);
  const listen = `127.0.0.1:${port}`;
  return { listen, issuer: `http://${listen}` };
}

const usualScopes = { 'mcp:read': 'Read the note', 'mcp:write': 'Change the note', 'mcp:admin': 'Erase all notes' };

/** The configuration as JSON, which is YAML. An upstream's own keys are added to what all have. */
function configuration({ issuer, listen, upstreams, scopes = usualScopes, access, more }) {
  const client = { client_id: clientId, client_secret: '${UPSTREAM_SECRET}' };
  const config = {
    issuer,
    listen,
    store: 'memory',
    upstreams: upstreams.map(upstream => ({ ...client, ...upstream })),
    resources: [{ url: resource, name: 'Acme notes', scopes }],
    access: { contact: 'it-desk@example.com', ...access },
    logs: { format: 'text' },
    ...more,
  };
  return JSON.stringify(config, null, 2);
}

/**
 * Starts it and waits until it answers. `upstreams` and `access` are the configuration's; `more` is
 * what else stands in it.
 */
export async function startBroker(binary, { address, ...settings }) {
  const { issuer, listen } = address ?? (await brokerAddress());
  const cwd = mkdtempSync(path.join(tmpdir(), 'gatelodge-'));
  writeFileSync(path.join(cwd, 'gatelodge.yaml'), configuration({ issuer, listen, ...settings }));
  const env = { ...process.env, NO_COLOR: '1', UPSTREAM_SECRET: clientSecret };
  const program = new Program(binary, ['serve', '--config', 'gatelodge.yaml'], { cwd, env });
  const stop = async () => {
    await program.stop();
    rmSync(cwd, { recursive: true, force: true });
  };
  try {
    await program.until('ready', () => answers(`${issuer}/readyz`), 20);
  } catch (error) {
    await stop();
    throw error;
  }
  return { issuer, resource, tail: () => program.tail(), stop };
}

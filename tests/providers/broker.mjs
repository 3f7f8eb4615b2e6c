// `gatelodge serve` in front of one identity provider.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Program, answers } from './process.mjs';

export const resource = 'https://mcp.example.com/mcp';

/** What policy makes of the people: everybody reads, the platform team writes, alice administers. */
const config = ({ issuer, listen, upstream }) => `
issuer: ${issuer}
listen: ${listen}
store: memory
upstreams:
  - id: ${upstream.id}
    name: ${upstream.name}
    preset: ${upstream.preset}
    issuer: ${upstream.issuer}
    client_id: ${upstream.clientId}
    client_secret: \${UPSTREAM_SECRET}
    scopes: [${upstream.scopes.join(', ')}]
    groups_claim: groups
    allowed_domains: [example.com]
    recheck_after: 0s
resources:
  - url: ${resource}
    name: Acme notes
    scopes: { mcp:read: Read the note, mcp:write: Change the note, mcp:admin: Erase all notes }
access:
  default_scopes: [mcp:read]
  rules:
    - { groups: ["${upstream.platformGroup}"], scopes: [mcp:write] }
  admin_users: [alice@example.com]
  admin_scopes: [mcp:read, mcp:write, mcp:admin]
  contact: it-desk@example.com
logs: { format: text }
`;

/** Starts it at `port` and waits until it answers. */
export async function startBroker(binary, port, upstream) {
  const listen = `127.0.0.1:${port}`;
  const issuer = `http://${listen}`;
  const cwd = mkdtempSync(path.join(tmpdir(), 'gatelodge-'));
  writeFileSync(path.join(cwd, 'gatelodge.yaml'), config({ issuer, listen, upstream }));
  const env = { ...process.env, NO_COLOR: '1', UPSTREAM_SECRET: upstream.clientSecret };
  const program = new Program(binary, ['serve', '--config', 'gatelodge.yaml'], { cwd, env });
  await program.until('ready', () => answers(`${issuer}/readyz`), 20);
  const stop = async () => {
    await program.stop();
    rmSync(cwd, { recursive: true, force: true });
  };
  return { issuer, resource, tail: () => program.tail(), stop };
}

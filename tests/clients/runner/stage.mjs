// What all clients meet: the demo's identity provider and MCP server, and a broker that ends and comes back on its
// store while they stay. All on free ports, in a directory that disappears with them.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Program, answers, freePorts } from '../../providers/process.mjs';
import { choosePlaces, guards, servers } from './places.mjs';
import { here, stageProgram } from './prerequisites.mjs';

/** The identifier of a client that has a document, which the broker need not fetch. */
const document = 'https://clients.example.com/oauth/client.json';

/** Does anything answer at this address, whatever it says? */
async function listens(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  await response.body?.cancel();
  return true;
}

/** Is this address passed on? A proxy may listen before it knows what to do: Traefik then says 404. */
async function passesOn(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  await response.body?.cancel();
  return response.status !== 404;
}

/** How long an access token of the short kind lives: long enough to be used once, short enough to wait for. */
export const shortLife = 3;

/** Starts the three programs; `restart` and `revoke` end the broker and bring it back. */
export async function startStage(binary) {
  const missing = [binary, stageProgram(binary)].find(program => !existsSync(program));
  if (missing) {
    throw new Error(`no ${missing}: cargo build --bins --examples`);
  }
  const [brokerPort, providerPort, mcpPort] = await freePorts(3);
  const at = port => `http://127.0.0.1:${port}`;
  const mcpUrl = `${at(mcpPort)}/mcp`;
  const { behind, places, variables } = await choosePlaces(at(brokerPort));
  const cwd = mkdtempSync(path.join(tmpdir(), 'gatelodge-stage-'));
  copyFileSync(path.join(here, 'runner', 'stage.yaml'), path.join(cwd, 'gatelodge.yaml'));
  const secret = () => randomBytes(32).toString('hex');
  const introspector = { client_id: 'notes-server', client_secret: secret() };
  const env = {
    ...process.env,
    NO_COLOR: '1',
    BROKER: at(brokerPort),
    BROKER_LISTEN: `127.0.0.1:${brokerPort}`,
    PROVIDER: at(providerPort),
    PROVIDER_SECRET: secret(),
    MCP: mcpUrl,
    DOCUMENT: document,
    INTROSPECTOR_SECRET: introspector.client_secret,
    SUITE_TOKEN: secret(),
    ...variables,
  };
  const config = ['--config', 'gatelodge.yaml'];
  const running = new Set();
  let broker;
  let life;
  // A script that was ended may have left a restart under way.
  let turn = Promise.resolve();
  const inTurn = work => (turn = turn.catch(() => {}).then(work));

  async function start([command, args], probe, input) {
    const program = new Program(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    program.child.stdin.end(input);
    running.add(program);
    await program.until('ready', probe, 30);
    return program;
  }

  async function startBroker(seconds) {
    const command = seconds
      ? [stageProgram(binary), ['broker', ...config, '--access-seconds', String(seconds)]]
      : [binary, ['serve', ...config]];
    broker = await start(command, () => answers(`${at(brokerPort)}/readyz`));
    life = seconds;
  }

  /** Asks the broker to end; it must, without being killed. */
  async function endBroker() {
    await broker.stop();
    running.delete(broker);
    const { exitCode, signalCode } = broker.child;
    if (exitCode !== 0) {
      throw new Error(`the broker ended with ${exitCode ?? signalCode}\n${broker.tail()}`);
    }
  }

  /** A command beside the broker, and what it says. */
  function command(...args) {
    const options = { cwd, env, encoding: 'utf8', timeout: 30_000 };
    const { status, stdout, stderr } = spawnSync(binary, [...args, ...config], options);
    if (status !== 0) {
      throw new Error(`gatelodge ${args.join(' ')} ended with ${status}: ${stderr}`);
    }
    return stdout;
  }

  const opened = new Map();
  const once = (key, work) => opened.get(key) ?? opened.set(key, work()).get(key);

  /** Starts what stands at a place, the first time that somebody goes there. */
  async function openPlace({ guard, server }) {
    const { url, port } = places.find(place => place.guard === guard && place.server === server);
    const { url: to, port: behindPort } = behind[server];
    await once(server, () => start(servers[server].command(behindPort), () => listens(to)));
    const { program } = guards[guard];
    const folder = path.join(cwd, `${guard}-${server}`);
    if (program) {
      await once(folder, () => {
        mkdirSync(folder);
        const [broker, server] = [at(brokerPort), to].map(url => new URL(url).host);
        return start(program({ folder, port, broker, server }), () => passesOn(url));
      });
    }
    return url;
  }

  const stop = async () => {
    await Promise.all([...running].map(program => program.stop()));
    rmSync(cwd, { recursive: true, force: true });
  };

  try {
    const provider = ['provider', '--port', String(providerPort), '--redirect-uri', `${at(brokerPort)}/oauth/callback/demo`];
    const discovery = `${at(providerPort)}/.well-known/openid-configuration`;
    await start([stageProgram(binary), provider], () => answers(discovery), env.PROVIDER_SECRET);
    await startBroker();
    const server = ['demo', 'mcp-server', '--listen', `127.0.0.1:${mcpPort}`, '--url', mcpUrl, '--issuer', at(brokerPort)];
    const metadata = `${at(mcpPort)}/.well-known/oauth-protected-resource/mcp`;
    await start([binary, server], () => answers(metadata));
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    document,
    introspector,
    /** The servers that check nothing, without what stands in front. */
    unguarded: Object.fromEntries(Object.values(behind).map(({ name, url }) => [name, url])),
    stop,
    /** The address of a place, of the demo's server without one. */
    open: place => (place ? openPlace(place) : mcpUrl),
    tail: () => [...running].map(program => program.tail()).join('\n'),
    /** Ends the broker and starts it again; access tokens then live so many seconds, or as long as they usually do. */
    restart: seconds =>
      inTurn(async () => {
        await endBroker();
        await startBroker(seconds);
      }),
    /**
     * What an operator does: looks for the sessions of a person at a client and ends each. With the embedded store the
     * broker is not running meanwhile.
     */
    revoke: ({ sub: person, client_id: client }) =>
      inTurn(async () => {
        await endBroker();
        try {
          const sessions = JSON.parse(command('sessions', 'list', '--json', '--person', person));
          const theirs = sessions.filter(session => session.client_id === client);
          if (theirs.length === 0) {
            throw new Error(`${person} has no session at ${client}`);
          }
          theirs.forEach(({ session }) => command('sessions', 'revoke', session));
        } finally {
          await startBroker();
        }
      }),
    /** As it was at the beginning, whatever a client left. */
    settle: () =>
      inTurn(async () => {
        const { exitCode, signalCode } = broker.child;
        if (life || exitCode !== null || signalCode !== null) {
          await endBroker().catch(() => {});
          await startBroker();
        }
      }),
  };
}

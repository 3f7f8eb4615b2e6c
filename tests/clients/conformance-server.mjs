// The MCP conformance suite as a judge of the gateway: whatever it finds in order at a server, it must find in order
// through the gateway, too; and again where the gateway reads every message, since tools have rules.
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Broker } from './broker.mjs';
import { Program, environment, node22, temporaryDirectory } from './program.mjs';
import { main, readOptions, step } from './support.mjs';

const { mcpUrl, control, timeoutMs } = readOptions();
const script = path.join(node22, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js');

/** Scenarios that pass at the server itself, at least: not below, lest the comparison be of nothing. */
const revisions = { '2025-11-25': 33, '2026-07-28': 40 };

/** What the suite says of a server: every check of every scenario, by name, with its outcome. */
async function judged(url, revision) {
  const home = temporaryDirectory();
  const args = ['server', '--url', String(url), '--suite', 'all', '--spec-version', revision, '--output-dir', home];
  const suite = new Program(path.join(node22, 'node'), [script, ...args], environment(home));
  // Its exit code only says whether all was well.
  await suite.ended;
  const checks = new Map();
  const scenarios = new Map();
  for (const folder of readdirSync(home).filter(name => name.startsWith('server-'))) {
    const scenario = folder.replace(/^server-(.*?)-\d{4}-\d\d-\d\dT.*$/, '$1');
    const found = JSON.parse(readFileSync(path.join(home, folder, 'checks.json'), 'utf8'));
    scenarios.set(scenario, found.length > 0 && found.every(({ status }) => passes.includes(status)));
    for (const { id, status, errorMessage } of found) {
      // Some are made more than once.
      const nth = [...checks.keys()].filter(name => name.startsWith(`${scenario} ${id} `)).length + 1;
      checks.set(`${scenario} ${id} ${nth}`, { status, why: errorMessage });
    }
  }
  assert(scenarios.size > 0, `the suite judged nothing:\n${suite.stdout.text}\n${suite.stderr.text}`);
  return { checks, scenarios };
}

const passes = ['SUCCESS', 'INFO'];

await main(timeoutMs, undefined, async () => {
  const { unguarded } = await new Broker(control).facts();
  const ways = { 'through the gateway': mcpUrl, 'through the gateway, which reads messages': `${mcpUrl}/ruled` };
  for (const [revision, least] of Object.entries(revisions)) {
    let direct;
    await step(`${revision}: the server by itself`, async () => {
      direct = await judged(unguarded.everything, revision);
      const good = [...direct.scenarios.values()].filter(Boolean).length;
      assert(good >= least, `only ${good} scenarios pass, not ${least}`);
      return `${good} of ${direct.scenarios.size} scenarios, ${direct.checks.size} checks`;
    });
    for (const [way, url] of Object.entries(ways)) {
      await step(`${revision}: ${way}`, async () => {
        const { checks } = await judged(url, revision);
        const lost = [...direct.checks].filter(([name, { status }]) => passes.includes(status) && checks.get(name)?.status !== status);
        const said = lost.map(([name]) => `${name}: ${checks.get(name)?.status ?? 'missing'} ${checks.get(name)?.why ?? ''}`);
        assert.deepEqual(said, []);
        return `${checks.size} checks`;
      });
    }
    console.log(`did: ${revision}: ${direct.scenarios.size} scenarios, ${direct.checks.size} checks`);
  }
});

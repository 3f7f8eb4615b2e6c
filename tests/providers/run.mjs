#!/usr/bin/env node
// Every real identity provider in turn behind a `gatelodge serve`, with a real browser at its pages.
// usage: node run.mjs PATH_TO_GATELODGE [--only SUITE]... [--scenario WORDS]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { closeBrowser } from '../clients/browser.mjs';
import { keycloak } from './keycloak.mjs';
import { nodeOidcProvider } from './node_oidc_provider.mjs';
import { within } from './process.mjs';
import { several } from './several.mjs';
import { shapes } from './shapes.mjs';

/**
 * A suite has a `name`, what it `needs`, its `version`, and `start`, which answers a stage: what its
 * `scenarios` run on, with the last lines of its programs (`tails`) and its end (`stop`).
 */
const suites = [nodeOidcProvider, ...shapes, several, keycloak];

/** No scenario takes as long as this, in seconds, unless it hangs. */
const longest = 90;

const options = { only: { type: 'string', multiple: true }, scenario: { type: 'string', default: '' } };
const { values, positionals } = parseArgs({ allowPositionals: true, options });
const known = suites.map(suite => suite.name);
if (positionals.length !== 1 || values.only?.some(name => !known.includes(name))) {
  console.error(`usage: run.mjs PATH_TO_GATELODGE [--only SUITE]... [--scenario WORDS]\nsuites: ${known.join(' ')}`);
  process.exit(2);
}
const binary = path.resolve(positionals[0]);
const counts = { passed: 0, failed: 0, skipped: 0 };

const since = start => `${((Date.now() - start) / 1000).toFixed(1)} s`;

async function walk(suite) {
  const started = Date.now();
  const stage = await suite.start(binary);
  console.log(`${suite.version()}, started in ${since(started)}`);
  for (const { name, run } of suite.scenarios.filter(({ name }) => name.includes(values.scenario))) {
    const began = Date.now();
    try {
      await within(longest, name, run(stage));
      counts.passed += 1;
      console.log(`ok: ${name} (${since(began)})`);
    } catch (error) {
      counts.failed += 1;
      console.log([`not ok: ${name}: ${error.stack}`, 'the last lines:', ...stage.tails()].join('\n'));
    }
  }
  await stage.stop();
}

for (const suite of suites.filter(({ name }) => !values.only || values.only.includes(name))) {
  console.log(`\n== ${suite.name}`);
  const missing = suite.needs.map(need => need()).find(Boolean);
  if (missing) {
    counts[process.env.CI === 'true' ? 'failed' : 'skipped'] += 1;
    console.log(`skipped: ${missing}`);
    continue;
  }
  try {
    await walk(suite);
  } catch (error) {
    counts.failed += 1;
    console.log(`not ok: ${error.message}`);
  }
}
await closeBrowser();
console.log(`\n${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ''}`);
// Whatever a scenario that failed has left open is not waited for.
process.exit(counts.failed === 0 ? 0 : 1);

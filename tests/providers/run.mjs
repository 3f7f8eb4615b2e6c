#!/usr/bin/env node
// Every real identity provider in turn behind a `gatelodge serve`, with a real browser at its pages.
// usage: node run.mjs PATH_TO_GATELODGE [--only NAME]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { closeBrowser } from '../clients/browser.mjs';
import { startBroker } from './broker.mjs';
import { keycloak } from './keycloak.mjs';
import { nodeOidcProvider } from './node_oidc_provider.mjs';
import { freePorts } from './process.mjs';
import { scenarios } from './scenarios.mjs';

const providers = [nodeOidcProvider, keycloak];
const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string', multiple: true } } });
const known = providers.map(provider => provider.name);
if (positionals.length !== 1 || values.only?.some(name => !known.includes(name))) {
  console.error(`usage: run.mjs PATH_TO_GATELODGE [--only NAME]...\nnames: ${known.join(' ')}`);
  process.exit(2);
}
const binary = path.resolve(positionals[0]);
const counts = { passed: 0, failed: 0, skipped: 0 };

/** All scenarios with one provider. */
async function walk(provider) {
  const [port] = await freePorts(1);
  const upstream = await provider.start(`http://127.0.0.1:${port}`);
  const broker = await startBroker(binary, port, upstream.upstream);
  for (const { name, run } of scenarios.filter(({ needs }) => !needs || upstream[needs])) {
    try {
      await run(broker, upstream);
      counts.passed += 1;
      console.log(`ok: ${name}`);
    } catch (error) {
      counts.failed += 1;
      console.log(`not ok: ${name}: ${error.stack}\nthe broker's last lines:\n${broker.tail()}\nthe provider's:\n${upstream.tail()}`);
    }
  }
  await broker.stop();
  await upstream.stop();
}

for (const provider of providers.filter(({ name }) => !values.only || values.only.includes(name))) {
  console.log(`\n== ${provider.name}`);
  const missing = provider.needs.map(need => need()).find(Boolean);
  if (missing) {
    counts[process.env.CI === 'true' ? 'failed' : 'skipped'] += 1;
    console.log(`skipped: ${missing}`);
    continue;
  }
  console.log(provider.version());
  try {
    await walk(provider);
  } catch (error) {
    counts.failed += 1;
    console.log(`not ok: ${error.message}`);
  }
}
await closeBrowser();
console.log(`\n${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ''}`);
process.exitCode = counts.failed === 0 ? 0 : 1;

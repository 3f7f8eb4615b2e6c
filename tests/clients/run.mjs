#!/usr/bin/env node
// Every real client in turn in front of one broker. Needs node, npm, python3 and Chromium, nothing else.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { clients } from './runner/clients.mjs';
import { openControl } from './runner/control.mjs';
import { here, prerequisites } from './runner/prerequisites.mjs';
import { startStage } from './runner/stage.mjs';
import { tableFaults, writeTable } from './runner/table.mjs';

const usage = `usage: run.mjs PATH_TO_GATELODGE [--only NAME]... [--screenshots DIR] [--check-table FILE | --write-table FILE]
  --check-table FILE   fail when the tables in FILE are not what this run saw
  --write-table FILE   put what this run saw into FILE`;

/** Runs one client; what it says that it did comes back beside the outcome. */
async function runClient(client, mcpUrl, { control, browser }, screenshots) {
  const [command, ...args] = client.command();
  const folder = path.join(screenshots, client.name);
  const told = ['--mcp-url', mcpUrl, '--control', control.url, '--screenshots', folder];
  const env = { ...process.env, SHARED_BROWSER: browser.endpoint };
  const child = spawn(command, [...args, ...told], { cwd: here, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const did = [];
  createInterface({ input: child.stdout }).on('line', text => {
    if (!text.startsWith('did: ')) {
      console.log(text);
    } else if (!did.includes(text.slice(5))) {
      did.push(text.slice(5));
    }
  });
  const hard = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const [code, signal] = await once(child, 'close');
  clearTimeout(hard);
  return { did, result: code === 0 ? 'passed' : 'failed', why: code === 0 ? '' : `exit ${code ?? signal}` };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    screenshots: { type: 'string' },
    'check-table': { type: 'string' },
    'write-table': { type: 'string' },
  },
});
const binary = path.resolve(positionals[0] ?? '');
const everyone = clients(binary);
const known = everyone.map(client => client.name);
const unknown = (values.only ?? []).filter(name => !known.includes(name));
if (positionals.length !== 1 || unknown.length > 0) {
  console.error(`${usage}\nnames: ${known.join(' ')}`);
  process.exit(2);
}
const prerequisite = prerequisites(binary);
const screenshots = path.resolve(values.screenshots ?? mkdtempSync(path.join(tmpdir(), 'gatelodge-screenshots-')));
const rows = [];
let starting;

/** Broker, provider and MCP server, what the scripts ask for a restart, and the browser. */
async function start() {
  const stage = await startStage(binary);
  // Its package is there only now.
  const { shareBrowser } = await import('./browser.mjs');
  return { stage, control: await openControl(stage), browser: await shareBrowser() };
}

for (const client of everyone.filter(({ name }) => !values.only || values.only.includes(name))) {
  console.log(`\n== ${client.name}`);
  const { name, title, judge, place } = client;
  const row = { name, title, judge, place, version: '', seen: '', did: [], took: '' };
  const missing = client.needs.map(need => prerequisite[need]()).find(Boolean);
  if (missing) {
    console.log(`skipped: ${missing}`);
    rows.push({ ...row, result: process.env.CI === 'true' ? 'failed' : 'skipped', why: missing });
    continue;
  }
  try {
    row.version = client.version();
    row.seen = (client.seen ?? client.version)();
    starting ??= start();
    const at = await starting;
    await at.stage.settle();
    const mcpUrl = await at.stage.open(place);
    const started = performance.now();
    const ended = await runClient(client, mcpUrl, at, screenshots);
    row.took = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    rows.push({ ...row, ...ended });
    if (ended.result === 'failed') {
      console.error(`\nthe last lines of provider, broker and MCP server:\n${at.stage.tail()}`);
    }
  } catch (error) {
    console.log(`not ok: ${error.message}`);
    rows.push({ ...row, result: 'failed', why: error.message.split('\n')[0] });
  }
}
await starting
  ?.then(({ stage, control, browser }) => {
    control.close();
    return Promise.all([browser.close(), stage.stop()]);
  })
  .catch(() => {});

const columns = { name: 'client', seen: 'version', took: 'time', result: 'result', why: '' };
const width = key => Math.max(columns[key].length, ...rows.map(row => row[key].length));
const line = row =>
  Object.keys(columns)
    .map(key => row[key].padEnd(width(key)))
    .join('  ')
    .trimEnd();
console.log(['', columns, ...rows].map(row => (row ? line(row) : '')).join('\n'));
const count = result => rows.filter(row => row.result === result).length;
console.log(`\nscreenshots: ${screenshots}`);
const skipped = count('skipped');
console.log(`${count('passed')} passed, ${count('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = count('failed') === 0 ? 0 : 1;

const passed = rows.filter(row => row.result === 'passed');
const complete = passed.length === everyone.length;
if (values['write-table']) {
  if (!complete) {
    console.error(`${values['write-table']} is left alone: only a run in which every client passes may write it`);
    process.exitCode = 1;
  } else {
    writeTable(values['write-table'], passed);
  }
} else if (values['check-table']) {
  const faults = tableFaults(values['check-table'], passed, complete);
  if (faults.length > 0) {
    console.error(`\n${faults.join('\n')}`);
    console.error(`The table is stale: ./dev clients --write-table ${values['check-table']}`);
    process.exitCode = 1;
  }
}

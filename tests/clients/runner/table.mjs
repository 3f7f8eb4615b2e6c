// The tables of docs/clients.md: only what a run saw stands between the two markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { guards, servers } from './places.mjs';

const begin = '<!-- written by tests/clients/run.mjs: begin -->';
const end = '<!-- written by tests/clients/run.mjs: end -->';

/** What a client's `did` may name; an empty cell is what the client does not do. */
const columns = ['registration', 'sign-in', 'refresh', 'step-up', 'broker restarted', 'grants revoked'];

const heads = {
  clients: [`| client | version | ${columns.join(' | ')} |`, `|---|---|${columns.map(() => '---|').join('')}`],
  guarded: [
    `| behind | a server of the | client | ${columns.join(' | ')} |`,
    `|---|---|---|${columns.map(() => '---|').join('')}`,
  ],
  judges: ['| judge | version | what was done |', '|---|---|---|'],
};

// A package's name in code font, its version beside it.
const cell = version => version.replace(/^(\S+) (\d\S*)$/, '`$1` $2');

/** What was said of one column. */
function said(did, column) {
  const prefix = `${column}: `;
  return did.filter(what => what.startsWith(prefix)).map(what => what.slice(prefix.length));
}

/** What a row did, column by column; a judge names no columns. */
function seen({ title, did, judge }) {
  const strange = did.find(what => !columns.some(column => what.startsWith(`${column}: `)));
  if (strange && !judge) {
    throw new Error(`${title} did "${strange}", which has no column`);
  }
  return judge ? [did.join(', ')] : columns.map(column => said(did, column).join(', ') || '–');
}

function line(row) {
  const { title, version, place } = row;
  const who = kind(row) === 'guarded' ? guarded(place, title) : [title, cell(version)];
  return `| ${[...who, ...seen(row)].join(' | ')} |`;
}

function guarded({ guard, server }, client) {
  return [guards[guard].title, `${servers[server].title}, ${cell(servers[server].version())}`, client];
}

/** Which table a row is in. */
function kind({ judge, place }) {
  if (judge) {
    return 'judges';
  }
  return place ? 'guarded' : 'clients';
}

/** The lines of all tables, with their heads; the blank line is what parts them. */
function tables(rows) {
  const part = name => {
    const some = rows.filter(row => kind(row) === name);
    return some.length > 0 ? [...heads[name], ...some.map(line), ''] : [];
  };
  return Object.keys(heads).flatMap(part).slice(0, -1);
}

function parts(file) {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`${file} has no table between ${begin} and ${end}`);
  }
  return { before: text.slice(0, from), table: text.slice(from + begin.length, to), after: text.slice(to) };
}

/** Replaces the tables and leaves the rest of the page alone. */
export function writeTable(file, rows) {
  const { before, after } = parts(file);
  writeFileSync(file, `${before}${begin}\n${tables(rows).join('\n')}\n${after}`);
}

/** What this run saw and the page does not say, and the other way round; `complete` when every client was run. */
export function tableFaults(file, rows, complete) {
  const committed = parts(file).table.trim().split('\n');
  const seen = tables(rows);
  return [
    ...seen.filter(row => !committed.includes(row)).map(row => `seen, not in ${file}:  ${row}`),
    ...(complete ? committed.filter(row => !seen.includes(row)).map(row => `in ${file}, not seen:  ${row}`) : []),
  ];
}

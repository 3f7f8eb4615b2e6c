// The table of docs/clients.md: only what a run saw stands between the two markers.
import { readFileSync, writeFileSync } from 'node:fs';

const begin = '<!-- written by tests/clients/run.mjs: begin -->';
const end = '<!-- written by tests/clients/run.mjs: end -->';
const head = ['| client | version | what was done | result |', '|---|---|---|---|'];

// A package's name in code font, its version beside it.
const cell = version => version.replace(/^(\S+) (\d\S*)$/, '`$1` $2');
const line = ({ title, version, did, result }) => `| ${title} | ${cell(version)} | ${did.join(', ')} | ${result} |`;

function parts(file) {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`${file} has no table between ${begin} and ${end}`);
  }
  return { before: text.slice(0, from), table: text.slice(from + begin.length, to), after: text.slice(to) };
}

/** Replaces the table and leaves the rest of the page alone. */
export function writeTable(file, rows) {
  const { before, after } = parts(file);
  writeFileSync(file, `${before}${begin}\n${[...head, ...rows.map(line)].join('\n')}\n${after}`);
}

/** What this run saw and the page does not say, and the other way round; `complete` when every client was run. */
export function tableFaults(file, rows, complete) {
  const committed = parts(file).table.trim().split('\n').slice(head.length);
  const seen = rows.map(line);
  return [
    ...seen.filter(row => !committed.includes(row)).map(row => `seen, not in ${file}:  ${row}`),
    ...(complete ? committed.filter(row => !seen.includes(row)).map(row => `in ${file}, not seen:  ${row}`) : []),
  ];
}

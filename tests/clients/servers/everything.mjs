// The server that the MCP conformance suite takes through everything: `node everything.mjs PORT`.
import { McpServer } from '@modelcontextprotocol/server';
import { addContent } from './features/content.mjs';
import { addDialogues, state } from './features/dialogues.mjs';
import { addReading } from './features/reading.mjs';
import { serve } from './host.mjs';

const changes = { listChanged: true };
const capabilities = {
  tools: changes,
  resources: { ...changes, subscribe: true },
  prompts: changes,
  logging: {},
  completions: {},
};

function everything(notify) {
  const requestState = { verify: state.verify };
  const server = new McpServer({ name: 'everything', version: '1.0.0' }, { capabilities, requestState });
  addContent(server, notify);
  addDialogues(server);
  addReading(server);
  return server;
}

await serve(everything, Number(process.argv[2]));

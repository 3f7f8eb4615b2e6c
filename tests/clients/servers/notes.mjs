// A server that leaves who may call it to what stands in front: `node notes.mjs PORT`. Who calls is in its headers.
import { McpServer, fromJsonSchema } from '@modelcontextprotocol/server';
import { serve } from './host.mjs';

const notes = new Map();
const say = text => ({ content: [{ type: 'text', text }] });
const strings = (...names) =>
  fromJsonSchema({
    type: 'object',
    properties: Object.fromEntries(names.map(name => [name, { type: 'string' }])),
    required: names,
  });

function notesServer() {
  const server = new McpServer({ name: 'notes-typescript', version: '1.0.0' });
  const tool = (name, inputSchema, answer) => server.registerTool(name, { inputSchema }, answer);
  tool('whoami', strings(), async (_, { http }) => {
    const { headers } = http.req;
    if (headers.has('authorization')) {
      throw new Error("the client's token came through");
    }
    const said = ['user', 'email', 'client', 'scopes'].map(what => [what, headers.get(`x-auth-${what}`)]);
    return say(JSON.stringify(Object.fromEntries(said)));
  });
  tool('write_note', strings('title', 'text'), async ({ title, text }) => {
    notes.set(title, text);
    return say('Written.');
  });
  tool('read_note', strings('title'), async ({ title }) => say(notes.get(title) ?? 'There is no such note.'));
  tool('reset_notes', strings(), async () => {
    notes.clear();
    return say('There are no notes any more.');
  });
  return server;
}

await serve(notesServer, Number(process.argv[2]));

// Resources, prompts, and what a client may set.
import { ResourceTemplate, fromJsonSchema } from '@modelcontextprotocol/server';
import { image, text } from './content.mjs';

function addResources(server) {
  const resource = (name, what) => {
    const uri = `test://${name}`;
    server.registerResource(name, uri, { description: name, mimeType: what.mimeType }, async () => ({
      contents: [{ uri, ...what }],
    }));
  };
  resource('static-text', { mimeType: 'text/plain', text: 'This is the content of the static text resource.' });
  resource('static-binary', { mimeType: image.mimeType, blob: image.data });
  resource('watched-resource', { mimeType: 'text/plain', text: 'Watched resource content' });
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { mimeType: 'application/json' }, async (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id, data: `Data for ID: ${id}` }) }],
  }));
}

function addPrompts(server) {
  const strings = names => ({
    type: 'object',
    properties: Object.fromEntries(names.map(name => [name, { type: 'string', description: name }])),
    required: names,
  });
  const prompt = (name, args, messages) => {
    const argsSchema = args.length > 0 ? fromJsonSchema(strings(args)) : undefined;
    server.registerPrompt(name, { description: name, argsSchema }, async given => ({
      messages: messages(given).map(content => ({ role: 'user', content })),
    }));
  };
  prompt('test_simple_prompt', [], () => [text('This is a simple prompt for testing.')]);
  prompt('test_prompt_with_arguments', ['arg1', 'arg2'], ({ arg1, arg2 }) => [text(`arg1='${arg1}', arg2='${arg2}'`)]);
  prompt('test_prompt_with_embedded_resource', ['resourceUri'], ({ resourceUri: uri }) => [
    { type: 'resource', resource: { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' } },
    text('Please process the embedded resource above.'),
  ]);
  prompt('test_prompt_with_image', [], () => [{ type: 'image', ...image }, text('Please analyze the image above.')]);
}

export function addReading(server) {
  addResources(server);
  addPrompts(server);
  for (const method of ['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']) {
    server.server.setRequestHandler(method, async () => ({}));
  }
  server.server.setRequestHandler('completion/complete', async () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
}

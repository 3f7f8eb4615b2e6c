// Tools that answer at once, each with another kind of content, and what they say on the way.
import { setTimeout as pause } from 'node:timers/promises';
import { fromJsonSchema } from '@modelcontextprotocol/server';

/** One red pixel. */
export const image = {
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
  mimeType: 'image/png',
};

/** A file without a sound. */
const audio = { data: 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=', mimeType: 'audio/wav' };

export const nothing = fromJsonSchema({ type: 'object', properties: {} });
export const text = words => ({ type: 'text', text: words });

/** A tool without arguments. */
export function tool(server, name, answer, inputSchema = nothing) {
  server.registerTool(name, { description: `Conformance: ${name}`, inputSchema }, answer);
}

/** Tools whose answer is always the same. */
const answers = {
  test_simple_text: [text('This is a simple text response for testing.')],
  test_image_content: [{ type: 'image', ...image }],
  test_audio_content: [{ type: 'audio', ...audio }],
  test_embedded_resource: [
    { type: 'resource', resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'Embedded.' } },
  ],
  test_multiple_content_types: [
    text('Multiple content types test:'),
    { type: 'image', ...image },
    { type: 'resource', resource: { uri: 'test://mixed', mimeType: 'application/json', text: '{"test":"data"}' } },
  ],
  test_streaming_elicitation: [text('nothing but the result')],
};

/** JSON Schema 2020-12, whose words must arrive as they are. */
const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

/** What an argument says stands in a header, too. */
const mirrored = {
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } },
};

export function addContent(server, notify) {
  for (const [name, content] of Object.entries(answers)) {
    tool(server, name, async () => ({ content }));
  }
  tool(server, 'test_error_handling', async () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  tool(server, 'json_schema_2020_12_tool', async () => ({ content: [text('called')] }), fromJsonSchema(schema));
  tool(
    server,
    'test_x_mcp_header',
    async ({ region }) => ({ content: [text(`region=${region}`)] }),
    fromJsonSchema(mirrored),
  );

  tool(server, 'test_tool_with_logging', async (_, { mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
      await pause(50);
    }
    return { content: [text('logged')] };
  });
  tool(server, 'test_logging_tool', async (_, { mcpReq }) => {
    await mcpReq.log('info', 'only for who asked for it');
    return { content: [text('logged')] };
  });
  tool(server, 'test_tool_with_progress', async (_, { mcpReq }) => {
    const { progressToken } = mcpReq._meta ?? {};
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      await pause(50);
    }
    return { content: [text(String(progressToken))] };
  });
  // The answer comes on the stream that the client opens again.
  tool(server, 'test_reconnection', async (_, { http }) => {
    http?.closeSSE?.();
    await pause(100);
    return { content: [text('the client came back')] };
  });

  tool(server, 'test_trigger_tool_change', async () => {
    notify.toolsChanged();
    return { content: [text('told')] };
  });
  tool(server, 'test_trigger_prompt_change', async () => {
    notify.promptsChanged();
    return { content: [text('told')] };
  });
}

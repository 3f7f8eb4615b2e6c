// A server of the TypeScript SDK v2 over HTTP, as its documentation has it: sessions whose streams can be resumed for
// MCP 2025-11-25, a request at a time for 2026-07-28. It asks nobody for a token.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import {
  classifyInboundRequest,
  createMcpHandler,
  isInitializeRequest,
  localhostAllowedHostnames,
  validateHostHeader,
} from '@modelcontextprotocol/server';

/** The events of one session, numbered as they were sent. */
class Events {
  #sent = [];

  async storeEvent(stream, message) {
    this.#sent.push({ stream, message });
    return String(this.#sent.length);
  }

  async getStreamIdForEventId(id) {
    return this.#sent[Number(id) - 1]?.stream;
  }

  async replayEventsAfter(last, { send }) {
    const stream = await this.getStreamIdForEventId(last);
    for (const [index, event] of this.#sent.entries()) {
      // An event without a message only named the place from which to go on.
      if (index >= Number(last) && event.stream === stream && event.message?.jsonrpc) {
        await send(String(index + 1), event.message);
      }
    }
    return stream;
  }
}

function refuse(response, status, code, message) {
  const error = { jsonrpc: '2.0', error: { code, message }, id: null };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(error));
}

/**
 * Serves at /mcp what `create` makes, one for each session or request, until the process ends. `create` is given what
 * tells those who listen of changes.
 */
export async function serve(create, port) {
  const sessions = new Map();
  const handler = createMcpHandler(() => create(handler.notify), { onerror: error => console.error(error) });
  const stateless = toNodeHandler(handler);

  async function newSession() {
    const server = create(handler.notify);
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new Events(),
      retryInterval: 500,
      onsessioninitialized: id => sessions.set(id, transport),
    });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await server.connect(transport);
    return transport;
  }

  async function answer(request, response) {
    // A page elsewhere whose name leads here must not get in.
    if (!validateHostHeader(request.headers.host, localhostAllowedHostnames()).ok) {
      return refuse(response, 403, -32000, 'unknown host');
    }
    if (new URL(request.url, 'http://127.0.0.1').pathname !== '/mcp') {
      return response.writeHead(404).end();
    }
    const { method: httpMethod, headers } = request;
    let body;
    if (httpMethod === 'POST') {
      try {
        body = await json(request);
      } catch {
        return refuse(response, 400, -32700, 'no JSON');
      }
      const { kind } = classifyInboundRequest({
        httpMethod,
        protocolVersionHeader: headers['mcp-protocol-version'],
        mcpMethodHeader: headers['mcp-method'],
        body,
      });
      if (kind !== 'legacy') {
        return stateless(request, response, body);
      }
    }
    const id = headers['mcp-session-id'];
    if (id ? !sessions.has(id) : !isInitializeRequest(body)) {
      return refuse(response, id ? 404 : 400, -32001, id ? 'no such session' : 'no session');
    }
    const transport = id ? sessions.get(id) : await newSession();
    return transport.handleRequest(request, response, body);
  }

  const server = createServer((request, response) =>
    answer(request, response).catch(error => {
      console.error(error);
      response.headersSent ? response.destroy() : refuse(response, 500, -32603, 'internal error');
    }),
  );
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

// One person's MCP client (TypeScript SDK v1), for tests that bring their own surroundings.
import { strict as assert } from 'node:assert';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Callback, MemoryProvider, textOf } from './support.mjs';

export class Visitor {
  static async open(mcpUrl, name, trace) {
    const visitor = new Visitor();
    visitor.mcpUrl = mcpUrl;
    visitor.trace = trace;
    visitor.callback = await Callback.open();
    visitor.provider = new MemoryProvider(visitor.callback.redirectUri, name);
    return visitor;
  }

  async connect() {
    this.client = new Client({ name: 'gatelodge-visitor', version: '1.0.0' });
    const options = { authProvider: this.provider, fetch: this.trace.fetch };
    this.transport = new StreamableHTTPClientTransport(this.mcpUrl, options);
    await this.client.connect(this.transport);
  }

  /** Connects without a token; answers the URL that the browser is sent to. */
  async wantsToSignIn() {
    await assert.rejects(this.connect(), UnauthorizedError);
    return String(this.provider.redirects.at(-1));
  }

  /** Redeems what the browser brought back, and connects. */
  async finish() {
    const query = await this.callback.next();
    await this.transport.finishAuth(query.get('code'));
    await this.connect();
  }

  async call(name, args = {}) {
    return textOf(await this.client.callTool({ name, arguments: args }));
  }

  async close() {
    await this.client?.close();
    await this.callback.close();
  }
}

// How a client's script, a process of its own, has the broker restarted or its grants ended: a loopback server of the run.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { shortLife } from './stage.mjs';

/**
 * `GET /` says what a script may need to know. `POST /restart?life=short|usual` and `POST /revoke`, with an
 * access token of the grant, answer when the broker is there again; after a revocation tokens live as long as usual.
 */
export async function openControl(stage) {
  const { document, introspector, unguarded } = stage;
  const actions = {
    'GET /': () => ({ document, introspector, unguarded }),
    'POST /restart': query => stage.restart(query.get('life') === 'short' ? shortLife : undefined),
    'POST /revoke': (_, token) => stage.revoke(JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))),
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    const action = actions[`${request.method} ${url.pathname}`];
    try {
      const answer = await action(url.searchParams, await text(request));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error.message));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close().closeAllConnections() };
}

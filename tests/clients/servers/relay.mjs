// Between the broker and a client that can bring no token: adds one, and else changes nothing.
// `node relay.mjs PORT BROKER`, the token in `SUITE_TOKEN`.
import { createServer, request as send } from 'node:http';
import { pipeline } from 'node:stream';

const [port, broker] = process.argv.slice(2);
const { hostname, port: brokerPort } = new URL(`http://${broker}`);
const authorization = ['Authorization', `Bearer ${process.env.SUITE_TOKEN}`];

createServer((asked, answer) => {
  const { method, url: path, rawHeaders } = asked;
  const headers = [...rawHeaders, ...authorization];
  const onward = send({ hostname, port: brokerPort, method, path, headers, setHost: false }, answered => {
    answer.writeHead(answered.statusCode, answered.rawHeaders);
    answer.flushHeaders();
    pipeline(answered, answer, () => {});
  });
  onward.on('error', () => answer.destroy());
  answer.on('close', () => onward.destroy());
  pipeline(asked, onward, () => {});
}).listen(Number(port), '127.0.0.1');

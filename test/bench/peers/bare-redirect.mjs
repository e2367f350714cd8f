// The least a redirect endpoint on Node can do that records its clicks: look the token up, append the click, answer.
// bare-redirect.mjs PORT REDIS_SOCKET
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const [port, path] = process.argv.slice(2);
const redis = new Redis({ path });
const HEADERS = ['cache-control', 'no-store', 'x-robots-tag', 'noindex', 'content-length', '0'];

createServer(async (request, response) => {
  const target = await redis.get(`bare:${request.url.slice(1)}`);
  if (target === null) {
    response.writeHead(404).end();
    return;
  }
  const event = { url: target, user_agent: request.headers['user-agent'], timestamp: Date.now() };
  await redis.xadd('bare:events', 'MAXLEN', '~', 100_000, '*', 'event', JSON.stringify(event));
  // The headers of ours; without a length Node would answer in chunks, which costs more.
  response.writeHead(302, ['location', target, ...HEADERS]).end();
}).listen(Number(port), '127.0.0.1');

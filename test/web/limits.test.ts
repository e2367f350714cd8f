import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Report } from '../../src/store/counters.ts';
import { noNumbers } from '../../src/store/counting.ts';
import { LoginToken } from '../../src/web/login-token.ts';
import { openWeb } from '../helpers/web.ts';

const STRANGER = 'Host: localhost\r\nOrigin: http://localhost\r\nX-Forwarded-For: 192.0.2.1\r\n';

const TOTAL = { key: '', ...noNumbers() };

/** The page on a port, for one request at a time. */
async function serve(options: Parameters<typeof openWeb>[0] = {}) {
  const token = new LoginToken('0123456789abcdef');
  const web = await openWeb({ maxRequests: 1, token, ...options });
  const server = createServer();
  web.attach(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const open = (text: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    socket.write(text);
    return socket;
  };
  return { server, open, url: `http://127.0.0.1:${port}` };
}

test('strangers who send slowly take no place from those who look', async () => {
  const { server, open, url } = await serve();
  const head = `POST /login HTTP/1.1\r\n${STRANGER}Content-Type: application/x-www-form-urlencoded\r\n`;
  const asked = once(server, 'request');
  open(`${head}Content-Length: 100\r\n\r\ntoken=`);
  await asked;
  expect((await fetch(`${url}/rows?by=day`)).status).toBe(200);
});

test('strangers who do not read take no place from those who look', async () => {
  const { server, open, url } = await serve();
  const socket = open('').pause();
  for (let unsent = 0; unsent === 0; ) {
    const asked = once(server, 'request');
    socket.write(`GET /assets/uPlot.esm.js HTTP/1.1\r\n${STRANGER}\r\n`);
    const [, response] = await asked;
    await new Promise(setImmediate);
    unsent = response.writableFinished ? 0 : response.writableLength;
  }
  expect((await fetch(`${url}/rows?by=day`)).status).toBe(200);
});

test('a view goes on taking its place after its client has gone, until it is done', async () => {
  let finish = (_report: Report) => {};
  const waiting = new Promise<Report>((resolve) => {
    finish = resolve;
  });
  const reports = { report: () => waiting, clicksOf: async () => [] };
  const { server, open, url } = await serve({ reports });
  const asked = once(server, 'request');
  const socket = open('GET /rows?by=day HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [, response] = await asked;
  await new Promise(setImmediate);
  const closed = once(response, 'close');
  socket.destroy();
  await closed;
  expect((await fetch(`${url}/rows?by=day`)).status).toBe(503);
  finish({ rows: [], total: TOTAL, unreadable: 0 });
  await expect.poll(async () => (await fetch(`${url}/rows?by=day`)).status).toBe(200);
});

test('a connection that asks again and again without an answer is dropped', async () => {
  const { open } = await serve();
  const socket = open(`GET /login HTTP/1.1\r\n${STRANGER}\r\n`.repeat(100)).resume();
  await once(socket, 'close');
  expect(socket.bytesRead).toBeLessThan(50 * 2000);
});

test('a connection may ask again after each answer', async () => {
  const { open } = await serve();
  const request = `GET /assets/icon.svg HTTP/1.1\r\n${STRANGER}\r\n`;
  const socket = open('').setEncoding('latin1');
  for (let count = 0; count < 20; count++) {
    socket.write(request);
    let answer = '';
    while (!answer.includes('</svg>')) [answer] = [answer + (await once(socket, 'data'))[0]];
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  }
});

test('a connection on which nothing moves is closed, later than two beats of events', async () => {
  const { server } = await serve();
  expect(server.timeout).toBeGreaterThan(30_000);
});

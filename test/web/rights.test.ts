import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { clientOf, rightsOf } from '../../src/web/rights.ts';

test('a connection that broke off is not one to a unix socket', () => {
  const request = new IncomingMessage(new Socket());
  expect(request.socket.remoteAddress).toBeUndefined();
  expect(rightsOf(request, false)).toEqual({ look: false, change: false });
  expect(rightsOf(request, true)).toEqual({ look: true, change: true });
});

const FAR = '192.0.2.1';
test.each<[string, string | undefined, Record<string, string>, string | undefined]>([
  ['this host', '127.0.0.1', {}, '127.0.0.1'],
  ['a unix socket', undefined, {}, undefined],
  ['another host', FAR, {}, FAR],
  ['another host that names a third', FAR, { 'x-forwarded-for': '192.0.2.2' }, FAR],
  ['another host that names a third otherwise', FAR, { 'x-real-ip': '192.0.2.2' }, FAR],
  ['a proxy', '127.0.0.1', { 'x-forwarded-for': `192.0.2.2, ${FAR}` }, FAR],
  ['a proxy before another', '::1', { 'x-forwarded-for': `${FAR}, 127.0.0.1` }, FAR],
  ['a proxy at a unix socket', undefined, { 'x-forwarded-for': FAR }, FAR],
  ['a proxy of another kind', '127.0.0.1', { 'x-real-ip': FAR }, FAR],
  [
    'a proxy that sets one and passes on another',
    '127.0.0.1',
    { 'x-forwarded-for': FAR, 'x-real-ip': '192.0.2.2' },
    FAR,
  ],
  ['a proxy of RFC 7239', '127.0.0.1', { forwarded: `for=${FAR};proto=https` }, FAR],
  [
    'a proxy of RFC 7239 behind another',
    undefined,
    { forwarded: `For=192.0.2.2, by=a; for="${FAR}:4711";proto=https, for=127.0.0.1` },
    FAR,
  ],
  [
    'a proxy of RFC 7239 with an IPv6 client',
    '::1',
    { forwarded: 'proto=https;for="[2001:db8::17]:4711"' },
    '2001:db8::17',
  ],
  [
    'a proxy that sets another header and passes on Forwarded',
    '127.0.0.1',
    { 'x-real-ip': FAR, forwarded: 'for=192.0.2.2' },
    FAR,
  ],
  ['another host that names a third by RFC 7239', FAR, { forwarded: 'for=192.0.2.2' }, FAR],
  ['a proxy that hides its client', '127.0.0.1', { forwarded: 'for=unknown' }, '127.0.0.1'],
  ['a proxy that names a host', '127.0.0.1', { forwarded: 'for="_x";for=1.2.3.999' }, '127.0.0.1'],
  ['a proxy that only says that it is one', '127.0.0.1', { via: '1.1 x' }, '127.0.0.1'],
  ['a proxy that names nothing', '127.0.0.1', { 'x-real-ip': 'unknown' }, '127.0.0.1'],
])('the client of %s', (_name, remoteAddress, headers, client) => {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress });
  const request = Object.assign(new IncomingMessage(socket), { headers });
  expect(clientOf(request)).toBe(client);
});

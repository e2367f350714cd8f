import { expect, test } from 'vitest';
import {
  clearWay,
  type Place,
  postfixAddress,
  unclaimedSockets,
} from '../../src/service/listen.ts';

test.each<[Place, string | undefined]>([
  [{ host: '127.0.0.1', port: 8893 }, 'inet:127.0.0.1:8893'],
  [{ host: '2001:db8::1', port: 8893 }, 'inet:[2001:db8::1]:8893'],
  [{ port: 8893 }, 'inet:127.0.0.1:8893'],
  [{ host: '0.0.0.0', port: 8893 }, 'inet:127.0.0.1:8893'],
  [{ host: '::', port: 8893 }, 'inet:[::1]:8893'],
  [{ path: '/run/clickmilter/milter.sock', fileMode: 0o660 }, 'unix:/run/clickmilter/milter.sock'],
  [
    { path: '/var/spool/postfix/clickmilter/milter.sock', fileMode: 0o660 },
    'unix:clickmilter/milter.sock',
  ],
  [{ fd: 3 }, undefined],
])('Postfix reaches %j as %s', (place, address) => {
  expect(postfixAddress(place)).toBe(address);
});

test('inherited sockets of other names are unclaimed', () => {
  const inherited = new Map([
    ['milter', [3]],
    ['milter.socket', [4, 6]],
    ['redirect', [5]],
  ]);
  expect(unclaimedSockets(inherited, ['milter', 'control'])).toEqual([
    { descriptor: 4, name: 'milter.socket' },
    { descriptor: 6, name: 'milter.socket' },
    { descriptor: 5, name: 'redirect' },
  ]);
});

test('what is in the way of a socket is named, and not taken for that of the milter', async () => {
  await expect(clearWay([{ path: import.meta.filename, fileMode: 0o660 }])).rejects.toThrow(
    `listen: ${import.meta.filename} exists and is not a socket: expected a free path`,
  );
  await expect(clearWay([{ path: '/', fileMode: 0o660 }])).rejects.not.toThrow('milter');
});

import { describe, expect, test } from 'vitest';
import { decodeConnect, decodeEnvelope } from '../../src/milter/command.ts';
import { u16 } from '../helpers/milter-wire.ts';

describe('CONNECT', () => {
  test.each([
    [
      'inet',
      `h.test\x004${u16(4711)}192.0.2.1\0`,
      { family: 'inet', address: '192.0.2.1', port: 4711 },
    ],
    [
      'inet6',
      `h.test\x006${u16(25)}IPv6:2001:db8::1\0`,
      { family: 'inet6', address: '2001:db8::1', port: 25 },
    ],
    [
      'inet6 in lower case',
      `h.test\x006${u16(25)}ipv6:::1\0`,
      { family: 'inet6', address: '::1', port: 25 },
    ],
    [
      'inet6 without its prefix',
      `h.test\x006${u16(25)}2001:db8::1\0`,
      { family: 'inet6', address: '2001:db8::1', port: 25 },
    ],
    ['a unix socket', `h.test\0L${u16(0)}/run/x\0`, { family: 'unix', address: '/run/x', port: 0 }],
    ['unknown', 'h.test\0U', { family: 'unknown' }],
    ['unknown with trailing bytes', `h.test\0U${u16(0)}x\0`, { family: 'unknown' }],
    [
      'a client without an address, as of XCLIENT ADDR=[UNAVAILABLE]',
      `h.test\x004${u16(0)}unknown\0`,
      { family: 'unknown' },
    ],
    [
      'port 0, as of local submission',
      `h.test\x004${u16(0)}127.0.0.1\0`,
      { family: 'inet', address: '127.0.0.1', port: 0 },
    ],
  ])('%s', (_name, payload, expected) => {
    expect(decodeConnect(payload)).toEqual({ hostname: 'h.test', ...expected });
  });

  test.each([
    ['', 'no family: expected host, NUL, family'],
    ['h', 'no family: expected host, NUL, family'],
    ['h\0', 'no family: expected host, NUL, family'],
    ['h\x009\0\0x\0', 'family "9": expected 4, 6, L or U'],
    ['h\x004', 'expected port, address, NUL after the family'],
    ['h\x004\0\x19', 'expected port, address, NUL after the family'],
    ['h\x004\0\x19192.0.2.1', 'expected port, address, NUL after the family'],
    ['h\x004\0\x19\0', 'address "": expected one of family 4'],
    ['h\x004\0\x19999.0.2.1\0', 'address "999.0.2.1": expected one of family 4'],
    ['h\x006\0\x19192.0.2.1\0', 'address "192.0.2.1": expected one of family 6'],
    ['h\x004\0\x19::1\0', 'address "::1": expected one of family 4'],
  ])('%j is refused', (payload, message) => {
    expect(() => decodeConnect(payload)).toThrow(`milter: connect: ${message}`);
  });
});

describe('MAIL and RCPT', () => {
  test.each([
    ['<a@b>\0', 'a@b', []],
    ['a@b\0', 'a@b', []],
    ['<>\0', '', []],
    ['\0', '', []],
    ['<a@b>\0SIZE=1\0BODY=8BITMIME\0', 'a@b', ['SIZE=1', 'BODY=8BITMIME']],
    ['<a@b>\0SIZE=1', 'a@b', []],
    ['<"a>b"@c>\0', '"a>b"@c', []],
    ['<a@b\0', '<a@b', []],
    ['<\xc3\xa4@b>\0SMTPUTF8\0', '\xc3\xa4@b', ['SMTPUTF8']],
  ])('%j', (payload, address, args) => {
    expect(decodeEnvelope(payload, 'mail')).toEqual({ address, args });
  });
});

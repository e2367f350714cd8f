import { describe, expect, test } from 'vitest';
import { inheritedSockets } from '../../src/service/sockets.ts';

describe('inheritedSockets', () => {
  test.each([
    ['nothing', {}, {}],
    ['for another process', { LISTEN_FDS: '1', LISTEN_PID: '43', LISTEN_FDNAMES: 'milter' }, {}],
    ['none', { LISTEN_FDS: '0', LISTEN_PID: '42' }, {}],
    ['one', { LISTEN_FDS: '1', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter' }, { milter: [3] }],
    [
      'several, two of one name',
      { LISTEN_FDS: '3', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter:redirect:milter' },
      { milter: [3, 5], redirect: [4] },
    ],
    ['without names', { LISTEN_FDS: '2', LISTEN_PID: '42' }, { unknown: [3, 4] }],
  ])('%s', (_, env, expected) => {
    expect(Object.fromEntries(inheritedSockets(env, 42))).toEqual(expected);
  });

  test('a contradiction is an error', () => {
    expect(() =>
      inheritedSockets({ LISTEN_FDS: 'two', LISTEN_PID: '42' }, 42),
    ).toThrowErrorMatchingInlineSnapshot(
      `[Error: LISTEN_FDS is "two", expected a number of sockets]`,
    );
    expect(() =>
      inheritedSockets({ LISTEN_FDS: '2', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter' }, 42),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: LISTEN_FDNAMES holds 1 names for 2 sockets]`);
  });
});

import { describe, expect, test } from 'vitest';
import { type Milter, parseMilters, seconds } from '../../src/commands/postfix-configuration.ts';

describe('parseMilters', () => {
  test.each<[string, Omit<Milter, 'text'>[]]>([
    ['', []],
    ['inet:127.0.0.1:8893', [{ place: 'inet:127.0.0.1:8893', settings: {} }]],
    ['inet:[::1]:8893', [{ place: 'inet:::1:8893', settings: {} }]],
    ['inet:8891@localhost', [{ place: 'inet:localhost:8891', settings: {} }]],
    ['localhost:8891', [{ place: 'inet:localhost:8891', settings: {} }]],
    ['local:/run/x.sock', [{ place: 'unix:/run/x.sock', settings: {} }]],
    [
      'unix:a/b.sock,inet:h:1 inet:h:2',
      [
        { place: 'unix:a/b.sock', settings: {} },
        { place: 'inet:h:1', settings: {} },
        { place: 'inet:h:2', settings: {} },
      ],
    ],
    [
      '{ unix:/x, default_action=accept, command_timeout=5s }, inet:h:1',
      [
        { place: 'unix:/x', settings: { default_action: 'accept', command_timeout: '5s' } },
        { place: 'inet:h:1', settings: {} },
      ],
    ],
    [
      '{inet:h:1,default_action=tempfail}',
      [{ place: 'inet:h:1', settings: { default_action: 'tempfail' } }],
    ],
    [
      '{ inet:h:1, {default_action = tempfail}, { command_timeout=5s } }, inet:h:2',
      [
        {
          place: 'inet:h:1',
          settings: { default_action: 'tempfail', command_timeout: '5s' },
        },
        { place: 'inet:h:2', settings: {} },
      ],
    ],
    [
      '{inet:h:1,{default_action =accept}},inet:h:2',
      [
        { place: 'inet:h:1', settings: { default_action: 'accept' } },
        { place: 'inet:h:2', settings: {} },
      ],
    ],
  ])('%s', (list, milters) => {
    const parsed = parseMilters(list);
    expect(parsed.map(({ text: _, ...milter }) => milter)).toEqual(milters);
    // As the list has them, so that they can be written again.
    expect(parsed.flatMap(({ text }) => parseMilters(text))).toEqual(parsed);
  });
});

test.each([
  ['30s', 30],
  ['5m', 300],
  ['1h', 3600],
  ['300', 300],
])('%s is %d seconds', (time, expected) => {
  expect(seconds(time)).toBe(expected);
});

import { describe, expect, test } from 'vitest';
import { writeValue } from '../../src/config/write-value.ts';
import { configurationOf } from '../helpers/configuration.ts';

describe('looking scopes up', () => {
  test('gives connections of the same scopes the same match, so that what was computed for it serves all', () => {
    const { scopes } = configurationOf('ESMTP_Listener { Peer "10.0.0.0/8" { dry_run = on } }');
    const first = scopes.match({ peer: '10.0.0.1', listen: '192.0.2.1:25' });
    expect(scopes.match({ peer: '10.0.0.2', listen: '192.0.2.9:587' })).toBe(first);
    expect(scopes.match({ peer: '10.0.0.2', pathway: 'not configured' })).toBe(first);
    expect(scopes.match({ peer: '11.0.0.2' })).not.toBe(first);
  });

  test('names the scopes, most specific first', () => {
    const { scopes } = configurationOf(`
      ESMTP_Listener { Listen ":25" { Peer "10.0.0.0/8" { } Peer "10.0.0.1" { } } Peer "0.0.0.0/0" { } }
      ESMTP_Listener "out" { Listen "*:25" { } pathway = news }
      pathway_group "all" { pathway "news" { } } pathway "News" { }`);
    expect(
      scopes.match({ listener: 'out', listen: '192.0.2.1:25', peer: '10.0.0.1' }).chain(),
    ).toMatchInlineSnapshot(`
      [
        "pathway_group "all" > pathway "news"",
        "pathway "News"",
        "pathway_group "all"",
        "ESMTP_Listener "out" > Listen "*:25"",
        "ESMTP_Listener "out"",
        "ESMTP_Listener > Listen ":25" > Peer "10.0.0.1"",
        "ESMTP_Listener > Listen ":25" > Peer "10.0.0.0/8"",
        "ESMTP_Listener > Listen ":25"",
        "ESMTP_Listener > Peer "0.0.0.0/0"",
        "ESMTP_Listener",
      ]
    `);
  });

  test.each([
    ['a pathway that decides', 'news', 'dry_run', ['true: pathway "News"']],
    ['what all mail has', 'news', 'on_failure', ['tempfail: ESMTP_Listener']],
    [
      'what a client decides',
      'news',
      'rewrite_signed',
      ['true: ESMTP_Listener > Peer "10.0.0.0/8"', 'false: '],
    ],
    [
      'another pathway',
      'other',
      'dry_run',
      ['true: ESMTP_Listener "out" > Listen "*:25"', 'false: '],
    ],
    ['no pathway', undefined, 'click_tracking_scheme', ['http: ']],
  ])('says what an option may be for mail of a pathway: %s', (_, pathway, option, expected) => {
    const { scopes } = configurationOf(`
      ESMTP_Listener { on_failure = tempfail Peer "10.0.0.0/8" { rewrite_signed = on } }
      ESMTP_Listener "out" { Listen "*:25" { dry_run = on } }
      pathway "News" { dry_run = on }`);
    const found = scopes.possibleSettings(pathway).get(option) ?? [];
    expect(found.map(({ value, scope }) => `${writeValue(value)}: ${scope}`)).toEqual(expected);
  });

  test('knows its options and no others', () => {
    const match = configurationOf('').scopes.match({});
    expect([...match.settings().keys()]).toContain('click_tracking_enabled');
    expect(match.pathway).toBeUndefined();
    expect(() => match.get('workers')).toThrowErrorMatchingInlineSnapshot(
      `[RangeError: workers is not a tracking option]`,
    );
  });
});

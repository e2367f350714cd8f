import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { burstKey, linkKey } from '../../src/click/automation.ts';
import type { Click } from '../../src/click/click.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { formatStoredToken, LinkChecks } from '../../src/link/stored-token.ts';
import { exampleMessage } from '../link/example-message.ts';
import { exampleClick } from './example-click.ts';
import { Judge } from './judge.ts';

const INJECTED = 1_790_000_000_000;
const LATER = INJECTED + 3_600_000;

function clicks(signs: Judge, tokens: string[], click: Partial<Click> = {}, linkCount?: number) {
  return tokens.map((token, index) => {
    const one = exampleClick({ time: LATER + index, ...click, token });
    const resolved = { ...one.resolved, ...(linkCount !== undefined && { linkCount }) };
    return signs.reasonsFor({ ...one, resolved });
  });
}

describe('the signs of automation', () => {
  test.each([
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1',
      [],
    ],
    ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', ['user_agent']],
    ['Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', ['user_agent']],
    ['facebookexternalhit/1.1', ['user_agent']],
    ['python-requests/2.32', ['user_agent']],
    ['curl/8.5.0', ['user_agent']],
    ['', ['user_agent']],
    [undefined, ['user_agent']],
  ])('the user agent %j: %j', (userAgent, reasons) => {
    const { userAgent: _, ...click } = exampleClick({ time: LATER });
    const seen = userAgent === undefined ? click : { ...click, userAgent };
    expect(new Judge().reasonsFor(seen)).toEqual(reasons);
  });

  test('sooner after the injection than people read', () => {
    const signs = new Judge();
    const at = (time: number) => signs.reasonsFor(exampleClick({ time }));
    expect(at(INJECTED + 9_999)).toEqual(['soon_after_injection']);
    expect(at(INJECTED + 10_000)).toEqual([]);
    // The clock of the milter's host is ahead: every click would look automatic.
    expect(at(INJECTED - 1)).toEqual([]);
    expect(at(INJECTED - 3_600_000)).toEqual([]);
  });

  test('every link of the message', () => {
    const signs = new Judge();
    expect(clicks(signs, ['a', 'b', 'b', 'c'], {}, 3)).toEqual([[], [], [], ['every_link']]);
    expect(clicks(new Judge(), ['a'], {}, 1)).toEqual([[]]);
  });

  test('many links, where it is not known how many there are', () => {
    const reasons = clicks(new Judge(), ['a', 'b', 'c', 'd', 'e', 'f']);
    expect(reasons).toEqual([[], [], [], [], ['many_links'], ['many_links']]);
  });

  test('not when others follow the other links, nor over a long time', () => {
    const signs = new Judge();
    for (const [index, token] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
      expect(clicks(signs, [token], { ip: `192.0.2.${index}` }, 6)).toEqual([[]]);
    }
    for (const [index, token] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
      const time = LATER + index * 10_000;
      expect(clicks(signs, [token], { ip: '198.51.100.1', time }, 6)).toEqual([[]]);
    }
  });

  test.each([
    ['2001:db8:1:2::a', '2001:db8:1:2:ffff::b', true],
    ['2001:db8:1:2::a', '2001:db8:1:3::a', false],
    ['fe80::1%eth0.1', 'fe80::2', true],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
  ])('%s and %s are the same client: %j', (one, other, isSame) => {
    const signs = new Judge();
    clicks(signs, ['a'], { ip: one }, 2);
    expect(clicks(signs, ['b'], { ip: other }, 2)).toEqual([isSame ? ['every_link'] : []]);
  });

  test('a client that may not be kept makes no burst', () => {
    const key = (click: Partial<Click>, facts = {}) => burstKey(exampleClick(click, facts));
    expect(key({})).toMatch(/^[\w-]{16}$/);
    expect(key({ isAnonymous: true })).toBe('');
    expect(key({}, { identity: 'none' })).toBe('');
    expect(key({}, { identity: 'domain' })).toBe(key({}));
  });

  test('little is remembered of a token, however long it is', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const signs = new Judge();
    const filler = 'x'.repeat(5_900);
    const held = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = held();
    for (let client = 0; client < 100; client++) {
      for (let link = 0; link < 100; link++) {
        // As of a request: a text of its own each time.
        const token = Buffer.from(`2${link}${filler}`).toString('latin1');
        if (link === 0) signs.headSeen(`${client}${token}`, LATER);
        clicks(signs, [token], { ip: `192.0.2.${client}` });
      }
    }
    expect(held() - before).toBeLessThan(3_000_000);
    expect(clicks(signs, [`020${filler}`])).toEqual([['head_request']]);
  });

  test('clicks whose client is not known are not taken for those of one client', () => {
    const unknown = clicks(new Judge(), ['a', 'b', 'c', 'd', 'e'], { ip: undefined }, 5);
    expect(unknown.flat()).toEqual([]);
  });

  test('HEAD for the same link before', () => {
    const signs = new Judge();
    signs.headSeen('a', LATER - 1000);
    expect(clicks(signs, ['a', 'b'])).toEqual([['head_request'], []]);
    expect(clicks(signs, ['a'], { time: LATER + 9_000 })).toEqual([[]]);
  });

  test('a clock that was set back since then makes no burst and no HEAD request of long ago', () => {
    const signs = new Judge();
    const ahead = LATER + 86_400_000;
    signs.headSeen('a', ahead);
    clicks(signs, ['a', 'b', 'c', 'd'], { time: ahead });
    expect(clicks(signs, ['a', 'e'])).toEqual([[], []]);
    expect(clicks(signs, ['a'], { time: ahead - 86_390_001 })).toEqual([[]]);
  });

  test('a burst that is found reclassifies its clicks before, each once', () => {
    const judge = new Judge();
    const seen = (token: string, click: Partial<Click> = {}) =>
      judge.look(exampleClick({ time: LATER, ip: '198.51.100.1', ...click, token }), `id-${token}`);
    for (const token of ['a', 'b', 'c']) {
      expect(seen(token)).toEqual({ is_automatic: false });
    }
    expect(seen('d', { userAgent: 'curl/8.5.0' }).is_automatic).toBe(true);
    expect(seen('e', { ip: '198.51.100.2' })).toEqual({ is_automatic: false });
    const signs = { is_automatic: true, automation_reasons: ['many_links'] };
    expect(seen('f')).toEqual({ ...signs, reclassifies: ['id-a', 'id-b', 'id-c'] });
    expect(seen('g')).toEqual(signs);
    expect(seen('a', { time: LATER + 10_000 })).toEqual({ is_automatic: false });
  });

  test('an event reclassifies at most 20 others', () => {
    const judge = new Judge();
    const seen = (token: string, id: number) =>
      judge.look(exampleClick({ time: LATER, ip: '198.51.100.1', token }), `id-${id}`);
    for (let id = 0; id < 30; id++) seen('a', id);
    for (const token of ['b', 'c', 'd']) seen(token, 99);
    expect(seen('e', 100).reclassifies).toEqual(Array.from({ length: 20 }, (_, id) => `id-${id}`));
  });

  test('signs that do not decide, or that tell of one click, reclassify nothing', () => {
    const judge = new Judge({ automaticWhen: ['user_agent', 'head_request'] });
    const all = ['a', 'b', 'c', 'd', 'e'].map((token) =>
      judge.look(exampleClick({ time: LATER, ip: '198.51.100.1', token })),
    );
    expect(all.at(-1)).toEqual({ is_automatic: false, automation_reasons: ['many_links'] });
    judge.headSeen('f', LATER);
    const last = judge.look(exampleClick({ time: LATER, ip: '198.51.100.1', token: 'f' }));
    expect(last.is_automatic).toBe(true);
    expect(last.reclassifies).toBeUndefined();
  });

  test('the last 10,000 links are remembered, and at most twice as many', () => {
    const signs = new Judge();
    for (let n = 0; n <= 20_000; n++) signs.headSeen(`token-${n}`, LATER);
    expect(clicks(signs, ['token-0', 'token-10001'])).toEqual([[], ['head_request']]);
  });

  test.each([
    ['a browser', {}, [], false],
    ['a library', { userAgent: 'curl/8.5.0' }, ['user_agent'], true],
    ['a click within seconds', { time: INJECTED }, ['soon_after_injection'], false],
    ['a page loaded ahead', { isPrefetch: true }, ['prefetch'], true],
    ['a scanner', { ip: '198.51.100.9' }, ['network'], true],
    ['its neighbour', { ip: '198.51.101.9' }, [], false],
    ['a scanner with IPv6', { ip: '2001:db8:5::1' }, ['network'], true],
    ['no address', { ip: undefined }, [], false],
  ] as const)('%s', (_, click, reasons, isAutomatic) => {
    const signs = new Judge({ automaticNetworks: ['198.51.100.0/24', '2001:db8:5::/48'] });
    const found = signs.look(exampleClick({ time: LATER, ...click }));
    expect(found.automation_reasons ?? []).toEqual(reasons);
    expect(found.is_automatic).toBe(isAutomatic);
  });

  test('automatic_when says which signs make a click automatic', () => {
    const signs = new Judge({ automaticWhen: ['soon_after_injection'] });
    const isAutomatic = (click: Partial<Click>) => signs.look(exampleClick(click)).is_automatic;
    expect(isAutomatic({ time: INJECTED })).toBe(true);
    expect(isAutomatic({ time: LATER, userAgent: 'curl/8.5.0' })).toBe(false);
    signs.signs.reload({ automaticWhen: ['user_agent'], automaticNetworks: [] });
    expect(isAutomatic({ time: INJECTED })).toBe(false);
    expect(isAutomatic({ time: LATER, userAgent: 'curl/8.5.0' })).toBe(true);
  });

  test('0 switches the signs of time off', () => {
    const signs = new Judge({ automaticWithinMs: 0 });
    expect(clicks(signs, ['a', 'b', 'c', 'd', 'e', 'f'], { time: INJECTED }, 6).flat()).toEqual([]);
  });
});

test('the links of a message have different names, stored and sealed', () => {
  const numbers = [...Array(100).keys()];
  const checks = new LinkChecks('secret');
  const stored = numbers.map((n) => formatStoredToken('Zm9vYmFyYmF6cXV4', n, checks));
  const message = exampleMessage();
  const keys = new SealKeys([newSealKey([], 0)]);
  const issued = createSealedLinks(
    () => keys,
    () => [message.domain],
  ).issuer.issue(message);
  const sealed = numbers.map(() => issued.token({ target: 'https://x.example/', part: 'html' }));
  const names = [...stored, ...sealed].map((token) => linkKey(token ?? ''));
  expect(new Set(names).size).toBe(200);
  expect(names.every((name) => /^[\w-]{8}$/.test(name))).toBe(true);
});

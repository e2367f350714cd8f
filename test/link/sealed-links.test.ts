import { describe, expect, test } from 'vitest';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { tokensIn } from '../../src/redirect/follow-link.ts';
import { linksContract } from '../store/contract.ts';
import { exampleMessage } from './example-message.ts';
import { tokenOf } from './token-of.ts';

const DAY = 86_400_000;
const key = newSealKey([], 0);
const domains = () => [exampleMessage().domain];
const links = createSealedLinks(() => keys, domains);
const keys = new SealKeys([key]);

/** What no shorthand and no dictionary can shorten. */
const incompressible = `https://QXJ.ZW/${'7kQzXw9VbJ'.repeat(8)}`.slice(0, 90);

function seal(target: string, facts = exampleMessage(), using = links): string {
  return tokenOf(using.issuer.issue(facts), { target, part: 'html' });
}

describe('sealed links keep the contract', () => {
  linksContract(() => links);
});

describe('length', () => {
  test('of a token for a target of 90 characters, with campaign, message id and recipient', () => {
    const sizes = Object.fromEntries(
      [
        incompressible.padEnd(90, 'Z'),
        `https://www.shop.example/autumn/coats?utm_source=newsletter&utm_medium=email&utm_campaign=a`,
      ].map((target) => [target.length, seal(target).length]),
    );
    expect(sizes).toMatchInlineSnapshot(`
      {
        "90": 206,
        "91": 198,
      }
    `);
  });

  test('further facts come along only while the token stays within 220 characters', async () => {
    for (let length = 20; length < 150; length++) {
      const target = `https://x.example/${'Q'.repeat(length)}`;
      const token = seal(target);
      const found = await links.resolver.resolve(token);
      expect(found?.link.target).toBe(target);
      if (found?.message.pathway !== undefined) expect(token.length).toBeLessThanOrEqual(220);
    }
  });

  test('a short target leaves room for the rest', async () => {
    const facts = exampleMessage({ subject: 'Hi' });
    const found = await links.resolver.resolve(seal('https://shop.example/', facts));
    const { domain: _d, friendlyFrom: _f, size: _s, ...known } = facts;
    const { domain: _, ...message } = found?.message ?? {};
    expect(known).toMatchObject(message);
    expect(message).toMatchObject({ pathway: 'newsletters', metadata: { user: 4711 } });
  });

  test('a target of more than 3,600 characters is refused, one of 3,600 fits whatever goes with it', async () => {
    const longest = `https://x.example/${'7kQzXw9VbJ'.repeat(400)}`.slice(0, 3_600);
    expect(links.issuer.maxTarget).toBe(longest.length);
    const issued = links.issuer.issue(exampleMessage());
    expect(issued.token({ target: `${longest}/`, part: 'html' })).toBeUndefined();
    // In UTF-8 this one would be longer than any token that is opened.
    expect(issued.token({ target: 'ж'.repeat(3_600), part: 'html' })).toBeUndefined();
    const word = 'x'.repeat(255);
    const facts = exampleMessage({ campaignId: word, recipients: [word] });
    const link = { target: longest, part: 'html', name: word } as const;
    const token = tokenOf(links.issuer.issue(facts), link);
    expect(tokensIn(`/f/x/${token}`)).toEqual([token]);
    expect((await links.resolver.resolve(token))?.link).toEqual(link);
  });
});

test('of several recipients the number is told, of one the address', async () => {
  const several = exampleMessage({ recipients: ['a@x.example', 'b@x.example', 'c@x.example'] });
  const found = await links.resolver.resolve(seal('https://a.example/', several));
  expect(found?.message).toMatchObject({ recipients: [], recipientCount: 3 });
});

test('no bit of a token can be changed', async () => {
  const token = seal('https://a.example/');
  const bytes = Buffer.from(token.slice(1), 'base64url');
  const end = bytes.length % 3 === 0 ? 'A' : '';
  expect(`6${bytes.toString('base64url')}${end}`).toBe(token);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(await links.resolver.resolve(`6${changed.toString('base64url')}${end}`)).toBeUndefined();
  }
});

test('one link has one token: bits that base64 leaves over are not ignored', async () => {
  const tokens = Array.from({ length: 12 }, (_, i) => seal(`https://a.example/${'x'.repeat(i)}`));
  const loose = tokens.find((token) => (token.length - 1) % 4 !== 0) ?? '';
  const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'];
  const twins = alphabet.map((last) => loose.slice(0, -1) + last);
  const resolved = await Promise.all(twins.map((twin) => links.resolver.resolve(twin)));
  expect(resolved.filter((found) => found !== undefined)).toHaveLength(1);
});

test('the same message sealed twice shares no key: both tokens open, and they differ', async () => {
  const facts = exampleMessage();
  const [first, second] = [seal('https://a.example/1', facts), seal('https://a.example/2', facts)];
  const body = (token: string) => Buffer.from(token.slice(1), 'base64url').subarray(19);
  // Under one key and nonce, ciphertexts would differ only where the targets do: in the last byte before the tag.
  expect(body(first).subarray(1, 9)).not.toEqual(body(second).subarray(1, 9));
  expect((await links.resolver.resolve(first))?.link.target).toBe('https://a.example/1');
  expect((await links.resolver.resolve(second))?.link.target).toBe('https://a.example/2');
});

describe('where a proxy may have changed the host', () => {
  let tried = 0;
  function* many() {
    for (const n of Array(1_000).keys()) {
      tried++;
      yield `click${n}.example`;
    }
  }
  const { issuer, resolver } = createSealedLinks(() => keys, many);
  const at = (domain: string) =>
    tokenOf(issuer.issue(exampleMessage({ domain })), {
      target: 'https://a.example/',
      part: 'html',
    });

  test.each<[domain: string, host: string, mayDiffer: boolean, found: boolean, tried: number]>([
    ['click999.example', 'click999.example', true, true, 0],
    ['click999.example', 'CLICK999.example.:8080', true, true, 0],
    ['click0.example', 'localhost', true, true, 1],
    ['click99.example', 'localhost', true, true, 100],
    ['click100.example', 'localhost', true, false, 101],
    ['other.example', '', true, false, 101],
    ['click0.example', 'localhost', false, false, 0],
  ])('a link of %s asked for at %s (%s): found is %s', async (domain, host, ...expected) => {
    const [mayDiffer, isFound, most] = expected;
    tried = 0;
    const found = await resolver.resolve(at(domain), host, mayDiffer);
    expect(found?.link.target).toBe(isFound ? 'https://a.example/' : undefined);
    expect(tried).toBeLessThanOrEqual(most);
  });

  test('commands, which no stranger calls, try all', async () => {
    expect(await resolver.resolve(at('click999.example'))).toBeDefined();
  });
});

describe('rotation', () => {
  const now = Date.now();
  const old = newSealKey([], now - 10 * DAY);
  const fresh = newSealKey([old], now - DAY);
  const planned = newSealKey([old, fresh], now + DAY);
  const ring = (...list: (typeof old)[]) => createSealedLinks(() => new SealKeys(list), domains);

  test('the newest key that has begun seals, and older ones go on opening', async () => {
    const before = seal('https://a.example/', exampleMessage(), ring(old));
    const all = ring(planned, old, fresh);
    expect((await all.resolver.resolve(before))?.link.target).toBe('https://a.example/');
    const after = seal('https://a.example/', exampleMessage(), all);
    expect(await ring(fresh).resolver.resolve(after)).toBeDefined();
    expect(await ring(old, planned).resolver.resolve(after)).toBeUndefined();
  });

  test('another secret under the same id opens nothing', async () => {
    const twin = { ...newSealKey([], 0), id: key.id };
    const token = seal('https://a.example/');
    expect(await ring(twin).resolver.resolve(token)).toBeUndefined();
  });
});
